/**
 * Quantizes rows of weights to int4: of 16 candidate scales a group takes the one whose error matters least.
 *
 *   s[j] = roundBf16(extreme * factors[j]), u[k] = w[k] / s[j] rounded half to even and clamped to -8 ... 7, d[k] = w[k] - u[k] s[j]
 *   cost[j] = sum of v d^2 + gainWeight (sum of v w d)^2 / sum of v w^2; the least cost is taken, the first of equals
 *   shift = sum of (w - u s) mean over the row: what the bias has to make up for
 *
 * w [rows][inner] f32, inner a multiple of 32, padded with zeros; importance v and mean [inner] f32; factors [16] f32.
 * codes [rows][inner] u8, u + 8; scales [rows][ceil(inner / group)] bf16; shift [rows] f32. scratch: 144 bytes.
 * Sums in f32, from +0 in order of k; those of the shift in four lanes, k mod 4, then (0 + 1) + (2 + 3).
 * Twin: ts-api/src/quantize/int4.ts.
 */
import { roundBf16, roundToInt } from "../lib/math";
import { cheapest, roundCode, storeReciprocals, sumOfLanes } from "./candidates";

/** Bytes of the 16 candidates. */
const CANDIDATES: usize = 64;
/** The smallest and the largest code. */
const LEAST: f32 = -8, MOST: f32 = 7;

export function quantize_int4(
  w: usize, importance: usize, mean: usize, factors: usize, gainWeight: f32,
  codes: usize, scales: usize, shift: usize, scratch: usize, inner: i32, group: i32, rows: i32,
): void {
  for (let r = 0; r < rows; r++) {
    let missing = f32x4.splat(0);
    for (let first = 0; first < inner; first += group) {
      const from = <usize>first << 2, bytes = <usize>min(group, inner - first) << 2;
      const best = chooseScale(w + from, importance + from, bytes, factors, gainWeight, scratch);
      const s = f32.load(scratch + (best << 2)), inverse = f32.load(scratch + CANDIDATES + (best << 2));
      for (let k: usize = 0; k < bytes; k += 16) {
        const x = v128.load(w + from + k);
        const u = roundCode(x, f32x4.splat(inverse), LEAST, MOST);
        const d = f32x4.sub(x, f32x4.mul(u, f32x4.splat(s)));
        missing = f32x4.add(missing, f32x4.mul(d, v128.load(mean + from + k)));
        const whole = i32x4.add(roundToInt(u), i32x4.splat(8)), narrow = i16x8.narrow_i32x4_s(whole, whole);
        i32.store(codes, i32x4.extract_lane(i8x16.narrow_i16x8_s(narrow, narrow), 0));
        codes += 4;
      }
      i32.store16(scales, reinterpret<i32>(s) >>> 16);
      scales += 2;
    }
    f32.store(shift, sumOfLanes(missing));
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
  for (let j: usize = 0; j < CANDIDATES; j += 16) v128.store(scratch + j, roundBf16(f32x4.mul(f32x4.splat(extreme), v128.load(factors + j))));
  storeReciprocals(scratch, CANDIDATES);
  // 3. the one of least cost
  const gain: f32 = norm > 0 ? gainWeight / norm : 0;
  return cheapest(w, importance, bytes, gain, scratch, CANDIDATES, LEAST, MOST);
}
