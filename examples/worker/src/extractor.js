/** The model, loaded once and used by requests and by the queue's messages. */
import { pipeline } from "ijepa/worker";
import { modelFiles } from "./model-files.js";

/** An isolate has 128 MB, and a decoded photo takes eleven bytes for each pixel: beside a large model there is less room. */
const MAX_PIXELS = { resident: 4e6, streamed: 1e6 };

let extractor;

/** The mean of the patches, of length one. */
export async function embed(photo, env) {
  const extract = await open(env);
  return extract(photo, { pool: "mean", normalize: true, maxPixels: MAX_PIXELS[layers(env)] });
}

async function open(env) {
  extractor ??= pipeline("image-feature-extraction", modelFiles(env), { dtype: env.DTYPE, resident: layers(env) === "resident" });
  try {
    return await extractor;
  } catch (error) {
    extractor = undefined;
    throw error;
  }
}

function layers({ LAYERS }) {
  return LAYERS === "streamed" ? "streamed" : "resident";
}
