/** The op `linear`: its call, its checks, and the operations that it costs. */
import { isCodebook } from "../core/codebooks.js";
import { BLOCK, GROUPS, isInteger, PANEL, roundUp, type Dtype, type Group } from "../core/numerics.js";
import { ACTIVATIONS, type Activation } from "./activation.js";
import { need, needSize, type DeviceTensor, type OpContract } from "./contract.js";

/**
 * y = activation(x W^T + bias), or residual + that: x [rows][inner] as quantize-rows leaves it, y [rows][cols] f32.
 *
 * Weights come in panels of 8 columns (docs/weights-format.md): fp32 and bf16 w [panels][inner][8]; int8 w [panels][inner / 4][32]
 * bytes and scales [panels][inner / 32][8]: W = u * s, s the upper 5 significant bits of a bf16; four-bit w [panels][inner / 4][16]
 * bytes of two u4 and scales [panels][inner / group, rounded up][8]: int4 W = (u - 8) * s, s in bf16; nf4 and fp4
 * W = bf16(codebook[u] * s), s in f32, finite. bias [panels * 8].
 * residual [residualRows][cols]: row r adds row r mod residualRows. It must not be y.
 */
export interface LinearCall {
  format: Dtype;
  rows: number;
  cols: number;
  inner: number;
  activation: Activation;
  x: DeviceTensor;
  /** int8 and int4: the exponents of x, and corrections that int4 needs. */
  blocks?: DeviceTensor | undefined;
  w: DeviceTensor;
  /** Formats of 8 and 4 bits: one scale for each column and group of inputs. */
  scales?: DeviceTensor | undefined;
  /** Four-bit formats: inputs that share a scale. Default 32, which int8 always has. */
  group?: Group | undefined;
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
    checkGroup(call);
    const panels = roundUp(call.cols, PANEL) / PANEL;
    if (isInteger(call.format)) {
      need("linear", call.x, "x", "i8", [call.rows, call.inner]);
      need("linear", call.blocks, "blocks", "u32", [call.rows, call.inner / BLOCK, 2]);
    } else {
      need("linear", call.x, "x", "f32", [call.rows, call.inner]);
    }
    if (isInteger(call.format) || isCodebook(call.format)) {
      if (call.format === "int8") need("linear", call.w, "w", "i8", [panels, call.inner / 4, 32]);
      else need("linear", call.w, "w", "u8", [panels, call.inner / 4, 16]);
      need("linear", call.scales, "scales", isInteger(call.format) ? "bf16" : "f32", [panels, scaleGroups(call), PANEL]);
    } else {
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

/** Number of groups of inputs of a column, which is its number of scales. */
export function scaleGroups({ inner, group = BLOCK }: Pick<LinearCall, "inner" | "group">): number {
  return Math.ceil(inner / group);
}

function checkGroup({ format, group = BLOCK }: Pick<LinearCall, "format" | "group">): void {
  const known: readonly number[] = format === "int8" ? [BLOCK] : GROUPS;
  if (!known.includes(group)) throw new TypeError(`linear: group must be ${known.join(" or ")}, not ${group}.`);
}
