/** Which model runs, and how: from the form, kept for the next visit. */

const $ = (id) => document.getElementById(id);
const KEPT = ["preset", "model", "dtype", "device", "threads"];
const STORE = "ijepa-settings";
/** The model that may be fetched; chosen anew on each visit, because some take gigabytes. */
let agreed = "";

/** Fills the form with what was chosen last, and says what this browser lacks. */
export function restoreSettings() {
  const kept = JSON.parse(localStorage.getItem(STORE) ?? "{}");
  for (const id of KEPT) if (kept[id] !== undefined) $(id).value = kept[id];
  if (!("gpu" in navigator)) Object.assign(document.querySelector('[value="webgpu"]'), { disabled: true, textContent: "WebGPU (not in this browser)" });
  if (!("gpu" in navigator) && $("device").value !== "wasm") $("device").value = "wasm";
  if (!crossOriginIsolated) {
    Object.assign($("threads"), { disabled: true, title: "Threads need a page that is cross-origin isolated: see the README." });
    $("threads").value = "1";
  }
  $("fetch-now").addEventListener("click", () => {
    agreed = named();
    $("settings").dispatchEvent(new Event("change"));
  });
}

/** The model is not to be fetched any more, until that is asked for again. */
export function withdraw() {
  agreed = "";
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
