/**
 * From images and the patches to keep to smaller images: the kept patches side by side, with the positions they have in the whole image.
 */
import { sizeOf } from "../core/tensor.js";
import type { IJepaConfig } from "../config/config.js";
import type { Pixels } from "./pixels.js";

/**
 * @param pixels whole images
 * @param keep [images][kept] numbers of patches, row by row
 * @returns images of one row of `kept` patches
 */
export function patchesSideBySide(config: IJepaConfig, pixels: Pixels, keep: Int32Array): Pixels {
  const { numChannels: channels, patchHeight, patchWidth } = config, { images } = pixels;
  const kept = keep.length / images, gridWidth = Math.floor(pixels.width / patchWidth);
  const width = kept * patchWidth, data = new Float32Array(sizeOf([images, channels, patchHeight, width]));
  for (let image = 0; image < images; image++) {
    for (let place = 0; place < kept; place++) {
      const patch = keep[image * kept + place];
      const top = Math.floor(patch / gridWidth) * patchHeight, left = (patch % gridWidth) * patchWidth;
      for (let c = 0; c < channels; c++) {
        for (let row = 0; row < patchHeight; row++) {
          const from = ((image * channels + c) * pixels.height + top + row) * pixels.width + left;
          const to = ((image * channels + c) * patchHeight + row) * width + place * patchWidth;
          data.set(pixels.data.subarray(from, from + patchWidth), to);
        }
      }
    }
  }
  return { data, images, height: patchHeight, width };
}

/** Rows `keep` of [patches][width]. */
export function gatherRows(rows: Float32Array, width: number, keep: Int32Array): Float32Array {
  const gathered = new Float32Array(keep.length * width);
  keep.forEach((row, i) => gathered.set(rows.subarray(row * width, (row + 1) * width), i * width));
  return gathered;
}
