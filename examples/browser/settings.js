/** Which model runs, and how: from the form, kept for the next visit. */

const $ = (id) => document.getElementById(id);
const KEPT = ["preset", "model", "dtype", "device", "threads"];
const STORE = "ijepa-settings";

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
  $("other").hidden = $("preset").value !== "other";
}

/** As the engine takes them; keeps them. */
export function settings() {
  $("other").hidden = $("preset").value !== "other";
  localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(KEPT.map((id) => [id, $(id).value]))));
  const named = $("preset").value === "other" ? $("model").value.trim() : $("preset").value;
  // A name of the Hub has one slash and no dot before it; what is left is an address.
  const model = named === "" ? undefined : /^[\w-]+\/[\w.-]+$/.test(named) ? named : new URL(named, location.href).href;
  return { model, dtype: $("dtype").value, device: $("device").value, threads: $("threads").value === "auto" ? "auto" : 1, finer: Number($("grid").value) };
}
