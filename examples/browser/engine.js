/**
 * The worker that computes, so that the page stays responsive. It answers one request after the other:
 * { id, task, ...arguments } in; { id, progress }, then { id, result } or { id, error } out.
 */
import { isIJepaError, loadImage, pipeline } from "./library.js";

/** The model that is open, with the settings that opened it. */
let open;

const tasks = {
  /** The pixels of an image file. */
  decode: ({ bytes }) => loadImage(bytes),

  /** Features of an image, their digest, and what a person may want to know about how they were made. */
  async run({ image, settings }, report) {
    const { extract, loadMilliseconds } = await opened(settings, report);
    const { model, processor } = extract;
    report({ text: "Computing", part: 1 });
    const start = performance.now();
    const { lastHiddenState, numerics } = await model.forward(processor.preprocess(image));
    const milliseconds = performance.now() - start;
    const { gridWidth: columns, gridHeight: rows, numHiddenLayers: layers, numAttentionHeads: heads } = model.config;
    const { deviceDescription, dtype } = model;
    return { features: lastHiddenState, digest: numerics.digest, dtype, columns, rows, layers, heads, deviceDescription, milliseconds, loadMilliseconds };
  },

  /** The attention maps of every layer. */
  async attend({ image, settings }, report) {
    const { model, processor } = (await opened(settings, report)).extract;
    report({ text: "Computing attention", part: 1 });
    return (await model.forward(processor.preprocess(image), { outputAttentions: true })).attentions;
  },
};

/** The model of these settings; opening another closes it. */
async function opened(settings, report) {
  const key = JSON.stringify(settings);
  if (open?.key === key) return open;
  await open?.extract.dispose();
  open = undefined;
  const { model, ...options } = settings, start = performance.now();
  const progress_callback = ({ loaded, total }) => report({ text: "Loading the model", part: loaded / total });
  const extract = await pipeline("image-feature-extraction", model, { ...options, progress_callback });
  open = { key, extract, loadMilliseconds: performance.now() - start };
  return open;
}

let queue = Promise.resolve();
self.onmessage = ({ data: { id, task, ...given } }) => {
  queue = queue.then(async () => {
    try {
      self.postMessage({ id, result: await tasks[task](given, (progress) => self.postMessage({ id, progress })) });
    } catch (error) {
      const code = isIJepaError(error) ? error.code : "unexpected";
      self.postMessage({ id, error: { code, message: error instanceof Error ? error.message : String(error) } });
    }
  });
};
self.postMessage({ ready: true });
