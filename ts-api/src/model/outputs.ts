/** From what the encoder kept of its layers to the tensors of an output. */
import { Tensor } from "../core/tensor.js";
import type { IJepaConfig } from "../config/config.js";
import type { EncodeResult } from "../encoder/encoder.js";

/** Results of the layers, if they were requested. */
export interface LayerOutputs {
  /** The embedding and the output of each layer, before the final norm; each [images, tokens, width]. */
  hiddenStates?: Tensor<"float32">[];
  /** The attention probabilities of each layer, after the head mask; each [images, heads, tokens, tokens]. */
  attentions?: Tensor<"float32">[];
}

export function statesOf({ tokens, hiddenStates, attentions }: EncodeResult, images: number, config: IJepaConfig): LayerOutputs {
  const outputs: LayerOutputs = {};
  const tensors = (arrays: Float32Array[], dims: number[]) => arrays.map((data) => new Tensor("float32", data, dims));
  if (hiddenStates !== undefined) outputs.hiddenStates = tensors(hiddenStates, [images, tokens, config.hiddenSize]);
  if (attentions !== undefined) outputs.attentions = tensors(attentions, [images, config.numAttentionHeads, tokens, tokens]);
  return outputs;
}
