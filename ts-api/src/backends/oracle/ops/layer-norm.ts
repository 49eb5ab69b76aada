/**
 * layer-norm as plain loops: each row to mean 0 and variance 1, then gain and offset. Twins: assembly/ops/layer-norm.ts,
 * gpu/ops/layer-norm.wgsl.
 */
import { bound } from "../../../core/float.js";
import type { LayerNormCall } from "../../../ops/layer-norm.js";
import { laneSum, rsqrt } from "../math.js";
import { views } from "../tensor.js";

const fround = Math.fround;

export function layerNorm(call: LayerNormCall): void {
  const { rows, cols } = call;
  const x = views(call.x).f32, gamma = views(call.gamma).f32, beta = views(call.beta).f32, y = views(call.y).f32;
  const inverse = fround(1 / cols), eps = fround(call.eps);
  const d = new Float32Array(cols);
  for (let r = 0; r < rows; r++) {
    // 1. mean
    const mean = fround(laneSum(cols, (c) => bound(x[r * cols + c])) * inverse);
    // 2. variance of the differences
    for (let c = 0; c < cols; c++) d[c] = bound(fround(bound(x[r * cols + c]) - mean));
    const variance = fround(laneSum(cols, (c) => fround(d[c] * d[c])) * inverse);
    // 3. normalise, gain, offset
    const scale = rsqrt(fround(variance + eps));
    for (let c = 0; c < cols; c++) y[r * cols + c] = fround(fround(bound(fround(d[c] * scale)) * gamma[c]) + beta[c]);
  }
}
