/**
 * The encoder as data: from a configuration and a dtype to lists of op calls. Nothing is computed here; every backend runs the same
 * lists.
 */
import { BLOCK, isInteger, roundUp, type Dtype } from "../core/numerics.js";
import { activationOf, type Activation } from "../ops/activation.js";
import type { DeviceTensor, TensorDesc } from "../ops/contract.js";
import type { OperandFormat } from "../ops/quantize-rows.js";
import type { CallOf, OpCall } from "../ops/table.js";
import type { IJepaConfig } from "../config/config.js";
import type { EmbeddingWeights, LayerWeights, LinearWeights, NormWeights } from "../packing/encoder-weights.js";

/** The sizes of one pass: images of one size. */
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
  /** The residual stream and its second buffer: each half of a layer reads one and writes the other. */
  hidden: DeviceTensor;
  middle: DeviceTensor;
  normed: DeviceTensor;
  /** Holds the patches, then q k v, then the inner values of the MLP. */
  wide: DeviceTensor;
  /** What the patch embedding reads. */
  patchOperand: DeviceTensor;
  /**
   * The operand of the products of a layer. The MLP's second product has its own, so that the first may write it while it reads this one.
   */
  operand: DeviceTensor;
  mlpOperand: DeviceTensor;
  /** int8 and int4 only: the exponents of the two operands. */
  blocks?: DeviceTensor;
  mlpBlocks?: DeviceTensor;
}

/** The form in which activations enter a matrix of this format. */
export function operandOf(format: Dtype): OperandFormat {
  if (format === "fp32") return "fp32";
  return isInteger(format) ? "int8" : "bf16";
}

/**
 * Format of patch embedding and attention, which are not quantized: bf16 in the fast formats; fp32 in nf4 and fp4 models, as in
 * transformers, which computes only the quantized linears in bf16.
 */
export function restFormat(dtype: Dtype): "fp32" | "bf16" {
  return dtype === "bf16" || isInteger(dtype) ? "bf16" : "fp32";
}

/** Inputs of the patch embedding as a matrix: for bf16, pixels come as [high | low], each padded to whole blocks. */
export function embeddingInputs(format: "fp32" | "bf16", patchInputs: number): number {
  return format === "fp32" ? patchInputs : 2 * roundUp(patchInputs, BLOCK);
}

export function bufferDescs(config: IJepaConfig, dtype: Dtype, size: PassSize): Record<keyof Buffers, TensorDesc | undefined> {
  const rows = size.batch * size.tokens, { hiddenSize: hidden, intermediateSize: mlp, patchInputs } = config;
  const f32 = (name: string, ...dims: number[]): TensorDesc => ({ name, type: "f32", dims });
  const scratch = (desc: TensorDesc): TensorDesc => ({ ...desc, scratch: true });
  const split = restFormat(dtype) === "bf16" ? 2 : 1, int8 = operandOf(dtype) === "int8";
  const operand = (name: string, cols: number) => scratch({ name, type: int8 ? "i8" : "f32", dims: [rows, roundUp(cols, BLOCK)] });
  const blocks = (name: string, cols: number) => (int8 ? scratch({ name, type: "u32", dims: [rows, roundUp(cols, BLOCK) / BLOCK, 2] }) : undefined);
  return {
    pixels: f32("pixels", size.batch, config.numChannels, size.height, size.width),
    hidden: f32("hidden", rows, hidden),
    middle: f32("middle", rows, hidden),
    normed: scratch(f32("normed", rows, hidden)),
    wide: scratch(f32("wide", rows, Math.max(3 * hidden, mlp, patchInputs))),
    patchOperand: scratch(f32("patch operand", rows, split * roundUp(patchInputs, BLOCK))),
    operand: operand("operand", hidden),
    mlpOperand: operand("mlp operand", mlp),
    blocks: blocks("blocks", hidden),
    mlpBlocks: blocks("mlp blocks", mlp),
  };
}

/** Pixels to patch embeddings with positions ([positionRows][hidden]: [tokens] for all images, or [batch][tokens]), in `hidden`. */
export function embeddingCalls(
  config: IJepaConfig, size: PassSize, weights: EmbeddingWeights, positions: DeviceTensor, positionRows: number, buffers: Buffers,
): OpCall[] {
  const { pixels, wide, patchOperand, hidden } = buffers;
  const { numChannels: channels, patchHeight, patchWidth } = config;
  const { batch, height, width, tokens } = size;
  const rows = batch * tokens, cols = config.patchInputs, inner = roundUp(cols, BLOCK);
  const format = weights.patches.format === "bf16" ? "split" : "fp32";
  return [
    { op: "patchify", batch, channels, height, width, patchHeight, patchWidth, x: pixels, y: wide },
    { op: "quantize-rows", format, rows, cols, inner, x: wide, y: patchOperand },
    linearCall(rows, weights.patches, patchOperand, undefined, hidden, "none", positions, positionRows),
  ];
}

/** Further inputs and outputs of a layer's attention: see AttentionCall. */
export type AttentionExtras = Pick<CallOf<"attention">, "headMask" | "attentionMask" | "probabilities">;

/** One encoder layer: `hidden` to `hidden`. */
export function layerCalls(
  config: IJepaConfig, dtype: Dtype, size: PassSize, weights: LayerWeights, buffers: Buffers, extras: AttentionExtras = {},
): OpCall[] {
  const { batch, tokens } = size, rows = batch * tokens, { hiddenSize, intermediateSize, numAttentionHeads: heads, headDim } = config;
  const { hidden, middle, normed, wide } = buffers;
  const narrow: Operand = [buffers.operand, buffers.blocks], mlp: Operand = [buffers.mlpOperand, buffers.mlpBlocks];
  const activation = activationOf(config.hiddenAct);
  return [
    normCall(config, rows, hidden, weights.before, normed),
    ...product(rows, hiddenSize, normed, weights.qkv, wide, narrow),
    { op: "attention", format: restFormat(dtype), batch, tokens, heads, headDim, x: wide, y: normed, ...extras },
    ...product(rows, hiddenSize, normed, weights.projection, middle, narrow, "none", hidden),
    normCall(config, rows, middle, weights.after, normed),
    ...product(rows, hiddenSize, normed, weights.up, wide, narrow, activation),
    ...product(rows, intermediateSize, wide, weights.down, hidden, mlp, "none", middle),
  ];
}

/** The final layer norm: `hidden` to `middle`. */
export function finalCalls(config: IJepaConfig, size: PassSize, weights: NormWeights, buffers: Buffers): OpCall[] {
  return [normCall(config, size.batch * size.tokens, buffers.hidden, weights, buffers.middle)];
}

function normCall(config: IJepaConfig, rows: number, x: DeviceTensor, weights: NormWeights, y: DeviceTensor): CallOf<"layer-norm"> {
  return { op: "layer-norm", rows, cols: config.hiddenSize, eps: config.layerNormEps, x, ...weights, y };
}

/** A matrix's input, and its blocks in int8 and int4. */
type Operand = readonly [DeviceTensor, DeviceTensor | undefined];

/** x to its operand form, then times W. */
function product(
  rows: number, cols: number, x: DeviceTensor, weights: LinearWeights, y: DeviceTensor, [operand, blocks]: Operand,
  activation: Activation = "none", residual?: DeviceTensor,
): OpCall[] {
  const { inner } = weights, format = operandOf(weights.format);
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
