/** The worker behind "Many photos": a collection in the browser's own storage, filled, arranged, searched and learned from. */
import { directions, chainOf, mapOf } from "./arrange.js";
import { DecodePool } from "./library.js";
import { Collection, FeatureEncoder, fitClassifier, indexImages, memoryStorage } from "./library-collections.js";
import { loadingReport, serveTasks, unlessStopped } from "./serve-tasks.js";
import { piecesOfSamples } from "./pieces.js";
import { makeThumbnail, thumbnailOf } from "./thumbnails.js";

/** Photos of the first round; each later round has twice as many as all before it. After each the wall is sorted anew. */
const FIRST_ROUND = 16;
/** The settings that opened it, encoder, collection, whether it is kept, and the photos by id with their features. */
let open;

serveTasks({
  /** Opens the model and what is kept of earlier visits. */
  async open({ settings }, report, signal) {
    await opened(settings, report, signal);
    return contents();
  },

  /** Takes in files, [{ name, file }]. Reports photos as they are read, and the arrangement after each round. */
  async add({ settings, files }, report, signal) {
    const { encoder, collection } = await opened(settings, report, signal), failures = [];
    const thumbnails = [], sources = files.map((file) => sourceOf(file, (made) => thumbnails.push(made), report)), decoders = new DecodePool();
    let arranged;
    try {
      for (let first = 0, round = FIRST_ROUND; first < sources.length; first += round, round = 2 * first) {
        const onProgress = ({ done }) => report({ text: `${first + done} of ${sources.length} photos`, part: (first + done) / sources.length });
        await indexImages(collection, encoder, sources.slice(first, first + round), { signal, decoders, onProgress, onFailure: (failure) => failures.push(failure) });
        await arranged;
        // While the next round is decoded.
        arranged = readContents().then((contents) => report({ contents }));
      }
      await arranged;
    } finally {
      await Promise.allSettled([decoders.close(), arranged, ...thumbnails]);
      // Also what a round took in that was stopped.
      if (signal.aborted) report({ contents: await readContents() });
    }
    return { failures };
  },

  /** Files to try it with. */
  pieces(_given, report) {
    report({ text: "Cutting the samples" });
    return piecesOfSamples();
  },

  thumbnails: ({ ids }) => Promise.all(ids.map(thumbnailOf)),

  /** The closest photos, or the closest patches of all photos. */
  search: ({ id, patch, k }, _report, signal) => open.collection.search({ id }, { k, patches: patch !== undefined, patch, signal }),

  duplicates: ({ threshold }, _report, signal) => open.collection.duplicates({ threshold, signal }),

  /** Learns from labels, [[id, label]], and says what it makes of every photo, and what it gets wrong when it has not seen one. */
  async learn({ labels }, report, signal) {
    report({ text: "Learning" });
    const known = new Map(labels), { head, labels: names, report: { C } } = await fit(known, { signal });
    const guesses = open.photos.map(({ id, feature }) => ({ id, ...guess(head, names, feature) }));
    const wrong = [];
    let tested = 0;
    for (const [id, label] of labels) {
      const others = new Map(labels.filter(([other]) => other !== id));
      if (new Set(others.values()).size < names.length) continue;
      tested++;
      const left = await fit(others, { holdOut: 0, C, signal }), said = guess(left.head, left.labels, open.byId.get(id).feature);
      if (said.label !== label) wrong.push({ id, label, said });
      report({ text: "Testing", part: tested / labels.length });
    }
    return { guesses, wrong, tested };
  },

  /** Forgets every photo. */
  async forget() {
    await open.collection.remove(open.photos.flatMap(({ sources }) => sources));
    await open.collection.compact();
    await caches.delete("ijepa-thumbnails");
    return readContents();
  },
});

function fit(labels, options) {
  const { collection, idOf } = open;
  return fitClassifier(collection, { labels: (source) => labels.get(idOf.get(source)), ...options });
}

/** The likeliest label and its probability. */
function guess({ weight, bias, width }, names, feature) {
  const scores = names.map((_, i) => bias[i] + feature.reduce((sum, value, c) => sum + value * weight[i * width + c], 0));
  const most = Math.max(...scores), shares = scores.map((score) => Math.exp(score - most)), sum = shares.reduce((a, b) => a + b);
  const best = scores.indexOf(most);
  return { label: names[best], sure: shares[best] / sum };
}

/** Its thumbnail is made beside the features, while the file is in memory. @param begun told of the promise that it is made */
function sourceOf({ name, file }, begun, report) {
  return {
    name,
    look: async () => ({ bytes: file.size, modified: file.lastModified }),
    async read() {
      const bytes = new Uint8Array(await file.arrayBuffer());
      begun(makeThumbnail(bytes).then((made) => made && report({ photo: { ...made, name } })));
      return bytes;
    },
  };
}

async function opened(settings, report, signal) {
  const { model, dtype, device, threads } = settings, key = JSON.stringify([model, dtype, device, threads]);
  if (open?.key === key) return open;
  await open?.encoder.dispose();
  open = undefined;
  const encoder = await unlessStopped(FeatureEncoder.open(model, { dtype, device, threads, tokens: true, signal, progress_callback: loadingReport(report) }), signal);
  const name = `photos-${encoder.encoding.encoder.slice(0, 12)}-${encoder.encoding.processor.slice(0, 12)}`;
  open = { key, encoder, ...(await openStored(name, encoder.encoding)) };
  await readContents();
  return open;
}

/** In the origin private file system; where the browser has none that can be written, in memory. */
async function openStored(name, encoding) {
  try {
    return { collection: await Collection.openOrCreate(name, encoding), isKept: true };
  } catch (error) {
    if (error.code === "collection/damaged") throw error;
    return { collection: await Collection.openOrCreate(memoryStorage(), encoding), isKept: false };
  }
}

async function readContents() {
  const { collection } = open, byId = new Map(), idOf = new Map();
  for await (const { source, id, width, height, feature } of collection.rows({ tokens: false })) {
    idOf.set(source, id);
    if (byId.has(id)) byId.get(id).sources.push(source);
    else byId.set(id, { id, sources: [source], width, height, feature });
  }
  // By id: the arrangement is that of the photos, in whatever order they came.
  const photos = [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  Object.assign(open, { photos, byId, idOf });
  return contents();
}

/** What the page shows: photos in the order of the wall, each with its place on the map. */
async function contents() {
  const { photos, isKept, encoder, collection } = open, rows = directions(photos.map(({ feature }) => feature)), places = mapOf(rows);
  const ordered = chainOf(rows).map((i) => ({ ...photos[i], feature: undefined, place: places[i] }));
  return { photos: ordered, isKept, grid: encoder.encoding.tokens, dtype: encoder.encoding.dtype, root: await collection.rootDigest() };
}
