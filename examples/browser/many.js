/** Many photos: a wall that sorts itself, a map, neighbours, near duplicates, patches like one, and a classifier of one's own. */
import { createClient } from "./client.js";
import { createLabels } from "./labels.js";
import { createPanel } from "./panel.js";
import { settings } from "./settings.js";
import { createStatus } from "./status.js";
import { createWall } from "./wall.js";

const $ = (id) => document.getElementById(id);
const NEIGHBOURS = 12, PATCHES = 24, PHOTO = /\.(jpe?g|png|webp)$/i;
const album = createClient("album.js");
const { say, report, attempt } = createStatus({ text: $("many-status"), progress: $("many-progress"), stop: $("many-stop") }, "Stopped. What was taken in is kept.");
const state = { photos: [], byId: new Map(), chosen: undefined, isOpen: false };

const wall = createWall($("wall"), choose);
const panel = createPanel($("panel"), { urlOf: wall.urlOf, nameOf, choose, patch: findPatches });
const labels = createLabels($("teach"), { learn, show: (names) => wall.name(names), results: panel.results });

for (const id of ["many-files", "many-folder"]) $(id).addEventListener("change", ({ target }) => add([...target.files].map((file) => ({ name: file.webkitRelativePath || file.name, file }))));
$("many-views").addEventListener("change", arrange);
$("threshold").addEventListener("input", () => viewKind() === "duplicates" && arrange());
$("many-stop").addEventListener("click", () => album.stop());
$("forget").addEventListener("click", () => confirm("Forget all photos of this wall?") && attempt(async () => adopt(await call("forget", {}))));
addEventListener("resize", () => wall.arrange());

/** Opens what is kept of earlier visits. */
export async function openMany() {
  if (state.isOpen) return;
  state.isOpen = true;
  await attempt(async () => {
    await album.start();
    await adopt(await call("open", { settings: settings() }));
  });
}

/** @param files [{ name, file }]; what is no photo is left out */
export async function add(files) {
  await openMany();
  const photos = files.filter(({ name, file }) => PHOTO.test(name) || /^image\/(jpeg|png|webp)$/.test(file.type));
  if (photos.length === 0) return say("There is no JPEG, PNG or WebP file among these.", "failed");
  await attempt(async () => {
    const { failures } = await call("add", { settings: settings(), files: photos });
    if (failures.length > 0) say(`${failures.length} could not be read: ${failures.slice(0, 3).map(({ message }) => message).join(" ")}`, "failed");
  });
}

async function call(task, given) {
  return album.call(task, given, (told) => {
    if (told.photo !== undefined) wall.arrive(told.photo);
    else if (told.contents !== undefined) void adopt(told.contents);
    else report(told);
  });
}

/** Photos in a new order; thumbnails of earlier visits are fetched. */
async function adopt({ photos, isKept, grid, root }) {
  Object.assign(state, { photos, byId: new Map(photos.map((photo) => [photo.id, photo])) });
  panel.grid = grid;
  $("many-empty").hidden = photos.length > 0;
  $("many-tools").hidden = photos.length === 0;
  $("many-count").textContent = `${photos.length} photo${photos.length === 1 ? "" : "s"}${isKept ? ", kept in this browser" : ", gone with this tab"}.`;
  $("many-root").textContent = root;
  wall.show(photos);
  labels.show(state.byId);
  await arrange();
  const missing = photos.filter(({ id }) => wall.urlOf(id) === undefined).map(({ id }) => id);
  if (missing.length === 0) return;
  const blobs = await album.call("thumbnails", { ids: missing });
  missing.forEach((id, i) => blobs[i] !== undefined && wall.arrive({ id, thumbnail: blobs[i] }));
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
  $("duplicates-count").textContent = groups.length === 0 ? "No photos are so alike." : `${count} photo${count === 1 ? "" : "s"} in ${groups.length} group${groups.length === 1 ? "" : "s"}.`;
  wall.arrange("duplicates", groups.map(({ images }) => images.map(({ id }) => id)));
}

const HINTS = {
  wall: "Neighbours on the wall are alike to the model. Nobody told it what is in a photo.",
  map: "The closer two photos, the more alike they are to the model.",
  duplicates: "The lower the likeness, the larger the groups.",
};

/** A photo of the wall: it gets the label that is being given, or shows its neighbours. */
async function choose(id) {
  if (labels.give(id)) return;
  state.chosen = id;
  wall.mark(id);
  const { sources, width, height } = state.byId.get(id);
  panel.photo({ id, text: `${nameOf(id)}, ${width} x ${height}${sources.length > 1 ? `, at ${sources.length} places` : ""}` });
  await attempt(async () => {
    const found = await album.call("search", { id, k: NEIGHBOURS + 1 });
    if (state.chosen === id) panel.results("The most alike", found.filter((other) => other.id !== id).map((one) => ({ ...one, text: one.score.toFixed(3) })));
  });
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
