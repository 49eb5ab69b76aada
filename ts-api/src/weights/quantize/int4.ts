import { bitsOf, fromBits, roundBf16 } from "../../core/float.js";

/** Scales stay within the range of the numeric contract, so that no product with an activation's 2^e is subnormal. */
const SMALLEST_SCALE = 2 ** -50;

/**
 * Quantizes one group: w is about (u - 8) * s, u in 0 ... 15, s in bf16. The value of largest magnitude becomes -8 * s, so s
 * has the opposite sign; the others round to the nearest step, halves away from zero.
 *
 * @param weights the matrix's values; the group is [from, from + count)
 * @param codes receives the codes; places from `count` on are 8, which is zero
 * @returns the bits of s, as bf16
 */
export function quantizeGroup(weights: Float32Array, from: number, count: number, codes: Uint8Array): number {
  let extreme = 0;
  for (let i = from; i < from + count; i++) if (Math.abs(weights[i]) > Math.abs(extreme)) extreme = weights[i];
  codes.fill(8);
  const scale = roundBf16(Math.fround(extreme / -8));
  if (Math.abs(scale) < SMALLEST_SCALE) return 0;
  const inverse = 1 / scale;
  for (let i = 0; i < count; i++) {
    const steps = Math.floor(weights[from + i] * inverse + 8.5);
    codes[i] = steps < 0 ? 0 : steps > 15 ? 15 : steps;
  }
  return bitsOf(scale) >>> 16;
}

/** The value that a code and the bits of its scale stand for. */
export function dequantize(code: number, scaleBits: number): number {
  return (code - 8) * fromBits(scaleBits << 16);
}
