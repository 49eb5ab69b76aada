/** The worker that computes one photo, so that the page stays responsive. */
import { loadImage, pcaMap, pipeline, verify } from "./library.js";
import { Handed, loadingReport, serveTasks, unlessStopped } from "./serve-tasks.js";

/** Longest side of a photo as it is shown. */
const SHOWN = 1600;
/** The model that is open, with the settings that opened it. */
let open;
/** The last two photos, by their number: the pixels stay here. */
const photos = new Map();
let count = 0;

serveTasks({
  /** Reads an image file: its number, size, and a picture to show. */
  async decode({ bytes }) {
    const image = await loadImage(bytes), { width, height } = image, scale = Math.min(1, SHOWN / Math.max(width, height));
    photos.set(++count, image);
    photos.delete(count - 2);
    const size = { resizeWidth: Math.max(1, Math.round(width * scale)), resizeHeight: Math.max(1, Math.round(height * scale)), resizeQuality: "high" };
    const picture = await createImageBitmap(withAlpha(image), size);
    return new Handed({ id: count, width, height, picture }, [picture]);
  },

  /** Features of an image, their digest, and what a person may want to know about how they were made. */
  async run({ photo, settings }, report, signal) {
    const { extract, loadMilliseconds } = await opened(settings, report, signal);
    const { model } = extract;
    report({ text: "Computing" });
    const start = performance.now();
    const { lastHiddenState, numerics } = await model.forward(inputsOf(extract, photos.get(photo), settings), { signal });
    const milliseconds = performance.now() - start;
    const { numHiddenLayers: layers, numAttentionHeads: heads } = model.config;
    const columns = model.config.gridWidth * settings.finer, rows = model.config.gridHeight * settings.finer;
    const { deviceDescription, dtype } = model;
    return { features: lastHiddenState, components: pcaMap(lastHiddenState, columns), digest: numerics.digest, dtype, columns, rows, layers, heads, deviceDescription, milliseconds, loadMilliseconds };
  },

  /** The attention maps of every layer. */
  async attend({ photo, settings }, report, signal) {
    const { extract } = await opened(settings, report, signal);
    report({ text: "Computing attention" });
    const { attentions } = await extract.model.forward(inputsOf(extract, photos.get(photo), settings), { outputAttentions: true, signal });
    return new Handed(attentions, [...new Set(attentions.map(({ data }) => data.buffer))]);
  },

  /** Every kernel of this machine, compared op by op. Reports its row, { row }, as `verify` of the library has it. */
  async verify({ photo, settings: { model, dtype } }, report, signal) {
    report({ text: "Trying every kernel" });
    await verify(model, { dtypes: [dtype], image: photos.get(photo), signal, onRow: (row) => report({ row }) });
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
  report({ text: settings.device === "webgpu" ? "Opening WebGPU and trying its kernels" : "Opening the model" });
  const extract = await unlessStopped(pipeline("image-feature-extraction", model, { ...options, progress_callback: loadingReport(report), signal }), signal);
  open = { key, extract, loadMilliseconds: performance.now() - start };
  return open;
}

function withAlpha({ data, width, height }) {
  const pixels = new ImageData(width, height);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    for (let c = 0; c < 3; c++) pixels.data[to + c] = data[from + c];
    pixels.data[to + 3] = 255;
  }
  return pixels;
}
