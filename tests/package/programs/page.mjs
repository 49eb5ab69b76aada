/** In a browser. Its import map gives "ijepa" the entry that the package has for browsers. */
import { isIJepaError, loadImage, pipeline } from "ijepa";

/** The digests of the demo model: the package's own, or the one in this folder. */
export async function digests(threads, dtypes, photos, model) {
  const digests = {};
  for (const dtype of dtypes) {
    const extract = await pipeline("image-feature-extraction", model, { dtype, threads, device: "wasm" });
    for (const photo of photos) {
      const bytes = await (await fetch(photo)).arrayBuffer();
      digests[`${dtype} ${photo}`] = (await extract(bytes)).numerics.digest;
    }
    await extract.dispose();
  }
  return digests;
}

/** The description of the device that these options open, or the error. */
export async function describe(options) {
  return answerOf(async () => {
    const extract = await pipeline("image-feature-extraction", undefined, { device: "wasm", ...options });
    const { deviceDescription } = extract.model;
    await extract.dispose();
    return deviceDescription;
  });
}

/** Decodes a photo at this URL or path: its width and height, or the error. */
export async function decode(source) {
  return answerOf(async () => {
    const { width, height } = await loadImage(source);
    return [width, height];
  });
}

export async function answerOf(work) {
  try {
    return { value: await work() };
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    return { code: error.code, message: error.message };
  }
}
