/** The worker that computes one photo, so that the page stays responsive. */
import { loadImage, pipeline } from "./library.js";
import { loadingReport, serveTasks } from "./serve-tasks.js";

/** The model that is open, with the settings that opened it. */
let open;

serveTasks({
  /** The pixels of an image file. */
  decode: ({ bytes }) => loadImage(bytes),

  /** Features of an image, their digest, and what a person may want to know about how they were made. */
  async run({ image, settings }, report, signal) {
    const { extract, loadMilliseconds } = await opened(settings, report, signal);
    const { model } = extract;
    report({ text: "Computing" });
    const start = performance.now();
    const { lastHiddenState, numerics } = await model.forward(inputsOf(extract, image, settings), { signal });
    const milliseconds = performance.now() - start;
    const { numHiddenLayers: layers, numAttentionHeads: heads } = model.config;
    const columns = model.config.gridWidth * settings.finer, rows = model.config.gridHeight * settings.finer;
    const { deviceDescription, dtype } = model;
    return { features: lastHiddenState, digest: numerics.digest, dtype, columns, rows, layers, heads, deviceDescription, milliseconds, loadMilliseconds };
  },

  /** The attention maps of every layer. */
  async attend({ image, settings }, report, signal) {
    const { extract } = await opened(settings, report, signal);
    report({ text: "Computing attention" });
    return (await extract.model.forward(inputsOf(extract, image, settings), { outputAttentions: true, signal })).attentions;
  },
});

/** The photo as the model takes it, or `finer` times as large, with positions in between. */
function inputsOf({ model, processor }, image, { finer }) {
  const { imageHeight, imageWidth } = model.config;
  const size = finer === 1 ? {} : { size: { height: imageHeight * finer, width: imageWidth * finer } };
  return { ...processor.preprocess(image, size), interpolatePosEncoding: finer > 1 };
}

/** The model of these settings; opening another closes it. */
async function opened({ finer: _, ...settings }, report, signal) {
  const key = JSON.stringify(settings);
  if (open?.key === key) return open;
  await open?.extract.dispose();
  open = undefined;
  const { model, ...options } = settings, start = performance.now();
  const extract = await pipeline("image-feature-extraction", model, { ...options, progress_callback: loadingReport(report), signal });
  open = { key, extract, loadMilliseconds: performance.now() - start };
  return open;
}
