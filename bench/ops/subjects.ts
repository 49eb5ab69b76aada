/** The ops that are timed: real operands at the sizes of published models, and a part of each small enough for the oracle. */
import type { Backend } from "../../ts-api/src/backends/backend.js";
import { BLOCK, type Dtype } from "../../ts-api/src/core/numerics.js";
import type { DeviceTensor, ElementType } from "../../ts-api/src/ops/contract.js";
import type { OpCall } from "../../ts-api/src/ops/table.js";
import type { OperandFormat } from "../../ts-api/src/ops/quantize-rows.js";
import { operandOf } from "../../ts-api/src/encoder/plan.js";
import { place } from "../../ts-api/src/packing/upload.js";
import { packMatrix, packVector } from "../../ts-api/src/packing/pack.js";
import { gaussArray } from "../../tests/support/random.js";

export interface Placed {
  call: OpCall;
  /** The output that is compared with the oracle's. */
  y: DeviceTensor;
}

export interface Subject {
  /** In words, for the report. */
  size: string;
  /** Allocates and fills on a backend: all of it to be timed, or the part that the oracle computes. */
  place(backend: Backend, part: "whole" | "few"): Promise<Placed>;
  /** From the whole output, the bytes that the oracle's output must equal. */
  few(y: Uint8Array): Uint8Array;
}

/** Rows that the oracle computes. */
const FEW_ROWS = 4;

export function linearSubject(format: Dtype, rows: number, cols: number, inner: number): Subject {
  const size = `${rows}x${cols}x${inner}`;
  const input = gaussArray(size, rows * inner);
  const weights = packMatrix("w", format, gaussArray(`${size} w`, cols * inner, 1 / Math.sqrt(inner)), cols, inner);
  return {
    size,
    async place(backend, part) {
      const count = part === "few" ? FEW_ROWS : rows;
      const { operand: x, blocks } = await quantized(backend, format, input, count, inner);
      const y = empty(backend, "f32", [count, cols]);
      const w = place(backend, weights.w), scales = weights.scales && place(backend, weights.scales);
      const bias = floats(backend, gaussArray(`${size} bias`, cols));
      return { call: { op: "linear", format, rows: count, cols, inner, activation: "none", x, blocks, w, scales, group: weights.group, bias, y }, y };
    },
    few: (y) => y.subarray(0, FEW_ROWS * cols * 4),
  };
}

export function quantizeSubject(format: "bf16" | "int8", rows: number, cols: number): Subject {
  const size = `${rows}x${cols}`;
  const input = gaussArray(size, rows * cols);
  return {
    size,
    async place(backend, part) {
      const { call, operand: y } = quantize(backend, format, input, part === "few" ? FEW_ROWS : rows, cols);
      return { call, y };
    },
    few: (y) => y.subarray(0, FEW_ROWS * cols * (format === "int8" ? 1 : 4)),
  };
}

export function layerNormSubject(rows: number, cols: number): Subject {
  const size = `${rows}x${cols}`;
  const input = gaussArray(size, rows * cols);
  return {
    size,
    async place(backend, part) {
      const count = part === "few" ? FEW_ROWS : rows;
      const x = floats(backend, input.subarray(0, count * cols)), y = empty(backend, "f32", [count, cols]);
      const gamma = floats(backend, gaussArray(`${size} gamma`, cols, 0.3, 1));
      const beta = floats(backend, gaussArray(`${size} beta`, cols));
      return { call: { op: "layer-norm", rows: count, cols, eps: 1e-6, x, gamma, beta, y }, y };
    },
    few: (y) => y.subarray(0, FEW_ROWS * cols * 4),
  };
}

/** The oracle computes the first head only. */
export function attentionSubject(format: "fp32" | "bf16", tokens: number, heads: number, headDim: number): Subject {
  const size = `${tokens} tokens ${heads}x${headDim}`;
  const input = gaussArray(size, tokens * 3 * heads * headDim);
  const firstHead = <T extends Float32Array | Uint8Array>(data: T, width: number, to: T): T => {
    for (let row = 0; row * width < to.length; row++) {
      const from = row * heads * width;
      to.set(data.subarray(from, from + width), row * width);
    }
    return to;
  };
  return {
    size,
    async place(backend, part) {
      const count = part === "few" ? 1 : heads;
      const data = part === "few" ? firstHead(input, headDim, new Float32Array(tokens * 3 * headDim)) : input;
      const x = floats(backend, data), y = empty(backend, "f32", [1, tokens, count, headDim]);
      return { call: { op: "attention", format, batch: 1, tokens, heads: count, headDim, x, y }, y };
    },
    few: (y) => firstHead(y, headDim * 4, new Uint8Array(tokens * headDim * 4)),
  };
}

/** The operand of a linear, as quantize-rows makes it on the same backend. */
async function quantized(backend: Backend, format: Dtype, input: Float32Array, rows: number, cols: number): Promise<Operand> {
  const operand = quantize(backend, operandOf(format), input, rows, cols);
  backend.run(await backend.compile([operand.call]));
  return operand;
}

interface Operand {
  call: OpCall;
  operand: DeviceTensor;
  blocks: DeviceTensor | undefined;
}

function quantize(backend: Backend, format: OperandFormat, input: Float32Array, rows: number, cols: number): Operand {
  const x = floats(backend, input.subarray(0, rows * cols));
  const operand = empty(backend, format === "int8" ? "i8" : "f32", [rows, cols]);
  const blocks = format === "int8" ? empty(backend, "u32", [rows, cols / BLOCK, 2]) : undefined;
  return { call: { op: "quantize-rows", format, rows, cols, inner: cols, x, y: operand, blocks }, operand, blocks };
}

function empty(backend: Backend, type: ElementType, dims: number[]): DeviceTensor {
  return backend.alloc({ name: `${type} of the bench`, type, dims });
}

function floats(backend: Backend, data: Float32Array): DeviceTensor {
  return place(backend, packVector("vector of the bench", data));
}
