/** The fixed input for which every encoder's output is hashed, to tell encoders apart. */
import type { IJepaConfig } from "../config/config.js";
import { Tensor } from "../core/tensor.js";

/**
 * Pixels for `probe`, [1, channels, height, width]: steps of 1/64 from -2 to 2, scattered by multiplication with a constant. The digest
 * of the last hidden state for them identifies an encoder by what it computes, with its weights as they are rounded. It also exposes a
 * machine that computes other bits.
 */
export function probePixels({ numChannels: channels, imageHeight: height, imageWidth: width }: IJepaConfig): Tensor<"float32"> {
  const pixels = new Float32Array(channels * height * width);
  for (let i = 0; i < pixels.length; i++) pixels[i] = (Math.imul(i + 1, 0x9e3779b1) >>> 24) / 64 - 2;
  return new Tensor("float32", pixels, [1, channels, height, width]);
}
