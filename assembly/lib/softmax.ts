/**
 * The softmax of eight columns side by side, without its last step: p [stride][8], the tokens and then padding up to whole lanes. A
 * vector holds one row of four columns, so nothing moves between its lanes.
 *
 *   p[j] = e^(p[j] * scale - top), top the largest p[j] * scale; rows from `tokens` to `stride` become +0
 *   sums = sum_j p[j] of each column, in the order of laneSum
 *
 * sums [32][8]: the first row is the result, the others are room. Beyond an odd last row one more is read and overwritten.
 *
 * Twins: softmax in ts-api/src/backends/oracle/ops/attention.ts, gpu/ops/attention.wgsl.
 */
import {
  EXP_C0, EXP_C1, EXP_C2, EXP_C3, EXP_C4, EXP_FLOOR, LN2_HIGH, LN2_LOW, LOG2_E, ONE, ROUND_MAGIC, splat,
} from "./constants";
import { laneSums } from "./lanes";
import { step } from "./math";
import { clear } from "./rows";

export function exponentials(p: usize, sums: usize, tokens: i32, stride: i32, scale: v128): void {
  const end = p + (<usize>tokens << 5);
  // 1. the largest score; rounding keeps the order, so it is scaled once
  let top0 = v128.load(p), top1 = v128.load(p, 16);
  for (let at = p + 32; at < end; at += 32) {
    top0 = f32x4.pmax(top0, v128.load(at));
    top1 = f32x4.pmax(top1, v128.load(at, 16));
  }
  top0 = f32x4.mul(top0, scale);
  top1 = f32x4.mul(top1, scale);
  // 2. exponentials and their sum
  for (let at = p; at < end; at += 64) exps(at, scale, top0, top1);
  clear(p, tokens << 3, stride << 3);
  laneSums(p, stride, sums);
}

/**
 * Two rows: the steps of exp (lib/math.ts) on four vectors one after the other, because each waits for the one before it. No value is
 * above 0, so only the lower limit is checked. n is in the low bits of `whole`, and the shift removes the rest.
 */
@inline
function exps(at: usize, scale: v128, top0: v128, top1: v128): void {
  let a = splat(EXP_FLOOR);
  const x0 = f32x4.pmax(f32x4.sub(f32x4.mul(v128.load(at), scale), top0), a);
  const x1 = f32x4.pmax(f32x4.sub(f32x4.mul(v128.load(at, 16), scale), top1), a);
  const x2 = f32x4.pmax(f32x4.sub(f32x4.mul(v128.load(at, 32), scale), top0), a);
  const x3 = f32x4.pmax(f32x4.sub(f32x4.mul(v128.load(at, 48), scale), top1), a);
  a = splat(LOG2_E); let b = splat(ROUND_MAGIC);
  const whole0 = step(x0, a, b), whole1 = step(x1, a, b), whole2 = step(x2, a, b), whole3 = step(x3, a, b);
  const n0 = f32x4.sub(whole0, b), n1 = f32x4.sub(whole1, b), n2 = f32x4.sub(whole2, b), n3 = f32x4.sub(whole3, b);
  a = splat(LN2_HIGH); b = splat(LN2_LOW);
  const r0 = rest(x0, n0, a, b), r1 = rest(x1, n1, a, b), r2 = rest(x2, n2, a, b), r3 = rest(x3, n3, a, b);
  a = splat(EXP_C4); let p0 = a, p1 = a, p2 = a, p3 = a;
  a = splat(EXP_C3); p0 = step(p0, r0, a); p1 = step(p1, r1, a); p2 = step(p2, r2, a); p3 = step(p3, r3, a);
  a = splat(EXP_C2); p0 = step(p0, r0, a); p1 = step(p1, r1, a); p2 = step(p2, r2, a); p3 = step(p3, r3, a);
  a = splat(EXP_C1); p0 = step(p0, r0, a); p1 = step(p1, r1, a); p2 = step(p2, r2, a); p3 = step(p3, r3, a);
  a = splat(EXP_C0); p0 = step(p0, r0, a); p1 = step(p1, r1, a); p2 = step(p2, r2, a); p3 = step(p3, r3, a);
  a = splat(ONE); p0 = step(p0, r0, a); p1 = step(p1, r1, a); p2 = step(p2, r2, a); p3 = step(p3, r3, a);
  p0 = step(p0, r0, a); p1 = step(p1, r1, a); p2 = step(p2, r2, a); p3 = step(p3, r3, a);
  v128.store(at, i32x4.add(p1, i32x4.shl(whole1, 23)), 16);
  v128.store(at, i32x4.add(p0, i32x4.shl(whole0, 23)));
  v128.store(at, i32x4.add(p3, i32x4.shl(whole3, 23)), 48);
  v128.store(at, i32x4.add(p2, i32x4.shl(whole2, 23)), 32);
}

/** x - n ln 2. */
@inline
function rest(x: v128, n: v128, high: v128, low: v128): v128 {
  return f32x4.sub(f32x4.sub(x, f32x4.mul(n, high)), f32x4.mul(n, low));
}
