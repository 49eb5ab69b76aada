/** The images of a calibration run, synthetic or the user's, as patches. */
import { IJepaError } from "../core/errors.js";
import type { IJepaConfig } from "../config/config.js";
import type { Pixels } from "../encoder/pixels.js";
import { gatherRows, patchesSideBySide } from "../encoder/kept-patches.js";
import { drawPatches, syntheticImages } from "./synthetic-images.js";

/** Patches of each synthetic image, and at least of each given one. */
const KEPT = 32;
/** Most patches of all given images together; it bounds memory and time. If they have more, random patches of every image are used. */
const MAX_ROWS = 1024;
/** Most given images that are used. */
export const MAX_IMAGES = MAX_ROWS / KEPT;

/** Images that are read one at a time. */
export interface ImageList {
  readonly count: number;
  /** Image `index`, of the model's size and preprocessed: [1][channels][height][width]. */
  read(index: number): Promise<Pixels>;
}

/** Indices of the images that are used: all of them, or MAX_IMAGES of `count` at equal distances. */
export function lookedAt(count: number): number[] {
  return Array.from({ length: Math.min(count, MAX_IMAGES) }, (_, i) => Math.floor((i * count) / Math.min(count, MAX_IMAGES)));
}

/** Patches of every image side by side, and the positions of their rows: [images][patches][hidden]. */
export interface PatchImages {
  pixels: Pixels;
  positions: Float32Array;
}

/**
 * @param positions of whole images, [patches][hidden]
 * @throws IJepaError `input/shape` for images of another size, or none
 */
export async function patchImages(config: IJepaConfig, positions: Float32Array, given: Pixels | ImageList | undefined): Promise<PatchImages> {
  const all = listOf(given ?? syntheticImages(config)), numbers = lookedAt(all.count), { patchHeight, patchWidth, numChannels } = config;
  const patches = Math.floor(config.imageHeight / patchHeight) * Math.floor(config.imageWidth / patchWidth);
  const kept = Math.min(patches, given === undefined ? KEPT : Math.floor(MAX_ROWS / Math.max(1, numbers.length)));
  const keep = drawPatches(patches, numbers.length, kept), size = numChannels * patchHeight * kept * patchWidth;
  if (numbers.length === 0) throw wrongImages(config, []);
  const data = new Float32Array(numbers.length * size);
  for (const [i, number] of numbers.entries()) {
    const whole = await all.read(number), actual = [whole.data.length / whole.images, whole.height, whole.width];
    if (actual.join() !== imageSize(config).join()) throw wrongImages(config, actual);
    data.set(patchesSideBySide(config, whole, keep.subarray(i * kept, (i + 1) * kept)).data, i * size);
  }
  return {
    pixels: { data, images: numbers.length, height: patchHeight, width: kept * patchWidth },
    positions: gatherRows(positions, config.hiddenSize, keep),
  };
}

function listOf(images: Pixels | ImageList): ImageList {
  if ("read" in images) return images;
  const { data, images: count, height, width } = images, size = data.length / count;
  return { count, read: async (index) => ({ data: data.subarray(index * size, (index + 1) * size), images: 1, height, width }) };
}

/** Values, height and width. */
function imageSize({ numChannels, imageHeight, imageWidth }: IJepaConfig): readonly number[] {
  return [numChannels * imageHeight * imageWidth, imageHeight, imageWidth];
}

/** @param actual as `imageSize`; empty for no images */
function wrongImages(config: IJepaConfig, actual: readonly number[]): IJepaError<"input/shape"> {
  const [values, height, width] = imageSize(config), expected = `images of ${height}*${width} with ${values} values each`;
  const given = actual.length === 0 ? "none are given" : `one has ${actual[1]}*${actual[2]} with ${actual[0]} values`;
  return new IJepaError("input/shape", `Calibrating takes ${expected}, but ${given}.`, { name: "images", expected, actual });
}
