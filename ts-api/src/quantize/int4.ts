/**
 * Weights to int4, in groups of 32 or 64 inputs of one output: w is about (u - 8) s, u in 0 ... 15, s in bf16 with a free sign.
 *
 * Of 16 candidate scales a group takes the one whose error matters least to the outputs. Every input is weighted by how much it varies
 * (`importance`). An error proportional to the weights themselves counts extra, because it adds up over the inputs of a trained matrix
 * while others cancel. The bias corrects the mean error of rounding (`shift`). docs/quantization.md has the formulas and the reasons.
 *
 * This is the readable twin; models are quantized by assembly/quantize/int4.ts, to the same words.
 */
import { bitsOf, fromBits, roundBf16 } from "../core/float.js";
import { BLOCK, roundUp, type Group } from "../core/numerics.js";
import { cheapest, GAIN_WEIGHT, padInputs, reciprocal, roundCode, type CodeRange, type InputWeights } from "./candidates.js";

const fround = Math.fround;

const CODES: CodeRange = { least: -8, most: 7 };

/** Shares of the full range that the candidate scales cover. The first is tried first, and wins if all cost the same. */
const RANGES = [1, 0.85, 0.88, 0.91, 0.94, 0.97, 1.03, 1.06];
/** Scale over the weight of largest magnitude: it becomes code -8 at range 1, or code 7 with the other sign. */
export const FACTORS = Float32Array.from([...RANGES.map((range) => -range / 8), ...RANGES.map((range) => range / 7)]);

/** A matrix in int4. */
export interface Int4Matrix {
  group: Group;
  /** [cols][inner], 0 ... 15; inner is the inputs, rounded up to a multiple of 32. Padding has code 8, which is zero. */
  codes: Uint8Array;
  /** [cols][ceil(inner / group)], the bits of bf16. */
  scales: Uint16Array;
  /** [cols] f32: expected output of the original minus that of the rounded weights; it is added to the bias. */
  shift: Float32Array;
}

/**
 * @param data [cols][inputs] f32, finite
 * @param weights of the inputs; without them all count the same and are expected to be zero
 */
export function quantizeInt4(data: Float32Array, cols: number, inputs: number, group: Group, weights?: InputWeights): Int4Matrix {
  const inner = roundUp(inputs, BLOCK), groups = Math.ceil(inner / group);
  const { importance, mean } = padInputs(weights, inputs, inner);
  const codes = new Uint8Array(cols * inner), scales = new Uint16Array(cols * groups), shift = new Float32Array(cols);
  const row = new Float32Array(inner);
  for (let c = 0; c < cols; c++) {
    row.set(data.subarray(c * inputs, (c + 1) * inputs));
    const missing = new Float32Array(4);
    for (let g = 0; g < groups; g++) {
      const first = g * group, end = Math.min(inner, first + group);
      const scale = chooseScale(row.subarray(first, end), importance.subarray(first, end)), inverse = reciprocal(scale);
      for (let k = first; k < end; k++) {
        const u = roundCode(row[k], inverse, CODES);
        codes[c * inner + k] = u + 8;
        missing[k % 4] += fround(fround(row[k] - u * scale) * mean[k]);
      }
      scales[c * groups + g] = bitsOf(scale) >>> 16;
    }
    shift[c] = fround(missing[0] + missing[1]) + fround(missing[2] + missing[3]);
  }
  return { group, codes, scales, shift };
}

/** The candidate of least cost for one group. */
function chooseScale(w: Float32Array, importance: Float32Array): number {
  // 1. the weight of largest magnitude, and the norm
  let extreme = 0, norm = 0;
  for (let k = 0; k < w.length; k++) {
    if (Math.abs(w[k]) > Math.abs(extreme)) extreme = w[k];
    norm = fround(norm + fround(fround(importance[k] * w[k]) * w[k]));
  }
  // 2. the candidates, 3. the one of least cost
  const gain = norm > 0 ? fround(GAIN_WEIGHT / norm) : 0;
  return cheapest(w, importance, gain, Array.from(FACTORS, (factor) => roundBf16(fround(extreme * factor))), CODES);
}

/** The value of a code (0 ... 15) with the bits of its scale. */
export function dequantize(code: number, scaleBits: number): number {
  return (code - 8) * fromBits(scaleBits << 16);
}
