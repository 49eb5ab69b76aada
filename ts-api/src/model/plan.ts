/**
 * The encoder as data: from a configuration and a dtype to lists of op calls. Nothing here computes; any backend runs the
 * lists, and every backend gets the same ones.
 */
import type { Dtype } from "../core/numerics.js";
import { BLOCK, roundUp } from "../core/numerics.js";
import { activationOf, type Activation } from "../ops/activation.js";
import type { DeviceTensor, TensorDesc } from "../ops/contract.js";
import type { OperandFormat } from "../ops/quantize-rows.js";
import type { CallOf, OpCall } from "../ops/table.js";
import type { IJepaConfig } from "./config.js";
import type { EmbeddingWeights, LayerWeights, LinearWeights, NormWeights } from "./weights.js";

/** What one pass computes: images of one size. */
export interface PassSize {
  batch: number;
  height: number;
  width: number;
  /** Whole patches of one image. */
  tokens: number;
}

export function passSize(config: IJepaConfig, batch: number, height: number, width: number): PassSize {
  return { batch, height, width, tokens: Math.floor(height / config.patchHeight) * Math.floor(width / config.patchWidth) };
}

/** Everything a pass over `batch` images needs beside the weights. */
export interface Buffers {
  pixels: DeviceTensor;
  /** The residual stream, and its other half: each half layer reads one and writes the other. */
  hidden: DeviceTensor;
  middle: DeviceTensor;
  normed: DeviceTensor;
  /** Patches, then q k v, then the MLP's inside. */
  wide: DeviceTensor;
  operand: DeviceTensor;
  /** int4 only: int8 operands and their exponents. */
  operandInt8?: DeviceTensor;
  blocks?: DeviceTensor;
}

/** The form in which activations enter a matrix of this format. */
export function operandOf(format: Dtype): OperandFormat {
  if (format === "fp32") return "fp32";
  return format === "int4" ? "int8" : "bf16";
}

/**
 * Patch embedding and attention, whose matrices are not in four bits: bf16 where all is made to be fast; fp32 beside nf4 and fp4, as in
 * transformers, which computes only the quantized linears in bf16.
 */
export function restFormat(dtype: Dtype): "fp32" | "bf16" {
  return dtype === "bf16" || dtype === "int4" ? "bf16" : "fp32";
}

export function bufferDescs(config: IJepaConfig, dtype: Dtype, size: PassSize): Record<keyof Buffers, TensorDesc | undefined> {
  const rows = size.batch * size.tokens, { hiddenSize: hidden, intermediateSize: mlp, patchInputs } = config;
  const f32 = (name: string, ...dims: number[]): TensorDesc => ({ name, type: "f32", dims });
  const inner = Math.max(roundUp(hidden, BLOCK), roundUp(mlp, BLOCK));
  const split = restFormat(dtype) === "bf16" ? 2 : 1;
  const patchInner = split * roundUp(patchInputs, BLOCK);
  const int4 = dtype === "int4";
  return {
    pixels: f32("pixels", size.batch, config.numChannels, size.height, size.width),
    hidden: f32("hidden", rows, hidden),
    middle: f32("middle", rows, hidden),
    normed: f32("normed", rows, hidden),
    wide: f32("wide", rows, Math.max(3 * hidden, mlp, patchInputs)),
    operand: f32("operand", rows, int4 ? patchInner : Math.max(inner, patchInner)),
    operandInt8: int4 ? { name: "int8 operand", type: "i8", dims: [rows, inner] } : undefined,
    blocks: int4 ? { name: "blocks", type: "u32", dims: [rows, inner / BLOCK, 2] } : undefined,
  };
}

/** Pixels to patch embeddings with positions ([positionRows][hidden]: [tokens] for all images, or [batch][tokens]), in `hidden`. */
export function embeddingCalls(
  config: IJepaConfig, size: PassSize, weights: EmbeddingWeights, positions: DeviceTensor, positionRows: number, buffers: Buffers,
): OpCall[] {
  const { pixels, wide, operand, hidden } = buffers;
  const { numChannels: channels, patchHeight, patchWidth } = config;
  const { batch, height, width, tokens } = size;
  const rows = batch * tokens, cols = config.patchInputs, inner = roundUp(cols, BLOCK);
  const format = weights.patches.format === "bf16" ? "split" : "fp32";
  return [
    { op: "patchify", batch, channels, height, width, patchHeight, patchWidth, x: pixels, y: wide },
    { op: "quantize-rows", format, rows, cols, inner, x: wide, y: operand },
    linearCall(rows, weights.patches, operand, undefined, hidden, "none", positions, positionRows),
  ];
}

/** What a layer's attention takes or gives beyond its result: see AttentionCall. */
export type AttentionExtras = Pick<CallOf<"attention">, "headMask" | "attentionMask" | "probabilities">;

/** One encoder layer: `hidden` to `hidden`. */
export function layerCalls(
  config: IJepaConfig, dtype: Dtype, size: PassSize, weights: LayerWeights, buffers: Buffers, extras: AttentionExtras = {},
): OpCall[] {
  const { batch, tokens } = size, rows = batch * tokens, { hiddenSize, intermediateSize, numAttentionHeads: heads, headDim } = config;
  const { hidden, middle, normed, wide } = buffers;
  const activation = activationOf(config.hiddenAct);
  return [
    normCall(config, rows, hidden, weights.before, normed),
    ...product(rows, hiddenSize, normed, weights.qkv, wide, buffers),
    { op: "attention", format: restFormat(dtype), batch, tokens, heads, headDim, x: wide, y: normed, ...extras },
    ...product(rows, hiddenSize, normed, weights.projection, middle, buffers, "none", hidden),
    normCall(config, rows, middle, weights.after, normed),
    ...product(rows, hiddenSize, normed, weights.up, wide, buffers, activation),
    ...product(rows, intermediateSize, wide, weights.down, hidden, buffers, "none", middle),
  ];
}

/** The final layer norm: `hidden` to `normed`. */
export function finalCalls(config: IJepaConfig, size: PassSize, weights: NormWeights, buffers: Buffers): OpCall[] {
  return [normCall(config, size.batch * size.tokens, buffers.hidden, weights, buffers.normed)];
}

function normCall(config: IJepaConfig, rows: number, x: DeviceTensor, weights: NormWeights, y: DeviceTensor): CallOf<"layer-norm"> {
  return { op: "layer-norm", rows, cols: config.hiddenSize, eps: config.layerNormEps, x, ...weights, y };
}

/** x to its operand form, then times W. */
function product(
  rows: number, cols: number, x: DeviceTensor, weights: LinearWeights, y: DeviceTensor, buffers: Buffers,
  activation: Activation = "none", residual?: DeviceTensor,
): OpCall[] {
  const { inner } = weights, format = operandOf(weights.format);
  const operand = format === "int8" ? buffers.operandInt8! : buffers.operand;
  const blocks = format === "int8" ? buffers.blocks : undefined;
  return [
    { op: "quantize-rows", format, rows, cols, inner, x, y: operand, blocks },
    linearCall(rows, weights, operand, blocks, y, activation, residual, rows),
  ];
}

function linearCall(
  rows: number, weights: LinearWeights, x: DeviceTensor, blocks: DeviceTensor | undefined, y: DeviceTensor,
  activation: Activation, residual: DeviceTensor | undefined, residualRows: number,
): CallOf<"linear"> {
  return { op: "linear", rows, ...weights, activation, x, blocks, residual, residualRows: residual === undefined ? undefined : residualRows, y };
}
