/**
 * The scalar functions of the numeric contract, one rounding at a time.
 *
 * Everything is built from f32 add, subtract, multiply, compare and integer operations on the bits. `Math.fround`
 * around each step makes JavaScript's doubles round as f32 does: the double result of one f32 operation rounds to
 * the same f32 (53 >= 2 * 24 + 2 bits). bound and roundBf16 are in core/float.ts.
 *
 * Twins: assembly/lib/math.ts, gpu/lib/math.wgsl. Constants have the same names and values there (tests/repo).
 */
import { bitsOf, fromBits } from "../../core/float.js";

const fround = Math.fround;

/** 1.5 * 2^23: adding it to |v| < 2^22 leaves round-half-even(v) in the low bits. */
export const ROUND_MAGIC = 12582912;
export const ROUND_MAGIC_BITS = 0x4b400000;

export const LOG2_E = fround(1.4426950408889634);
/** ln 2 in two parts; LN2_HIGH has 10 significant bits, so that n * LN2_HIGH is exact for |n| < 2^14. */
export const LN2_HIGH = 0.693359375;
export const LN2_LOW = fround(-2.1219444e-4);
export const LN2 = fround(0.6931471805599453);
/** exp clamps its argument here: 2^-100 < e^x < 2^100. */
export const EXP_LIMIT = 69;

/** e^r = 1 + r * (1 + r * (C0 + C1 r + ...)) for |r| <= ln(2) / 2, relative error 3e-9. */
export const EXP_C0 = fround(0.4999999403953552);
export const EXP_C1 = fround(0.1666652113199234);
export const EXP_C2 = fround(0.04166838899254799);
export const EXP_C3 = fround(0.008368716575205326);
export const EXP_C4 = fround(0.001381459878757596);

/** log2(erfc(t / sqrt 2) / 2) = C0 + C1 t + ... + C9 t^9 for 0 <= t <= TAIL_LIMIT; error of t * tail(t) under 3e-8. */
export const TAIL_LIMIT = 7;
export const TAIL_C0 = fround(-0.9999997615814209);
export const TAIL_C1 = fround(-1.1511154174804688);
export const TAIL_C2 = fround(-0.4591318964958191);
export const TAIL_C3 = fround(-0.05270823463797569);
export const TAIL_C4 = fround(0.007345029152929783);
export const TAIL_C5 = fround(-0.0003319773531984538);
export const TAIL_C6 = fround(-0.00011634694237727672);
export const TAIL_C7 = fround(2.8404287149896845e-5);
export const TAIL_C8 = fround(-2.7170847261004383e-6);
export const TAIL_C9 = fround(9.988416849182613e-8);

/** The score of a masked key, before it is scaled: below every sum of products (at most 2^124), -2^127. */
export const MASKED_SCORE = -1.7014118346046923e38;

/** Seeds of the Newton iterations: integer guesses within 13 % and 4 %. */
export const RECIPROCAL_SEED = 0x7ef311c7;
export const RSQRT_SEED = 0x5f3759df;

/** Round half to even, for |v| < 2^22. */
export function roundToInt(v: number): number {
  return (bitsOf(fround(v + ROUND_MAGIC)) - ROUND_MAGIC_BITS) | 0;
}

/** 2^n * e^r for |r| <= ln(2) / 2 and |n| <= 100. */
function scaledExp(n: number, r: number): number {
  let p = EXP_C4;
  p = fround(fround(p * r) + EXP_C3);
  p = fround(fround(p * r) + EXP_C2);
  p = fround(fround(p * r) + EXP_C1);
  p = fround(fround(p * r) + EXP_C0);
  p = fround(fround(p * r) + 1);
  p = fround(fround(p * r) + 1);
  return fromBits((bitsOf(p) + (n << 23)) | 0);
}

/** e^x, x clamped to +-EXP_LIMIT. At most 2 ULP from the exact value. */
export function exp(x: number): number {
  const clamped = x < -EXP_LIMIT ? -EXP_LIMIT : x > EXP_LIMIT ? EXP_LIMIT : x;
  const n = roundToInt(fround(clamped * LOG2_E));
  const high = fround(clamped - fround(n * LN2_HIGH));
  return scaledExp(n, fround(high - fround(n * LN2_LOW)));
}

/** 2^x for |x| <= 100. */
export function exp2(x: number): number {
  const n = roundToInt(x);
  return scaledExp(n, fround(fround(x - n) * LN2));
}

/** 1 / v for 2^-100 <= v <= 2^100. At most 2 ULP. */
export function reciprocal(v: number): number {
  let r = fromBits((RECIPROCAL_SEED - bitsOf(v)) | 0);
  for (let step = 0; step < 3; step++) r = fround(r * fround(2 - fround(v * r)));
  return r;
}

/** 1 / sqrt(v) for 2^-100 <= v <= 2^120. At most 2.2 ULP. */
export function rsqrt(v: number): number {
  const half = fround(0.5 * v);
  let r = fromBits((RSQRT_SEED - (bitsOf(v) >>> 1)) | 0);
  for (let step = 0; step < 3; step++) r = fround(r * fround(1.5 - fround(fround(half * r) * r)));
  return r;
}

/** The standard normal's upper tail, erfc(t / sqrt 2) / 2, for t >= 0; constant from TAIL_LIMIT on. */
export function normalTail(t: number): number {
  const u = t > TAIL_LIMIT ? TAIL_LIMIT : t;
  let p = TAIL_C9;
  p = fround(fround(p * u) + TAIL_C8);
  p = fround(fround(p * u) + TAIL_C7);
  p = fround(fround(p * u) + TAIL_C6);
  p = fround(fround(p * u) + TAIL_C5);
  p = fround(fround(p * u) + TAIL_C4);
  p = fround(fround(p * u) + TAIL_C3);
  p = fround(fround(p * u) + TAIL_C2);
  p = fround(fround(p * u) + TAIL_C1);
  p = fround(fround(p * u) + TAIL_C0);
  return exp2(p);
}

/** 1 / (1 + e^-v). */
export function sigmoid(v: number): number {
  return reciprocal(fround(1 + exp(-v)));
}

/** Lanes of a pinned sum. */
export const LANES = 32;

/**
 * Sum of `term(0) ... term(count - 1)`: element i goes to lane i mod 32, each lane adds in order from +0, then lanes
 * l and l + 16 are added, then l and l + 8, 4, 2, 1.
 */
export function laneSum(count: number, term: (index: number) => number): number {
  const lanes = new Float32Array(LANES);
  for (let i = 0; i < count; i++) lanes[i % LANES] += term(i);
  for (let half = LANES / 2; half >= 1; half /= 2) {
    for (let l = 0; l < half; l++) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}
