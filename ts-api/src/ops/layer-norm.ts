/** The op `layer-norm`: its call, its checks, and the operations that it costs. */
import { need, needSize, type DeviceTensor, type OpContract } from "./contract.js";

/** Each row to mean 0 and variance 1, then gain and offset: x, y [rows][cols] f32; gamma, beta [cols]. */
export interface LayerNormCall {
  rows: number;
  cols: number;
  eps: number;
  x: DeviceTensor;
  gamma: DeviceTensor;
  beta: DeviceTensor;
  y: DeviceTensor;
}

export const layerNorm: OpContract<LayerNormCall> = {
  check(call) {
    needSize("layer-norm", "rows", call.rows);
    needSize("layer-norm", "cols", call.cols);
    need("layer-norm", call.x, "x", "f32", [call.rows, call.cols]);
    need("layer-norm", call.gamma, "gamma", "f32", [call.cols]);
    need("layer-norm", call.beta, "beta", "f32", [call.cols]);
    need("layer-norm", call.y, "y", "f32", [call.rows, call.cols]);
  },
  reads: (call) => [call.x, call.gamma, call.beta],
  results: (call) => [{ buffer: "y", tensor: call.y, dims: [call.rows, call.cols] }],
  operations: (call) => 8 * call.rows * call.cols,
};
