/** Which model runs, and how: from the form, kept for the next visit. */

const $ = (id) => document.getElementById(id);
const KEPT = ["preset", "model", "dtype", "device", "threads"];
const STORE = "ijepa-settings";
/** The model that may be fetched; chosen anew on each visit, because some take gigabytes. */
let agreed = "";

/** Isolated pages share memory among threads; WebKitGTK isolates them, and keeps shared memory from them. */
export const hasThreads = crossOriginIsolated && typeof SharedArrayBuffer !== "undefined";
/** Milliseconds that a browser has to find an adapter. */
const PATIENCE = 5000;
let adapter;

/** Whether there is a WebGPU adapter; asked once. */
export async function hasWebgpu() {
  adapter ??= Promise.race([navigator.gpu?.requestAdapter().catch(() => null), new Promise((resolve) => setTimeout(resolve, PATIENCE, null))]);
  return ((await adapter) ?? null) !== null;
}

/** Fills the form with what was chosen last, and says what this browser lacks. */
export async function restoreSettings() {
  const kept = JSON.parse(localStorage.getItem(STORE) ?? "{}");
  for (const id of KEPT) if (kept[id] !== undefined) $(id).value = kept[id];
  if (!("gpu" in navigator)) lacksWebgpu("not in this browser");
  else if ($("device").value === "webgpu" && !(await hasWebgpu())) lacksWebgpu("no adapter here");
  if (!hasThreads) {
    $("threads").replaceChildren(new Option("1 (this page has no threads)", "1"));
    $("threads").disabled = true;
  }
  $("fetch-now").addEventListener("click", () => {
    agreed = named();
    $("settings").dispatchEvent(new Event("change"));
  });
}

function lacksWebgpu(reason) {
  Object.assign(document.querySelector('[value="webgpu"]'), { disabled: true, textContent: `WebGPU (${reason})` });
  $("device").value = "wasm";
}

/** The model is not to be fetched any more, until that is asked for again. */
export function withdraw() {
  agreed = "";
  settings();
}

function named() {
  return $("preset").value === "other" ? $("model").value.trim() : $("preset").value;
}

/** As the engine takes them; keeps them. A model that is not to be fetched yet gives way to the demo. */
export function settings() {
  const name = named(), chosen = name === agreed ? name : "";
  $("other").hidden = $("preset").value !== "other";
  $("fetch").hidden = chosen === name;
  $("preset-note").textContent = `${$("preset").selectedOptions[0]?.dataset.note ?? ""}${chosen === name ? "" : " Nothing of it is fetched yet."}`;
  localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(KEPT.map((id) => [id, $(id).value]))));
  // A name of the Hub has one slash and no dot before it; what is left is an address.
  const model = chosen === "" ? undefined : /^[\w-]+\/[\w.-]+$/.test(chosen) ? chosen : new URL(chosen, location.href).href;
  return { model, dtype: $("dtype").value, device: $("device").value, threads: $("threads").value === "auto" ? "auto" : 1, finer: Number($("grid").value) };
}
