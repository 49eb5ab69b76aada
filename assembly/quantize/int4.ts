/**
 * Quantizes rows of weights to int4: of 16 candidate scales a group takes the one whose error matters least.
 *
 *   s[j] = roundBf16(extreme * factors[j]), u[k] = w[k] / s[j] rounded half to even and clamped to -8 ... 7, d[k] = w[k] - u[k] s[j]
 *   cost[j] = sum of v d^2 + gainWeight (sum of v w d)^2 / sum of v w^2; the first smallest cost is taken
 *   shift = sum of (w - u s) mean over the row: what the bias has to make up for
 *
 * w [rows][inner] f32, inner a multiple of 32, padded with zeros; importance v and mean [inner] f32; factors [16] f32.
 * codes [rows][inner] u8, u + 8; scales [rows][ceil(inner / group)] bf16; shift [rows] f32. scratch: 144 bytes.
 * Sums in f32, from +0 in order of k; those of the shift in four lanes, k mod 4, then (0 + 1) + (2 + 3).
 * Twin: ts-api/src/quantize/int4.ts.
 */
import { ROUND_MAGIC, splat } from "../lib/constants";
import { roundBf16, roundToInt } from "../lib/math";

export function quantize_int4(
  w: usize, importance: usize, mean: usize, factors: usize, gainWeight: f32,
  codes: usize, scales: usize, shift: usize, scratch: usize, inner: i32, group: i32, rows: i32,
): void {
  for (let r = 0; r < rows; r++) {
    let missing = f32x4.splat(0);
    for (let first = 0; first < inner; first += group) {
      const from = <usize>first << 2, bytes = <usize>min(group, inner - first) << 2;
      const best = chooseScale(w + from, importance + from, bytes, factors, gainWeight, scratch);
      const s = f32.load(scratch + (best << 2)), inverse = f32.load(scratch + (best << 2), 64);
      for (let k: usize = 0; k < bytes; k += 16) {
        const x = v128.load(w + from + k);
        const u = roundCode(x, f32x4.splat(inverse));
        const d = f32x4.sub(x, f32x4.mul(u, f32x4.splat(s)));
        missing = f32x4.add(missing, f32x4.mul(d, v128.load(mean + from + k)));
        const whole = i32x4.add(roundToInt(u), i32x4.splat(8)), narrow = i16x8.narrow_i32x4_s(whole, whole);
        i32.store(codes, i32x4.extract_lane(i8x16.narrow_i16x8_s(narrow, narrow), 0));
        codes += 4;
      }
      i32.store16(scales, reinterpret<i32>(s) >>> 16);
      scales += 2;
    }
    f32.store(shift, (f32x4.extract_lane(missing, 0) + f32x4.extract_lane(missing, 1)) + (f32x4.extract_lane(missing, 2) + f32x4.extract_lane(missing, 3)));
    w += <usize>inner << 2;
    shift += 4;
  }
}

/** Number of the best candidate; scratch receives the 16 scales and their reciprocals (0 for a scale of 0). */
@inline
function chooseScale(w: usize, importance: usize, bytes: usize, factors: usize, gainWeight: f32, scratch: usize): usize {
  // 1. the weight of largest magnitude, and the norm
  let extreme: f32 = 0, norm: f32 = 0;
  for (let k: usize = 0; k < bytes; k += 4) {
    const x = f32.load(w + k);
    if (abs(x) > abs(extreme)) extreme = x;
    norm += f32.load(importance + k) * x * x;
  }
  // 2. the candidates
  for (let j: usize = 0; j < 64; j += 16) v128.store(scratch + j, roundBf16(f32x4.mul(f32x4.splat(extreme), v128.load(factors + j))));
  for (let j: usize = 0; j < 64; j += 4) {
    const s = f32.load(scratch + j);
    f32.store(scratch + j, s == 0 ? 0 : 1 / s, 64);
  }
  // 3. their costs, four at a time
  const gain: f32 = norm > 0 ? gainWeight / norm : 0;
  let best: usize = 0, lowest: f32 = Infinity;
  for (let j: usize = 0; j < 64; j += 16) {
    const s = v128.load(scratch + j), inverse = v128.load(scratch + j, 64);
    let error = f32x4.splat(0), lost = f32x4.splat(0);
    for (let k: usize = 0; k < bytes; k += 4) {
      const x = v128.load32_splat(w + k), v = v128.load32_splat(importance + k);
      const d = f32x4.sub(x, f32x4.mul(roundCode(x, inverse), s));
      error = f32x4.add(error, f32x4.mul(f32x4.mul(v, d), d));
      lost = f32x4.add(lost, f32x4.mul(f32x4.mul(v, x), d));
    }
    const cost = f32x4.add(error, f32x4.mul(f32x4.mul(f32x4.splat(gain), lost), lost));
    v128.store(scratch + 128, cost);
    for (let lane: usize = 0; lane < 4; lane++) {
      const value = f32.load(scratch + 128 + (lane << 2));
      if (value < lowest) {
        lowest = value;
        best = (j >> 2) + lane;
      }
    }
  }
  return best;
}

/** x / s, as whole numbers in f32: half to even, -8 ... 7. */
@inline
function roundCode(x: v128, inverse: v128): v128 {
  const t = f32x4.pmax(f32x4.pmin(f32x4.mul(x, inverse), f32x4.splat(7)), f32x4.splat(-8));
  return f32x4.sub(f32x4.add(t, splat(ROUND_MAGIC)), splat(ROUND_MAGIC));
}
