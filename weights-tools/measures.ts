/** From two arrays, or two models, to the distance between them. */
import { IJepaError } from "../ts-api/src/core/errors.js";
import type { IJepaConfig } from "../ts-api/src/config/config.js";

/** Sums of squares: of the difference, and of the expected values. */
export function squares(actual: Float32Array, expected: Float32Array): { noise: number; signal: number } {
  let noise = 0, signal = 0;
  for (let i = 0; i < expected.length; i++) {
    noise += (actual[i] - expected[i]) ** 2;
    signal += expected[i] ** 2;
  }
  return { noise, signal };
}

/** The ratio of two sums of squares in dB; infinite without noise. */
export function decibels(signal: number, noise: number): number {
  return 10 * Math.log10(signal / noise);
}

/** The cosine of each row of [rows][width]; 1 if both rows are zero. */
export function rowCosines(a: Float32Array, b: Float32Array, width: number): number[] {
  const cosines: number[] = [];
  for (let row = 0; row < a.length; row += width) {
    let dot = 0, aa = 0, bb = 0;
    for (let i = row; i < row + width; i++) {
      dot += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
    cosines.push(aa === 0 && bb === 0 ? 1 : dot / Math.sqrt(aa * bb));
  }
  return cosines;
}

const SIZES = ["hiddenSize", "intermediateSize", "numHiddenLayers", "numPatches", "patchInputs"] as const;

/** Throws `weights/shape` unless both models have matrices of the same shapes. */
export function checkSameSize(a: IJepaConfig, b: IJepaConfig, name: string): void {
  for (const size of SIZES) {
    if (a[size] === b[size]) continue;
    const message = `${name} is another model: its ${size} is ${b[size]}, not ${a[size]}.`;
    throw new IJepaError("weights/shape", message, { tensor: size, expected: [a[size]], actual: [b[size]] });
  }
}
