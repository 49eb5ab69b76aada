/** The op `attention`: its call, its checks, and the operations that it costs. */
import { need, needSize, type DeviceTensor, type OpContract } from "./contract.js";

/**
 * softmax(q k^T / sqrt(headDim)) v: x [batch][tokens][3][heads][headDim] f32 (q, k, v), y [batch][tokens][heads][headDim]. fp32:
 * everything in f32. bf16: q, k, v and the probabilities are rounded to bf16 where they enter a product. headMask [heads] f32 multiplies
 * the probabilities (Hugging Face's eager attention); without it the factor is 1. attentionMask [batch][tokens] u32: no token attends to
 * a token whose word is 0; if all words of an image are 0, every token attends equally to all. probabilities
 * [batch][heads][tokens][tokens] f32 receives them as they enter the product.
 */
export interface AttentionCall {
  format: "fp32" | "bf16";
  batch: number;
  tokens: number;
  heads: number;
  headDim: number;
  x: DeviceTensor;
  headMask?: DeviceTensor | undefined;
  attentionMask?: DeviceTensor | undefined;
  y: DeviceTensor;
  probabilities?: DeviceTensor | undefined;
}

export const attention: OpContract<AttentionCall> = {
  check(call) {
    for (const size of ["batch", "tokens", "heads", "headDim"] as const) needSize("attention", size, call[size]);
    need("attention", call.x, "x", "f32", [call.batch, call.tokens, 3, call.heads, call.headDim]);
    need("attention", call.y, "y", "f32", [call.batch, call.tokens, call.heads, call.headDim]);
    if (call.headMask !== undefined) need("attention", call.headMask, "headMask", "f32", [call.heads]);
    if (call.attentionMask !== undefined) need("attention", call.attentionMask, "attentionMask", "u32", [call.batch, call.tokens]);
    if (call.probabilities !== undefined) need("attention", call.probabilities, "probabilities", "f32", [call.batch, call.heads, call.tokens, call.tokens]);
  },
  reads: ({ x, headMask, attentionMask }) => [x, headMask, attentionMask].filter((tensor) => tensor !== undefined),
  results: ({ batch, tokens, heads, headDim, y, probabilities }) => {
    const mixed = { buffer: "y", tensor: y, dims: [batch, tokens, heads, headDim] };
    return probabilities === undefined ? [mixed] : [mixed, { buffer: "probabilities", tensor: probabilities, dims: [batch, heads, tokens, tokens] }];
  },
  operations: (call) => 4 * call.batch * call.heads * call.tokens * call.tokens * call.headDim,
};

/** The factor of the scores: 1 / sqrt(headDim), rounded to f32 once. */
export function attentionScale(headDim: number): number {
  return Math.fround(1 / Math.sqrt(headDim));
}
