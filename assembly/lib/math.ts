/**
 * The functions of the numeric contract, four lanes at a time. Only add, sub, mul, compare and integer operations:
 * each rounds once, in the written order. exp2 and normalTail are in normal-tail.ts.
 *
 * Twins: ts-api/src/backends/oracle/math.ts, gpu/lib/math.wgsl. Same names, same constants, same steps.
 */
import {
  MIN_BITS, MAX_BITS, ROUND_MAGIC, ROUND_MAGIC_BITS, LOG2_E, LN2_HIGH, LN2_LOW, EXP_LIMIT, EXP_FLOOR, EXP_C0, EXP_C1,
  EXP_C2, EXP_C3, EXP_C4, RECIPROCAL_SEED, RSQRT_SEED, HALF, ONE, THREE_HALVES, TWO, MAGNITUDE, SIGN, BF16_BITS, BF16_HALF, BF16_LAST, splat,
} from "./constants";

/** |v| < 2^-50 and -0 become +0; |v| > 2^50, infinities and NaN become +-2^50. */
@inline
export function bound(v: v128): v128 {
  const magnitude = v128.and(v, splat(MAGNITUDE));
  const sign = v128.and(v, splat(SIGN));
  const held = v128.or(sign, i32x4.min_s(magnitude, splat(MAX_BITS)));
  return v128.and(held, i32x4.ge_s(magnitude, splat(MIN_BITS)));
}

/** bound(v), rounded half to even to 8 significant bits. */
@inline
export function roundBf16(v: v128): v128 {
  return roundBounded(bound(v));
}

/** roundBf16(v) for v = bound(v). */
@inline
export function roundBounded(bits: v128): v128 {
  const odd = v128.and(i32x4.shr_u(bits, 16), splat(BF16_LAST));
  return v128.and(i32x4.add(bits, i32x4.add(odd, splat(BF16_HALF))), splat(BF16_BITS));
}

/** One of Horner's scheme: p * x + c, each rounded. */
@inline
export function step(p: v128, x: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(p, x), c);
}

/** Round half to even, as integers, for |v| < 2^22. */
@inline
export function roundToInt(v: v128): v128 {
  return i32x4.sub(f32x4.add(v, splat(ROUND_MAGIC)), splat(ROUND_MAGIC_BITS));
}

/** 2^n * e^r for |r| <= ln(2) / 2 and |n| <= 100; n as integers. */
@inline
function scaledExp(n: v128, r: v128): v128 {
  let p = splat(EXP_C4);
  p = f32x4.add(f32x4.mul(p, r), splat(EXP_C3));
  p = f32x4.add(f32x4.mul(p, r), splat(EXP_C2));
  p = f32x4.add(f32x4.mul(p, r), splat(EXP_C1));
  p = f32x4.add(f32x4.mul(p, r), splat(EXP_C0));
  p = f32x4.add(f32x4.mul(p, r), splat(ONE));
  p = f32x4.add(f32x4.mul(p, r), splat(ONE));
  return i32x4.add(p, i32x4.shl(n, 23));
}

/** e^x, x clamped to +-EXP_LIMIT. */
@inline
export function exp(x: v128): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(x, splat(EXP_FLOOR)), splat(EXP_LIMIT));
  const n = roundToInt(f32x4.mul(clamped, splat(LOG2_E)));
  const real = f32x4.convert_i32x4_s(n);
  const high = f32x4.sub(clamped, f32x4.mul(real, splat(LN2_HIGH)));
  return scaledExp(n, f32x4.sub(high, f32x4.mul(real, splat(LN2_LOW))));
}

/** 1 / v for 2^-100 <= v <= 2^100. */
@inline
export function reciprocal(v: v128): v128 {
  let r = i32x4.sub(splat(RECIPROCAL_SEED), v);
  r = f32x4.mul(r, f32x4.sub(splat(TWO), f32x4.mul(v, r)));
  r = f32x4.mul(r, f32x4.sub(splat(TWO), f32x4.mul(v, r)));
  return f32x4.mul(r, f32x4.sub(splat(TWO), f32x4.mul(v, r)));
}

/** 1 / sqrt(v) for 2^-100 <= v <= 2^120. */
@inline
export function rsqrt(v: v128): v128 {
  const half = f32x4.mul(splat(HALF), v);
  let r = i32x4.sub(splat(RSQRT_SEED), i32x4.shr_u(v, 1));
  r = f32x4.mul(r, f32x4.sub(splat(THREE_HALVES), f32x4.mul(f32x4.mul(half, r), r)));
  r = f32x4.mul(r, f32x4.sub(splat(THREE_HALVES), f32x4.mul(f32x4.mul(half, r), r)));
  return f32x4.mul(r, f32x4.sub(splat(THREE_HALVES), f32x4.mul(f32x4.mul(half, r), r)));
}

/** 1 / (1 + e^-v). */
@inline
export function sigmoid(v: v128): v128 {
  return reciprocal(f32x4.add(splat(ONE), exp(f32x4.neg(v))));
}
