/**
 * The standard normal's upper tail, of 48 values at once: each step of a polynomial waits for the one before, and a processor does not
 * look far enough ahead to find other work. So each step is done for twelve vectors, one after the other.
 *
 * Twins: normalTail and exp2 in ts-api/src/backends/oracle/math.ts and gpu/lib/math.wgsl. The same steps on each value.
 */
import { EXP_C4, EXP_ONES, LN2, ROUND_MAGIC, TAIL_C0, TAIL_C9, splat } from "./constants";
import { step } from "./math";

/** Of 48 floats. */
export const BYTES: usize = 192;

/**
 * erfc(t / sqrt 2) / 2 of the 48 floats at `at`, 0 <= t <= TAIL_LIMIT, in two parts: `tail` combines what this leaves at `at` and in
 * `room`, which has the same size.
 */
export function normalTails(at: usize, room: usize): void {
  horner(at, TAIL_C9, TAIL_C0);
  // 2^x = 2^n * e^r
  for (let i: usize = 0; i < BYTES; i += 32) {
    const x0 = v128.load(at + i), x1 = v128.load(at + i, 16), n0 = rounded(x0), n1 = rounded(x1);
    keep(room + i, exponent(n0), exponent(n1));
    keep(at + i, rest(x0, n0), rest(x1, n1));
  }
  horner(at, EXP_C4, EXP_ONES);
}

/** p: e^r, from normalTails' `at`; n, from its `room`. */
@inline
export function tail(p: v128, n: v128): v128 {
  return i32x4.add(p, n);
}

/** c[n] x^n + ... + c[0] by Horner's scheme, two roundings a step, of 48 floats in place. highest, lowest: addresses of c[n], c[0]. */
function horner(at: usize, highest: usize, lowest: usize): void {
  let p0 = splat(highest), p1 = p0, p2 = p0, p3 = p0, p4 = p0, p5 = p0, p6 = p0, p7 = p0, p8 = p0, p9 = p0, p10 = p0, p11 = p0;
  for (let coefficient = highest - 4; coefficient >= lowest; coefficient -= 4) {
    const c = splat(coefficient);
    p0 = step(p0, v128.load(at), c); p1 = step(p1, v128.load(at, 16), c);
    p2 = step(p2, v128.load(at, 32), c); p3 = step(p3, v128.load(at, 48), c);
    p4 = step(p4, v128.load(at, 64), c); p5 = step(p5, v128.load(at, 80), c);
    p6 = step(p6, v128.load(at, 96), c); p7 = step(p7, v128.load(at, 112), c);
    p8 = step(p8, v128.load(at, 128), c); p9 = step(p9, v128.load(at, 144), c);
    p10 = step(p10, v128.load(at, 160), c); p11 = step(p11, v128.load(at, 176), c);
  }
  keep(at, p0, p1);
  keep(at + 32, p2, p3);
  keep(at + 64, p4, p5);
  keep(at + 96, p6, p7);
  keep(at + 128, p8, p9);
  keep(at + 160, p10, p11);
}

/** The upper one first, so that an engine can make one vector of two. */
@inline
function keep(at: usize, v0: v128, v1: v128): void {
  v128.store(at, v1, 16);
  v128.store(at, v0);
}

/** ROUND_MAGIC + n, n the integer nearest to x, which is in the low bits. */
@inline
function rounded(x: v128): v128 {
  return f32x4.add(x, splat(ROUND_MAGIC));
}

/** (x - n) ln 2. */
@inline
function rest(x: v128, rounded: v128): v128 {
  return f32x4.mul(f32x4.sub(x, f32x4.sub(rounded, splat(ROUND_MAGIC))), splat(LN2));
}

/** n at the place of a float's exponent; the shift removes ROUND_MAGIC. */
@inline
function exponent(rounded: v128): v128 {
  return i32x4.shl(rounded, 23);
}
