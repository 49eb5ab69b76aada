import { BLOCK, PANEL, roundUp, type Dtype } from "../core/numerics.js";
import { ACTIVATIONS, type Activation } from "./activation.js";
import { need, needSize, type DeviceTensor, type OpContract } from "./contract.js";

/**
 * y = activation(x W^T + bias), or residual + that: x [rows][inner] as quantize-rows leaves it, y [rows][cols] f32.
 *
 * Weights come in panels of 8 columns (docs/weights-format.md): fp32 and bf16 w [panels][inner][8]; int4 w
 * [panels][inner / 4][16] bytes of two u4, scales [panels][inner / 32][8] bf16, W = (u - 8) * s. bias [panels * 8].
 * residual [residualRows][cols]: row r adds row r mod residualRows. It must not be y.
 */
export interface LinearCall {
  format: Dtype;
  rows: number;
  cols: number;
  inner: number;
  activation: Activation;
  x: DeviceTensor;
  /** int4: the exponents and corrections of x. */
  blocks?: DeviceTensor | undefined;
  w: DeviceTensor;
  /** int4: one bf16 a column and block of 32 inputs. */
  scales?: DeviceTensor | undefined;
  bias: DeviceTensor;
  residual?: DeviceTensor | undefined;
  residualRows?: number | undefined;
  y: DeviceTensor;
}

export const linear: OpContract<LinearCall> = {
  check(call) {
    needSize("linear", "rows", call.rows);
    needSize("linear", "cols", call.cols);
    needSize("linear", "inner", call.inner, BLOCK);
    if (!(call.activation in ACTIVATIONS)) throw new TypeError(`linear: no activation "${call.activation}".`);
    const panels = roundUp(call.cols, PANEL) / PANEL;
    if (call.format === "int4") {
      need("linear", call.x, "x", "i8", [call.rows, call.inner]);
      need("linear", call.blocks, "blocks", "u32", [call.rows, call.inner / BLOCK, 2]);
      need("linear", call.w, "w", "u8", [panels, call.inner / 4, 16]);
      need("linear", call.scales, "scales", "bf16", [panels, call.inner / BLOCK, PANEL]);
    } else {
      need("linear", call.x, "x", "f32", [call.rows, call.inner]);
      need("linear", call.w, "w", call.format === "bf16" ? "bf16" : "f32", [panels, call.inner, PANEL]);
    }
    need("linear", call.bias, "bias", "f32", [panels * PANEL]);
    if (call.residual !== undefined) {
      needSize("linear", "residualRows", call.residualRows ?? 0);
      need("linear", call.residual, "residual", "f32", [call.residualRows ?? 0, call.cols]);
      if (call.residual === call.y) throw new TypeError("linear: residual and y must be two tensors.");
    }
    need("linear", call.y, "y", "f32", [call.rows, call.cols]);
  },
  reads: (call) => [call.x, call.blocks, call.w, call.scales, call.bias, call.residual].filter((tensor) => tensor !== undefined),
  results: (call) => [{ buffer: "y", tensor: call.y, dims: [call.rows, call.cols] }],
  operations: (call) => 2 * call.rows * call.cols * call.inner,
};
