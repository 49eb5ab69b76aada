/**
 * The functions of the numeric contract, four lanes at a time. Only add, sub, mul, compare and integer operations:
 * each rounds once, in the written order.
 *
 * Twins: ts-api/src/backends/oracle/math.ts, gpu/lib/math.wgsl. Same names, same constants, same steps.
 */

export const MIN_BITS: i32 = 0x26800000;
export const MAX_BITS: i32 = 0x58800000;
export const ROUND_MAGIC: f32 = 12582912;
export const ROUND_MAGIC_BITS: i32 = 0x4b400000;

export const LOG2_E: f32 = 1.4426950408889634;
export const LN2_HIGH: f32 = 0.693359375;
export const LN2_LOW: f32 = -2.1219444e-4;
export const LN2: f32 = 0.6931471805599453;
export const EXP_LIMIT: f32 = 69;

export const EXP_C0: f32 = 0.4999999403953552;
export const EXP_C1: f32 = 0.1666652113199234;
export const EXP_C2: f32 = 0.04166838899254799;
export const EXP_C3: f32 = 0.008368716575205326;
export const EXP_C4: f32 = 0.001381459878757596;

export const TAIL_LIMIT: f32 = 7;
export const TAIL_C0: f32 = -0.9999997615814209;
export const TAIL_C1: f32 = -1.1511154174804688;
export const TAIL_C2: f32 = -0.4591318964958191;
export const TAIL_C3: f32 = -0.05270823463797569;
export const TAIL_C4: f32 = 0.007345029152929783;
export const TAIL_C5: f32 = -0.0003319773531984538;
export const TAIL_C6: f32 = -0.00011634694237727672;
export const TAIL_C7: f32 = 2.8404287149896845e-5;
export const TAIL_C8: f32 = -2.7170847261004383e-6;
export const TAIL_C9: f32 = 9.988416849182613e-8;

export const RECIPROCAL_SEED: i32 = 0x7ef311c7;
export const RSQRT_SEED: i32 = 0x5f3759df;

/** |v| < 2^-50 and -0 become +0; |v| > 2^50, infinities and NaN become +-2^50. */
@inline
export function bound(v: v128): v128 {
  const magnitude = v128.and(v, i32x4.splat(0x7fffffff));
  const sign = v128.and(v, i32x4.splat(<i32>0x80000000));
  const held = v128.or(sign, i32x4.min_s(magnitude, i32x4.splat(MAX_BITS)));
  return v128.and(held, i32x4.ge_s(magnitude, i32x4.splat(MIN_BITS)));
}

/** bound(v), rounded half to even to 8 significant bits. */
@inline
export function roundBf16(v: v128): v128 {
  const bits = bound(v);
  const odd = v128.and(i32x4.shr_u(bits, 16), i32x4.splat(1));
  return v128.and(i32x4.add(bits, i32x4.add(odd, i32x4.splat(0x7fff))), i32x4.splat(<i32>0xffff0000));
}

/** Round half to even, as integers, for |v| < 2^22. */
@inline
export function roundToInt(v: v128): v128 {
  return i32x4.sub(f32x4.add(v, f32x4.splat(ROUND_MAGIC)), i32x4.splat(ROUND_MAGIC_BITS));
}

/** 2^n * e^r for |r| <= ln(2) / 2 and |n| <= 100; n as integers. */
@inline
function scaledExp(n: v128, r: v128): v128 {
  let p = f32x4.splat(EXP_C4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(EXP_C3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(EXP_C2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(EXP_C1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(EXP_C0));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  return i32x4.add(p, i32x4.shl(n, 23));
}

/** e^x, x clamped to +-EXP_LIMIT. */
@inline
export function exp(x: v128): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-EXP_LIMIT)), f32x4.splat(EXP_LIMIT));
  const n = roundToInt(f32x4.mul(clamped, f32x4.splat(LOG2_E)));
  const real = f32x4.convert_i32x4_s(n);
  const high = f32x4.sub(clamped, f32x4.mul(real, f32x4.splat(LN2_HIGH)));
  return scaledExp(n, f32x4.sub(high, f32x4.mul(real, f32x4.splat(LN2_LOW))));
}

/** 2^x for |x| <= 100. */
@inline
export function exp2(x: v128): v128 {
  const n = roundToInt(x);
  return scaledExp(n, f32x4.mul(f32x4.sub(x, f32x4.convert_i32x4_s(n)), f32x4.splat(LN2)));
}

/** 1 / v for 2^-100 <= v <= 2^100. */
@inline
export function reciprocal(v: v128): v128 {
  let r = i32x4.sub(i32x4.splat(RECIPROCAL_SEED), v);
  r = f32x4.mul(r, f32x4.sub(f32x4.splat(2), f32x4.mul(v, r)));
  r = f32x4.mul(r, f32x4.sub(f32x4.splat(2), f32x4.mul(v, r)));
  return f32x4.mul(r, f32x4.sub(f32x4.splat(2), f32x4.mul(v, r)));
}

/** 1 / sqrt(v) for 2^-100 <= v <= 2^120. */
@inline
export function rsqrt(v: v128): v128 {
  const half = f32x4.mul(f32x4.splat(0.5), v);
  let r = i32x4.sub(i32x4.splat(RSQRT_SEED), i32x4.shr_u(v, 1));
  r = f32x4.mul(r, f32x4.sub(f32x4.splat(1.5), f32x4.mul(f32x4.mul(half, r), r)));
  r = f32x4.mul(r, f32x4.sub(f32x4.splat(1.5), f32x4.mul(f32x4.mul(half, r), r)));
  return f32x4.mul(r, f32x4.sub(f32x4.splat(1.5), f32x4.mul(f32x4.mul(half, r), r)));
}

/** The standard normal's upper tail, erfc(t / sqrt 2) / 2, for t >= 0. */
@inline
export function normalTail(t: v128): v128 {
  const u = f32x4.pmin(t, f32x4.splat(TAIL_LIMIT));
  let p = f32x4.splat(TAIL_C9);
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C8));
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C7));
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C6));
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C5));
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C4));
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C3));
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C2));
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C1));
  p = f32x4.add(f32x4.mul(p, u), f32x4.splat(TAIL_C0));
  return exp2(p);
}

/** 1 / (1 + e^-v). */
@inline
export function sigmoid(v: v128): v128 {
  return reciprocal(f32x4.add(f32x4.splat(1), exp(f32x4.neg(v))));
}
