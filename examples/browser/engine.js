/**
 * The worker that computes, so that the page stays responsive. It answers one request after the other:
 * { id, task, ...arguments } in; { id, progress }, then { id, result } or { id, error } out. { stop: true } ends what is under way.
 */
import { isIJepaError, loadImage, pipeline } from "./library.js";

/** The model that is open, with the settings that opened it. */
let open;
/** Of the request under way. */
let stopping = new AbortController();

const tasks = {
  /** The pixels of an image file. */
  decode: ({ bytes }) => loadImage(bytes),

  /** Features of an image, their digest, and what a person may want to know about how they were made. */
  async run({ image, settings }, report) {
    const { extract, loadMilliseconds } = await opened(settings, report);
    const { model } = extract;
    report({ text: "Computing" });
    const start = performance.now();
    const { lastHiddenState, numerics } = await model.forward(inputsOf(extract, image, settings), { signal: stopping.signal });
    const milliseconds = performance.now() - start;
    const { numHiddenLayers: layers, numAttentionHeads: heads } = model.config;
    const columns = model.config.gridWidth * settings.finer, rows = model.config.gridHeight * settings.finer;
    const { deviceDescription, dtype } = model;
    return { features: lastHiddenState, digest: numerics.digest, dtype, columns, rows, layers, heads, deviceDescription, milliseconds, loadMilliseconds };
  },

  /** The attention maps of every layer. */
  async attend({ image, settings }, report) {
    const { extract } = await opened(settings, report);
    report({ text: "Computing attention" });
    return (await extract.model.forward(inputsOf(extract, image, settings), { outputAttentions: true, signal: stopping.signal })).attentions;
  },
};

/** The photo as the model takes it, or `finer` times as large, with positions in between. */
function inputsOf({ model, processor }, image, { finer }) {
  const { imageHeight, imageWidth } = model.config;
  const size = finer === 1 ? {} : { size: { height: imageHeight * finer, width: imageWidth * finer } };
  return { ...processor.preprocess(image, size), interpolatePosEncoding: finer > 1 };
}

/** The model of these settings; opening another closes it. */
async function opened({ finer, ...settings }, report) {
  const key = JSON.stringify(settings);
  if (open?.key === key) return open;
  await open?.extract.dispose();
  open = undefined;
  const { model, ...options } = settings, start = performance.now();
  const progress_callback = ({ status, file, part, loaded, total }) => {
    if (status !== "progress") return;
    const share = total > 0 ? loaded / total : undefined;
    report({ text: part === undefined && file !== undefined ? `Downloading ${file}` : "Loading the model", part: share });
  };
  const extract = await pipeline("image-feature-extraction", model, { ...options, progress_callback, signal: stopping.signal });
  open = { key, extract, loadMilliseconds: performance.now() - start };
  return open;
}

let queue = Promise.resolve();
self.onmessage = ({ data: { id, task, stop, ...given } }) => {
  if (stop) return stopping.abort();
  queue = queue.then(async () => {
    if (stopping.signal.aborted) stopping = new AbortController();
    try {
      self.postMessage({ id, result: await tasks[task](given, (progress) => self.postMessage({ id, progress })) });
    } catch (error) {
      const code = isIJepaError(error) ? error.code : "unexpected";
      self.postMessage({ id, error: { code, message: error instanceof Error ? error.message : String(error) } });
    }
  });
};
self.postMessage({ ready: true });
