/** The op `quantize-rows`: its call, and its checks. */
import { BLOCK } from "../core/numerics.js";
import { need, needSize, type DeviceTensor, type OpContract } from "./contract.js";

/**
 * Operand forms of a linear:
 * fp32 (bounded f32), bf16 (rounded to bf16, kept as f32), split (two bf16 parts, high then low), int8 (blocks of 32 that
 * share a power of two).
 */
export type OperandFormat = "fp32" | "bf16" | "split" | "int8";

/**
 * Activations to the operand of a linear: x [rows][cols] f32 to y [rows][inner] (split: [rows][2][inner]), zeros from cols on.
 * int8 also writes blocks [rows][inner / 32][2]: f32 2^e, and two i16, -8 * sum of y over k mod 4 in {0, 1} and {2, 3}.
 */
export interface QuantizeRowsCall {
  format: OperandFormat;
  rows: number;
  cols: number;
  /** cols rounded up to a multiple of 32. */
  inner: number;
  x: DeviceTensor;
  y: DeviceTensor;
  blocks?: DeviceTensor | undefined;
}

export const quantizeRows: OpContract<QuantizeRowsCall> = {
  check(call) {
    needSize("quantize-rows", "rows", call.rows);
    needSize("quantize-rows", "cols", call.cols);
    needSize("quantize-rows", "inner", call.inner, BLOCK);
    needSize("quantize-rows", "inner - cols + 1", call.inner - call.cols + 1);
    need("quantize-rows", call.x, "x", "f32", [call.rows, call.cols]);
    need("quantize-rows", call.y, "y", call.format === "int8" ? "i8" : "f32", [call.rows, call.inner * (call.format === "split" ? 2 : 1)]);
    if (call.format === "int8") need("quantize-rows", call.blocks, "blocks", "u32", [call.rows, call.inner / BLOCK, 2]);
  },
  reads: (call) => [call.x],
  results: ({ format, rows, inner, y, blocks }) => {
    const operand = { buffer: "y", tensor: y, dims: [rows, inner * (format === "split" ? 2 : 1)] };
    return blocks === undefined ? [operand] : [operand, { buffer: "blocks", tensor: blocks, dims: [rows, inner / BLOCK, 2] }];
  },
  operations: (call) => call.rows * call.cols,
};
