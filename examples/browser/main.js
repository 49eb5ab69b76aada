/** The page: from a photo and the settings to pictures, a digest and times. */
import { keepForOffline } from "./offline.js";

const $ = (id) => document.getElementById(id);
const view = document.querySelector.bind(document);

// What is loaded from here on is kept for offline use.
await keepForOffline();
const [{ createView, EXPLANATIONS }, { call, startEngine }, { Tensor }] = await Promise.all([import("./view.js"), import("./client.js"), import("./library.js")]);

/** `shape` is that of the model: its choices stay when the photo changes. */
const state = { photo: undefined, result: undefined, maps: undefined, shape: {}, busy: false, again: false };
const canvas = createView($("canvas"), chosen);

$("file").addEventListener("change", ({ target }) => target.files[0] && take(target.files[0]));
$("another").addEventListener("click", () => $("file").click());
for (const button of document.querySelectorAll("[data-sample]")) button.addEventListener("click", () => takeSample(button.dataset.sample));
for (const name of ["dragover", "dragleave", "drop"]) window.addEventListener(name, dragged);
$("settings").addEventListener("change", run);
$("views").addEventListener("change", show);
$("opacity").addEventListener("input", show);
$("compare").addEventListener("click", compare);
sayWhatIsMissing();
explain();
await attempt(startEngine);
document.body.dataset.ready = "true";

function dragged(event) {
  event.preventDefault();
  view(".stage").classList.toggle("over", event.type === "dragover");
  if (event.type === "drop" && event.dataTransfer.files.length > 0) void take(event.dataTransfer.files[0]);
}

async function takeSample(path) {
  await attempt(async () => {
    const response = await fetch(path);
    if (!response.ok) throw new Error(`The sample cannot be read: status ${response.status}.`);
    await take(await response.blob());
  });
}

/** A new photo: decode it, show it, run the model on it. */
async function take(file) {
  await attempt(async () => {
    say("Decoding the photo");
    const photo = await call("decode", { bytes: new Uint8Array(await file.arrayBuffer()) });
    Object.assign(state, { photo, result: undefined, maps: undefined });
    canvas.draw("photo", photo);
    $("drop").hidden = true;
    $("frame").hidden = $("another").hidden = false;
    await run();
  });
}

/** Runs the model on the photo with the settings as they are. A change in the meantime runs it once more. */
async function run() {
  if (state.photo === undefined) return;
  state.again = state.busy;
  if (state.busy) return;
  state.busy = true;
  $("compare").disabled = true;
  await attempt(async () => {
    do {
      state.again = false;
      const { photo } = state, result = await runOn(settings());
      if (photo !== state.photo) state.again = true;
      else adopt(result);
    } while (state.again);
    await show();
    say(`${state.result.deviceDescription}: ${seconds(state.result.milliseconds)}.`);
  });
  state.busy = false;
  $("compare").disabled = state.result === undefined;
}

async function runOn(chosen) {
  const result = await call("run", { image: state.photo, settings: chosen }, report);
  addTiming(chosen.device, result);
  return { ...result, features: new Tensor("float32", result.features.data, result.features.dims) };
}

/** Makes a result the one that is shown. */
function adopt(result) {
  const { columns, rows, layers, heads, digest } = result, { shape } = state;
  if (shape.columns !== columns || shape.rows !== rows) canvas.reset(result);
  if (shape.layers !== layers || shape.heads !== heads) {
    fill($("layer"), Array.from({ length: layers }, (_, i) => [i, `${i + 1}`]), layers - 1);
    fill($("head"), [["", "mean"], ...Array.from({ length: heads }, (_, i) => [i, `${i + 1}`])], "");
  }
  if ($("digest").textContent !== digest) $("badge").dataset.state = $("badge").value = "";
  Object.assign(state, { result, maps: undefined, shape: { columns, rows, layers, heads } });
  $("digest").textContent = digest;
  $("keys").hidden = false;
}

/** A patch was clicked or reached by the arrow keys. */
function chosen([column, row]) {
  const kind = viewKind();
  if (kind === "photo" || kind === "pca") view('[value="similarity"]').checked = true;
  if (kind === "attention") $("from-patch").checked = true;
  $("canvas").setAttribute("aria-label", `Patch in column ${column + 1}, row ${row + 1}`);
  void show();
}

/** Draws the view as it is set. Attention maps are computed when they are first looked at. */
async function show() {
  explain();
  const { photo, result } = state;
  if (result === undefined) return;
  if (viewKind() === "attention" && state.maps === undefined) {
    await attempt(async () => {
      const maps = await call("attend", { image: photo, settings: settings() }, report);
      if (result === state.result) state.maps = maps.map(({ data, dims }) => new Tensor("float32", data, dims));
      say("");
    });
    if (state.maps === undefined) return;
  }
  const head = $("head").value === "" ? undefined : Number($("head").value);
  const attention = { maps: state.maps, layer: Number($("layer").value), head, fromPatch: $("from-patch").checked };
  canvas.draw(viewKind(), photo, result.features, attention, Number($("opacity").value) / 100);
  $("canvas").dataset.shown = viewKind();
}

/** The same photo and weights on CPU and WebGPU: are the digests equal? */
async function compare() {
  const badge = $("badge");
  const tell = (kind, text) => Object.assign(badge, { value: text }).setAttribute("data-state", kind);
  if (!("gpu" in navigator)) return tell("absent", "This browser has no WebGPU to compare with.");
  $("compare").disabled = true;
  tell("working", "Running on both ...");
  try {
    const digests = [];
    for (const device of ["wasm", "webgpu"]) digests.push((await runOn({ ...settings(), device })).digest);
    const same = digests[0] === digests[1];
    tell(same ? "same" : "different", same ? "The same: CPU and WebGPU agree in every bit." : "DIFFERENT. Please report this, with the name of the device.");
    say("");
  } catch (error) {
    tell("absent", `Not compared: ${error.message}`);
    say("");
  }
  $("compare").disabled = false;
}

function settings() {
  const model = $("model").value.trim();
  const threads = $("threads").value === "auto" ? "auto" : 1;
  // A name of the Hub has one slash and no dot before it; what is left is an address.
  const ref = model === "" ? undefined : /^[\w-]+\/[\w.-]+$/.test(model) ? model : new URL(model, location.href).href;
  return { model: ref, dtype: $("dtype").value, device: $("device").value, threads };
}

function viewKind() {
  return view("[name=view]:checked").value;
}

function explain() {
  $("explanation").textContent = EXPLANATIONS[viewKind()];
  $("heads").hidden = viewKind() !== "attention";
}

function addTiming(device, { dtype, loadMilliseconds, milliseconds }) {
  const name = device === "wasm" ? "CPU" : "WebGPU", key = `${name} ${dtype}`;
  const row = view(`[data-key="${key}"]`) ?? $("timings").insertRow();
  row.dataset.key = key;
  row.replaceChildren(...[name, dtype, seconds(loadMilliseconds), seconds(milliseconds)].map((text) => Object.assign(document.createElement("td"), { textContent: text })));
}

function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, text]) => new Option(text, key)));
  select.value = value;
}

/** Tells of a failure where the user looks for results. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    say(error.code === undefined ? error.message : `${error.message} [${error.code}]`, "failed");
  }
}

function report({ text, part }) {
  say(`${text} ...`, "working");
  $("progress").value = 100 * part;
}

function say(text, kind = "done") {
  $("status").textContent = text;
  $("status").dataset.state = kind;
  $("progress").hidden = kind !== "working";
}

function seconds(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

function sayWhatIsMissing() {
  if (!("gpu" in navigator)) Object.assign(view('[value="webgpu"]'), { disabled: true, textContent: "WebGPU (not in this browser)" });
  if (!crossOriginIsolated) Object.assign($("threads"), { disabled: true, title: "Threads need a page that is cross-origin isolated: see the README." });
}
