/** Many photos: a wall that sorts itself, a map, neighbours, near duplicates, patches like one, and a classifier of one's own. */
import { createClient } from "./client.js";
import { createLabels } from "./labels.js";
import { createPanel } from "./panel.js";
import { tellRecorded } from "./proof.js";
import { settings } from "./settings.js";
import { createStatus } from "./status.js";
import { createWall } from "./wall.js";

const $ = (id) => document.getElementById(id);
/** Root digest of the pieces of the samples, in bf16. */
const RECORDED_PIECES = "307ab155b082b4eb04df8a86a673b4dccabf04d7d000343d7b86ee8f1c24f1f7";
const NEIGHBOURS = 12, PATCHES = 24, PIECES = 24, PHOTO = /\.(jpe?g|png|webp)$/i;
const album = createClient("album.js");
const { say, report, attempt } = createStatus({ text: $("many-status"), progress: $("many-progress"), stop: $("many-stop") }, "Stopped. What was taken in is kept.");
const state = { photos: [], byId: new Map(), chosen: undefined, opening: undefined, adopting: undefined };

const wall = createWall($("wall"), choose);
const panel = createPanel($("panel"), { urlOf: wall.urlOf, nameOf, choose, patch: findPatches, closed: unchoose });
const labels = createLabels($("teach"), { learn, show: (names) => wall.name(names), results: (title, found) => panel.results(title, found, false) });

for (const id of ["many-files", "many-folder"]) $(id).addEventListener("change", ({ target }) => add([...target.files].map((file) => ({ name: file.webkitRelativePath || file.name, file }))));
$("many-views").addEventListener("change", arrange);
$("threshold").addEventListener("input", () => viewKind() === "duplicates" && arrange());
$("many-stop").addEventListener("click", () => album.stop());
$("many-pieces").addEventListener("click", addPieces);
$("forget").addEventListener("click", () => confirm("Forget all photos on this wall?") && attempt(async () => adopt(await call("forget", {}))));
addEventListener("resize", () => wall.arrange());
// Until then a click would be lost.
for (const id of ["many-folder", "many-files", "many-pieces"]) $(id).disabled = false;

/** Opens what is kept of earlier visits. */
export function openMany() {
  state.opening ??= attempt(async () => {
    await album.start();
    await adopt(await call("open", { settings: settings() }));
  });
  return state.opening;
}

/** @param files [{ name, file }]; what is no photo is left out */
export async function add(files) {
  await openMany();
  const photos = files.filter(({ name, file }) => PHOTO.test(name) || /^image\/(jpeg|png|webp)$/.test(file.type));
  if (photos.length === 0) return say("There is no JPEG, PNG or WebP file among these.", "failed");
  await attempt(async () => {
    const { failures } = await call("add", { settings: settings(), files: photos });
    await state.adopting;
    if (failures.length > 0) say(`${failures.length} could not be read: ${failures.slice(0, 3).map(({ message }) => message).join(" ")}`, "failed");
  });
}

/** Something to look at for those who have no photos at hand. */
async function addPieces() {
  await openMany();
  const pieces = await attempt(() => call("pieces", {}));
  if (pieces !== undefined) await add(pieces.map((file) => ({ name: `samples/${file.name}`, file })));
}

async function call(task, given) {
  return album.call(task, given, (told) => {
    if (told.photo !== undefined) wall.arrive(told.photo);
    else if (told.contents !== undefined) state.adopting = adopt(told.contents);
    else report(told);
  });
}

/** Photos in a new order; thumbnails of earlier visits are fetched. */
async function adopt({ photos, isKept, grid, root, dtype }) {
  Object.assign(state, { photos, byId: new Map(photos.map((photo) => [photo.id, photo])) });
  panel.grid = grid;
  $("many-empty").hidden = photos.length > 0;
  $("many-tools").hidden = photos.length === 0;
  $("many-count").textContent = photos.length === 0 ? "No photos yet." : `${photos.length} photo${photos.length === 1 ? "" : "s"}, ${isKept ? "kept in this browser until you forget them" : "gone with this tab"}.`;
  $("many-root").textContent = photos.length === 0 ? "none yet" : root;
  const isRecorded = dtype === "bf16" && settings().model === undefined && photos.length === PIECES && photos.every(({ sources: [name] }) => name.startsWith("samples/"));
  tellRecorded($("many-recorded"), isRecorded ? RECORDED_PIECES : undefined, root);
  if (!state.byId.has(state.chosen)) panel.close();
  wall.show(photos);
  await turn();
  labels.show(state.byId);
  await turn();
  await arrange();
  const missing = photos.filter(({ id }) => wall.urlOf(id) === undefined).map(({ id }) => id);
  if (missing.length === 0) return;
  const blobs = await album.call("thumbnails", { ids: missing });
  missing.forEach((id, i) => blobs[i] !== undefined && wall.arrive({ id, thumbnail: blobs[i] }));
}

/** Lets the page answer between pieces of work. */
function turn() {
  return new Promise((resolve) => setTimeout(resolve));
}

async function arrange() {
  const kind = viewKind();
  $("duplicates").hidden = kind !== "duplicates";
  $("many-hint").textContent = HINTS[kind];
  if (kind !== "duplicates") return wall.arrange(kind);
  const threshold = Number($("threshold").value);
  $("threshold-value").value = threshold.toFixed(3);
  const groups = await album.call("duplicates", { threshold });
  if (threshold !== Number($("threshold").value)) return;
  const count = groups.reduce((sum, { images }) => sum + images.length, 0);
  $("duplicates-count").textContent = groups.length === 0 ? "No two photos are this alike." : `${count} photo${count === 1 ? "" : "s"} in ${groups.length} group${groups.length === 1 ? "" : "s"}.`;
  wall.arrange("duplicates", groups.map(({ images }) => images.map(({ id }) => id)));
}

const HINTS = {
  wall: "Photos side by side look alike to the model. Nobody told it what is in them. Click one to see the most alike.",
  map: "The closer two photos are, the more alike they look to the model. Click one to see the most alike.",
  duplicates: "Each group holds photos that look almost the same to the model. Move the slider to the left for larger groups.",
};

/** A photo of the wall: it gets the label that is being given, or shows its neighbours. */
async function choose(id) {
  if (labels.give(id)) return;
  state.chosen = id;
  wall.mark(id);
  const { sources, width, height } = state.byId.get(id);
  panel.photo({ id, text: `${nameOf(id)}, ${width} × ${height}${sources.length > 1 ? `, in ${sources.length} places` : ""}` });
  await attempt(async () => {
    const found = await album.call("search", { id, k: NEIGHBOURS + 1 });
    if (state.chosen === id) panel.results("The most alike", found.filter((other) => other.id !== id).map((one) => ({ ...one, text: one.score.toFixed(3) })));
  });
}

/** Back to the wall, where the photo was. */
function unchoose() {
  wall.mark(undefined);
  wall.focus(state.chosen);
  state.chosen = undefined;
}

async function findPatches(id, patch) {
  await attempt(async () => {
    const found = await album.call("search", { id, patch, k: PATCHES });
    panel.results("Places most like this one, in all photos", found.map((one) => ({ ...one, text: one.score.toFixed(3) })));
  });
}

function learn(given) {
  return attempt(() => call("learn", { labels: given }));
}

function nameOf(id) {
  return state.byId.get(id)?.sources[0] ?? "";
}

function viewKind() {
  return document.querySelector("[name=many-view]:checked").value;
}
