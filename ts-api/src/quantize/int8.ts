/**
 * Weights to int8, in blocks of 32 inputs of one output: w is about u s, u in -127 ... 127, s with 5 significant bits, so that the
 * kernels' products of s with the sum of a block are exact.
 *
 * Of 8 candidate scales, the first that holds the largest weight and its neighbours, a block takes the one of least cost. Costs and the
 * correction of the bias are those of int4 (int4.ts).
 *
 * This is the readable twin; models are quantized by assembly/quantize/int8.ts, to the same words.
 */
import { bitsOf, bound, fromBits } from "../core/float.js";
import { BLOCK, roundUp } from "../core/numerics.js";
import { cheapest, GAIN_WEIGHT, padInputs, reciprocal, roundCode, type CodeRange, type InputWeights } from "./candidates.js";

const fround = Math.fround;

export const MOST = 127;
const CODES: CodeRange = { least: -MOST, most: MOST };
/** The last of the 5 significant bits of a scale. */
const LAST_BIT = 0x80000;
/** Distance of each candidate from the bits of the first, which is tried first and wins if all cost the same. */
export const STEPS = Int32Array.of(0, -1, -2, -3, -4, 1, 2, 3).map((step) => step * LAST_BIT);

/** A matrix in int8. */
export interface Int8Matrix {
  /** [cols][inner]; inner is the inputs, rounded up to a multiple of 32. Padding is 0. */
  codes: Int8Array;
  /** [cols][inner / 32], the bits of bf16. */
  scales: Uint16Array;
  /** [cols] f32: expected output of the original minus that of the rounded weights; it is added to the bias. */
  shift: Float32Array;
}

/**
 * @param data [cols][inputs] f32, finite
 * @param weights of the inputs; without them all count the same and are expected to be zero
 */
export function quantizeInt8(data: Float32Array, cols: number, inputs: number, weights?: InputWeights): Int8Matrix {
  const inner = roundUp(inputs, BLOCK), blocks = inner / BLOCK;
  const { importance, mean } = padInputs(weights, inputs, inner);
  const codes = new Int8Array(cols * inner), scales = new Uint16Array(cols * blocks), shift = new Float32Array(cols);
  const row = new Float32Array(inner);
  for (let c = 0; c < cols; c++) {
    row.set(data.subarray(c * inputs, (c + 1) * inputs));
    const missing = new Float32Array(4);
    for (let block = 0; block < blocks; block++) {
      const first = block * BLOCK, end = first + BLOCK;
      const scale = chooseScale(row.subarray(first, end), importance.subarray(first, end)), inverse = reciprocal(scale);
      for (let k = first; k < end; k++) {
        const u = roundCode(row[k], inverse, CODES);
        codes[c * inner + k] = u;
        missing[k % 4] += fround(fround(row[k] - fround(u * scale)) * mean[k]);
      }
      scales[c * blocks + block] = bitsOf(scale) >>> 16;
    }
    shift[c] = fround(missing[0] + missing[1]) + fround(missing[2] + missing[3]);
  }
  return { codes, scales, shift };
}

/** The candidate of least cost for one block. */
function chooseScale(w: Float32Array, importance: Float32Array): number {
  // 1. the largest magnitude, and the norm
  let largest = 0, norm = 0;
  for (let k = 0; k < w.length; k++) {
    largest = Math.max(largest, Math.abs(w[k]));
    norm = fround(norm + fround(fround(importance[k] * w[k]) * w[k]));
  }
  // 2. the candidates, 3. the one of least cost
  const gain = norm > 0 ? fround(GAIN_WEIGHT / norm) : 0;
  const start = (bitsOf(fround(bound(largest) * fround(1 / MOST))) + LAST_BIT - 1) & -LAST_BIT;
  return cheapest(w, importance, gain, Array.from(STEPS, (step) => bound(fromBits(Math.max(0, start + step)))), CODES);
}
