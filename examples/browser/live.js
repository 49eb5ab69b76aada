/** A worker that looks at a camera's frames on one device. */
import { createFilmColours } from "./components.js";
import { pipeline } from "./library.js";
import { loadingReport, serveTasks } from "./serve-tasks.js";

let extract;
const coloursOf = createFilmColours();

serveTasks({
  /** @returns the device and the size of the frames that the model takes */
  async open({ settings: { model, dtype, device, threads } }, report, signal) {
    extract = await pipeline("image-feature-extraction", model, { dtype, device, threads, progress_callback: loadingReport(report), signal });
    const { deviceDescription, config: { imageWidth, imageHeight } } = extract.model;
    return { deviceDescription, width: imageWidth, height: imageHeight };
  },

  /** @param image of the model's size, or a multiple of it: patches are finer then */
  async see({ image: { data, width, height } }) {
    const { model, processor } = extract, { config } = model, start = performance.now();
    const { pixelValues } = processor.preprocess({ data: withoutAlpha(data), width, height, channels: 3 }, { size: { width, height } });
    const { lastHiddenState, numerics } = await model.forward({ pixelValues, interpolatePosEncoding: width !== config.imageWidth });
    const columns = (config.gridWidth * width) / config.imageWidth, rows = (config.gridHeight * height) / config.imageHeight;
    return { map: { data: coloursOf(lastHiddenState.data, columns * rows), width: columns, height: rows, channels: 3 }, digest: numerics.digest, milliseconds: performance.now() - start };
  },
});

function withoutAlpha(data) {
  const rgb = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) for (let c = 0; c < 3; c++) rgb[to + c] = data[from + c];
  return rgb;
}
