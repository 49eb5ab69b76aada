/** The page: from a photo and the settings to pictures, a digest and times. */
import { keepForOffline, keepTheRest } from "./offline.js";

const $ = (id) => document.getElementById(id);
const view = document.querySelector.bind(document);

// What is loaded from here on is kept for offline use.
await keepForOffline();
const [{ createView, EXPLANATIONS }, { createClient }, { showProof }, { restoreSettings, settings, withdraw }, { createStatus }, { filesOf }, { Tensor }] =
  await Promise.all(["view", "client", "proof", "settings", "status", "dropped", "library"].map((name) => import(`./${name}.js`)));

const engine = createClient("engine.js"), { call, stop } = engine;
const { say, attempt, ...status } = createStatus({ text: $("status"), progress: $("progress"), stop: $("stop") });
const report = ({ text, part }) => status.report({ text: `${text}…`, part });
const FIRST = "../photos/rocket.jpg", MODES = ["one", "many", "camera"];
/** The module, once it was asked for. */
let camera;
/** `shape` is that of the model: its choices stay when the photo changes. */
const state = { photo: undefined, name: "", result: undefined, maps: undefined, head: undefined, looked: undefined, shape: {}, busy: false, comparing: false, again: false };
const canvas = createView({ photo: $("photo"), canvas: $("canvas"), marker: $("marker") }, { look, leave, choose });

$("file").addEventListener("change", ({ target }) => target.files[0] && take(target.files[0]));
for (const button of document.querySelectorAll("[data-sample]")) button.addEventListener("click", () => takeSample(button.dataset.sample));
for (const name of ["dragover", "dragleave", "drop"]) window.addEventListener(name, dragged);
for (const id of ["settings", "grid"]) $(id).addEventListener("change", run);
$("views").addEventListener("change", ({ target }) => target !== $("grid") && show());
$("layer").addEventListener("input", show);
for (const id of ["opacity", "wipe"]) $(id).addEventListener("input", cover);
$("compare").addEventListener("click", compare);
$("stop").addEventListener("click", stop);
$("copy").addEventListener("click", () => navigator.clipboard.writeText($("command").textContent).then(() => say("Copied.")));
addEventListener("hashchange", chooseMode);
await restoreSettings();
void chooseMode();
explain();
cover();
await attempt(engine.start);
document.body.dataset.ready = "true";
if (state.photo === undefined) await takeSample(FIRST);
keepTheRest();

/** One file is looked at; several, or a folder, go to the wall. */
async function dragged(event) {
  event.preventDefault();
  view("#one .stage").classList.toggle("over", event.type === "dragover");
  if (event.type !== "drop") return;
  const files = await filesOf(event.dataTransfer);
  if (files.length === 1 && !$("one").hidden) return take(files[0].file);
  if (files.length === 0) return;
  location.hash = "many";
  await (await import("./many.js")).add(files);
}

/** What is looked at, by the address. */
async function chooseMode() {
  const mode = MODES.find((name) => location.hash === `#${name}`) ?? MODES[0];
  for (const id of MODES) $(id).hidden = id !== mode;
  for (const link of document.querySelectorAll("nav a")) link.ariaCurrent = link.hash === `#${mode}` ? "page" : null;
  if (mode === "many") await (await import("./many.js")).openMany();
  if (mode === "camera") camera = await import("./camera.js");
  else camera?.stopCamera();
}

async function takeSample(path) {
  await attempt(async () => {
    const response = await fetch(path);
    if (!response.ok) throw new Error(`The sample cannot be read: status ${response.status}.`);
    await take(new File([await response.blob()], path.split("/").at(-1)));
  });
}

/** A new photo: decode it, show it, run the model on it. */
async function take(file) {
  await attempt(async () => {
    say("Decoding the photo");
    const photo = await call("decode", { bytes: new Uint8Array(await file.arrayBuffer()) });
    Object.assign(state, { photo, name: file.name, result: undefined, maps: undefined, looked: undefined });
    $("poster")?.remove();
    canvas.show(photo);
    await run();
  });
}

/** Runs the model on the photo with the settings as they are. A change in the meantime runs it once more. */
async function run() {
  const chosen = settings();
  if (state.photo === undefined) return;
  state.again = state.busy;
  if (state.comparing) stop();
  if (state.busy) return;
  state.busy = true;
  $("compare").disabled = true;
  const isDone = await attempt(async () => {
    for (let now = chosen; ; now = settings()) {
      state.again = false;
      const { photo } = state, proven = await runOn({ ...now, finer: 1 });
      const result = now.finer === 1 ? proven : await compute(now);
      if (photo === state.photo && !state.again) {
        adopt(result);
        showProof({ ...proven, name: state.name, model: now.model });
        break;
      }
    }
    await show();
    $("device-words").textContent = state.result.deviceDescription;
    say(timeOf(chosen.device, state.result));
    return true;
  });
  if (isDone === undefined) withdraw();
  state.busy = false;
  $("compare").disabled = state.result === undefined;
}

async function compute(chosen, photo = state.photo) {
  const result = await call("run", { photo: photo.id, settings: chosen }, report);
  return { ...result, features: new Tensor("float32", result.features.data, result.features.dims) };
}

async function runOn(chosen, photo) {
  const result = await compute(chosen, photo);
  addTiming(chosen.device, result);
  return result;
}

/** Makes a result the one that is shown. */
function adopt(result) {
  const { columns, rows, layers, heads } = result, { shape } = state;
  if (shape.columns !== columns || shape.rows !== rows) canvas.reset(result);
  if (shape.layers !== layers || shape.heads !== heads) {
    Object.assign($("layer"), { max: layers, value: layers });
    state.head = undefined;
  }
  Object.assign(state, { result, maps: undefined, shape: { columns, rows, layers, heads } });
}

/** The pointer is over a patch: what is like it shows at once, and goes with the pointer. */
function look(patch) {
  if (viewKind() === "attention" || state.result === undefined) return;
  if (state.looked?.[0] === patch[0] && state.looked?.[1] === patch[1]) return;
  state.looked = patch;
  draw("similarity");
}

function leave() {
  if (state.looked === undefined) return;
  state.looked = undefined;
  if (state.result !== undefined) draw(viewKind());
}

/** A patch was clicked or reached by the arrow keys. */
function choose([column, row]) {
  state.looked = undefined;
  if (viewKind() === "pca") view('[value="similarity"]').checked = true;
  if (viewKind() === "attention") $("from-patch").checked = true;
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
      const maps = await call("attend", { photo: photo.id, settings: settings() }, report);
      if (result === state.result) state.maps = maps.map(({ data, dims }) => new Tensor("float32", data, dims));
      say("");
    });
    if (state.maps === undefined) return;
  }
  draw(viewKind());
  if (viewKind() === "attention") showHeads();
}

function draw(kind) {
  const { least, greatest } = canvas.draw(kind, state.result, attention(), state.looked);
  if (kind === "attention") {
    $("least").textContent = `least: ${(100 * least).toFixed(1)}\u00a0%`;
    $("most").textContent = `most: ${(100 * greatest).toFixed(1)}\u00a0%`;
  } else if (kind === "similarity") {
    $("least").textContent = `least alike: ${least.toFixed(2)}`;
    $("most").textContent = `most: ${greatest.toFixed(2)}`;
  }
  explain(kind);
  $("canvas").dataset.shown = kind;
}

function attention() {
  return { maps: state.maps, layer: Number($("layer").value) - 1, head: state.head, fromPatch: $("from-patch").checked };
}

/** Every head of the layer as a small picture that can be chosen. */
function showHeads() {
  const buttons = canvas.multiples(attention(), state.shape.heads).map(({ head, canvas: small }) => {
    const button = document.createElement("button"), text = head === undefined ? "mean" : `${head + 1}`;
    button.type = "button";
    button.setAttribute("aria-pressed", String(head === state.head));
    button.setAttribute("aria-label", head === undefined ? "Mean of all heads" : `Head ${head + 1}`);
    button.append(small, text);
    button.addEventListener("click", () => {
      state.head = head;
      draw("attention");
      for (const other of $("multiples").children) other.setAttribute("aria-pressed", String(other === button));
    });
    return button;
  });
  $("multiples").replaceChildren(...buttons);
}

/** The same photo in every way. Another photo or other settings end it. */
async function compare() {
  const { photo } = state, chosen = { ...settings(), finer: 1 };
  Object.assign(state, { busy: true, comparing: true });
  $("compare").disabled = true;
  const { compareWays } = await import("./ways.js");
  const tryKernels = (told) => call("verify", { photo: photo.id, settings: chosen }, (progress) => (progress.row === undefined ? report(progress) : told(progress.row)));
  await compareWays((way) => runOn({ ...chosen, ...way }, photo), tryKernels);
  Object.assign(state, { busy: false, comparing: false });
  say("");
  $("compare").disabled = false;
  if (state.again) await run();
}

/** How much of the map covers the photo. */
function cover() {
  $("canvas").style.opacity = Number($("opacity").value) / 100;
  $("canvas").style.clipPath = `inset(0 ${100 - $("wipe").value}% 0 0)`;
}

function viewKind() {
  return view("[name=view]:checked").value;
}

/** @param kind what is drawn: likeness for as long as the pointer is over a patch */
function explain(kind = viewKind()) {
  $("explanation").textContent = EXPLANATIONS[kind];
  $("heads").hidden = kind !== "attention";
  $("scale").hidden = kind === "pca";
  $("components").hidden = kind !== "pca";
  $("layer-number").value = `${$("layer").value} of ${$("layer").max || 1}`;
}

function addTiming(device, { dtype, loadMilliseconds, milliseconds }) {
  const name = device === "wasm" ? "CPU" : "WebGPU", key = `${name} ${dtype}`;
  const row = view(`[data-key="${key}"]`) ?? $("timings").insertRow();
  row.dataset.key = key;
  row.replaceChildren(...[name, dtype, seconds(loadMilliseconds), seconds(milliseconds)].map((text) => Object.assign(document.createElement("td"), { textContent: text })));
}

function timeOf(device, { deviceDescription, milliseconds }) {
  const threads = device === "wasm" ? ` with ${/\d+ threads?/.exec(deviceDescription)?.[0]}` : "";
  return `Computed in ${seconds(milliseconds)} on ${device === "wasm" ? "the CPU" : "WebGPU"}${threads}.`;
}

function seconds(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
