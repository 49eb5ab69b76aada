/**
 * layer-norm: each row to mean 0 and variance 1, then gain and offset.
 *
 *   mean = sum(x) / cols;  d = bound(x - mean);  var = sum(d^2) / cols
 *   y = bound(d * rsqrt(var + eps)) * gamma + beta
 *
 * x, y [rows][cols] f32; gamma, beta [cols]; `inverse` = f32(1 / cols), a factor in place of both divisions.
 * Order: pinned 32 lanes. Exact class: pinned. Rows begin ... end - 1. scratch: cols rounded up to 32, f32.
 * Twins: ts-api/src/backends/oracle/ops/layer-norm.ts, gpu/ops/layer-norm.wgsl.
 */
import { laneSum, laneSumOfSquares } from "../lib/lanes";
import { bound, rsqrt } from "../lib/math";
import { boundRow, clear } from "../lib/rows";

export function layer_norm(
  x: usize, gamma: usize, beta: usize, y: usize, cols: i32, inverse: f32, eps: f32, scratch: usize, begin: i32, end: i32,
): void {
  const padded = (cols + 31) & ~31, stride = <usize>cols << 2;
  for (let r = begin; r < end; r++) {
    const from = x + stride * <usize>r, to = y + stride * <usize>r;
    // 1. mean
    boundRow(from, scratch, cols, padded);
    const mean = f32x4.splat(laneSum(scratch, padded) * inverse);
    // 2. variance of the differences
    for (let c: usize = 0; c < <usize>padded << 2; c += 16) {
      v128.store(scratch + c, bound(f32x4.sub(v128.load(scratch + c), mean)));
    }
    clear(scratch, cols, padded);
    const variance = laneSumOfSquares(scratch, padded) * inverse;
    // 3. normalise, gain, offset
    const scale = rsqrt(f32x4.splat(variance + eps));
    let c: usize = 0;
    for (; c + 16 <= stride; c += 16) {
      v128.store(to + c, affine(v128.load(scratch + c), scale, v128.load(gamma + c), v128.load(beta + c)));
    }
    for (; c < stride; c += 4) {
      const v = affine(v128.load_zero<f32>(scratch + c), scale, v128.load_zero<f32>(gamma + c), v128.load_zero<f32>(beta + c));
      v128.store_lane<f32>(to + c, v, 0);
    }
  }
}

@inline
function affine(d: v128, scale: v128, gamma: v128, beta: v128): v128 {
  return f32x4.add(f32x4.mul(bound(f32x4.mul(d, scale)), gamma), beta);
}
