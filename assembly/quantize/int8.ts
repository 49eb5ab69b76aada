/**
 * Quantizes rows of weights to int8: of 8 candidate scales a block takes the one whose error matters least.
 *
 *   s[j] = bound(largest / 127, rounded up to 5 significant bits, and steps[j] last bits more)
 *   u[k] = w[k] / s[j] rounded half to even and clamped to -127 ... 127, d[k] = w[k] - u[k] s[j]
 *   cost[j] = sum of v d^2 + gainWeight (sum of v w d)^2 / sum of v w^2; the least cost is taken, the first of equals
 *   shift = sum of (w - u s) mean over the row: what the bias has to make up for
 *
 * w [rows][inner] f32, inner a multiple of 32, padded with zeros; importance v and mean [inner] f32; steps [8] i32, in bits.
 * codes [rows][inner] i8; scales [rows][inner / 32] bf16; shift [rows] f32. scratch: 80 bytes.
 * Sums in f32, from +0 in order of k; those of the shift in four lanes, k mod 4, then (0 + 1) + (2 + 3).
 * Twin: ts-api/src/quantize/int8.ts.
 */
import { bound, roundToInt } from "../lib/math";
import { cheapest, roundCode, storeReciprocals, sumOfLanes } from "./candidates";

const BLOCK_BYTES: usize = 128;
/** The last of the 5 significant bits of a scale. */
const LAST_BIT: i32 = 0x80000;
/** Bytes of the 8 candidates. */
const CANDIDATES: usize = 32;
/** The smallest and the largest code. */
const LEAST: f32 = -127, MOST: f32 = 127;

export function quantize_int8(
  w: usize, importance: usize, mean: usize, steps: usize, gainWeight: f32,
  codes: usize, scales: usize, shift: usize, scratch: usize, inner: i32, rows: i32,
): void {
  const rowBytes = <usize>inner << 2;
  for (let r = 0; r < rows; r++) {
    let missing = f32x4.splat(0);
    for (let from: usize = 0; from < rowBytes; from += BLOCK_BYTES) {
      const best = chooseScale(w + from, importance + from, steps, gainWeight, scratch);
      const s = f32.load(scratch + (best << 2)), inverse = f32.load(scratch + CANDIDATES + (best << 2));
      for (let k = from; k < from + BLOCK_BYTES; k += 16) {
        const x = v128.load(w + k), u = roundCode(x, f32x4.splat(inverse), LEAST, MOST), d = f32x4.sub(x, f32x4.mul(u, f32x4.splat(s)));
        missing = f32x4.add(missing, f32x4.mul(d, v128.load(mean + k)));
        const whole = roundToInt(u), narrow = i16x8.narrow_i32x4_s(whole, whole);
        i32.store(codes, i32x4.extract_lane(i8x16.narrow_i16x8_s(narrow, narrow), 0));
        codes += 4;
      }
      i32.store16(scales, reinterpret<i32>(s) >>> 16);
      scales += 2;
    }
    f32.store(shift, sumOfLanes(missing));
    w += rowBytes;
    shift += 4;
  }
}

/** Number of the best candidate; scratch receives the 8 scales and their reciprocals (0 for a scale of 0). */
@inline
function chooseScale(w: usize, importance: usize, steps: usize, gainWeight: f32, scratch: usize): usize {
  // 1. the largest magnitude, and the norm
  let largest: f32 = 0, norm: f32 = 0;
  for (let k: usize = 0; k < BLOCK_BYTES; k += 4) {
    const x = f32.load(w + k);
    largest = max(largest, abs(x));
    norm += f32.load(importance + k) * x * x;
  }
  // 2. the candidates
  const held = f32x4.extract_lane(bound(f32x4.splat(largest)), 0), start = (reinterpret<i32>(held * <f32>(1.0 / 127.0)) + LAST_BIT - 1) & -LAST_BIT;
  for (let j: usize = 0; j < CANDIDATES; j += 16) {
    v128.store(scratch + j, bound(i32x4.max_s(i32x4.add(i32x4.splat(start), v128.load(steps + j)), i32x4.splat(0))));
  }
  storeReciprocals(scratch, CANDIDATES);
  // 3. the one of least cost
  const gain: f32 = norm > 0 ? gainWeight / norm : 0;
  return cheapest(w, importance, BLOCK_BYTES, gain, scratch, CANDIDATES, LEAST, MOST);
}
