/**
 * What the quantizers share: the choice among candidate scales, and the rounding of weights to codes. The functions are inlined, so that
 * bounds and sizes are constants of each quantizer. Twin: ts-api/src/quantize/candidates.ts.
 */
import { ROUND_MAGIC, splat } from "../lib/constants";

/**
 * Number of the candidate of least cost, the first of equals. scratch holds `bytes` of scales s [j] f32, then their reciprocals, then
 * room for four costs; gain: gainWeight / norm, 0 without a norm; codes are `least` to `most`.
 */
@inline
export function cheapest(w: usize, importance: usize, length: usize, gain: f32, scratch: usize, bytes: usize, least: f32, most: f32): usize {
  let best: usize = 0, lowest: f32 = Infinity;
  for (let j: usize = 0; j < bytes; j += 16) {
    const s = v128.load(scratch + j), inverse = v128.load(scratch + bytes + j);
    let error = f32x4.splat(0), lost = f32x4.splat(0);
    for (let k: usize = 0; k < length; k += 4) {
      const x = v128.load32_splat(w + k), v = v128.load32_splat(importance + k);
      const d = f32x4.sub(x, f32x4.mul(roundCode(x, inverse, least, most), s));
      error = f32x4.add(error, f32x4.mul(f32x4.mul(v, d), d));
      lost = f32x4.add(lost, f32x4.mul(f32x4.mul(v, x), d));
    }
    const cost = f32x4.add(error, f32x4.mul(f32x4.mul(f32x4.splat(gain), lost), lost)), costs = scratch + 2 * bytes;
    v128.store(costs, cost);
    for (let lane: usize = 0; lane < 4; lane++) {
      const value = f32.load(costs + (lane << 2));
      if (value < lowest) {
        lowest = value;
        best = (j >> 2) + lane;
      }
    }
  }
  return best;
}

/** Writes the reciprocals of `bytes` of scales behind them, 0 for a scale of 0. */
@inline
export function storeReciprocals(scales: usize, bytes: usize): void {
  for (let j = scales; j < scales + bytes; j += 4) {
    const s = f32.load(j);
    f32.store(j + bytes, s == 0 ? 0 : 1 / s);
  }
}

/** x / s, as whole numbers in f32: half to even, `least` to `most`. */
@inline
export function roundCode(x: v128, inverse: v128, least: f32, most: f32): v128 {
  const t = f32x4.pmax(f32x4.pmin(f32x4.mul(x, inverse), f32x4.splat(most)), f32x4.splat(least));
  return f32x4.sub(f32x4.add(t, splat(ROUND_MAGIC)), splat(ROUND_MAGIC));
}

/** The sum of the four lanes: (0 + 1) + (2 + 3). */
@inline
export function sumOfLanes(v: v128): f32 {
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1)) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}
