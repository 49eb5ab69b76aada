/** From a tensor's name in any naming to the one that this library uses, and the tensors that a configuration asks for. */
import type { IJepaConfig } from "../config/config.js";

/** Parts of one layer's tensor names: the in-memory naming of transformers 5 to the one in published files. */
const LAYER_PARTS: readonly (readonly [from: string, to: string])[] = [
  ["attention.q_proj.", "attention.attention.query."],
  ["attention.k_proj.", "attention.attention.key."],
  ["attention.v_proj.", "attention.attention.value."],
  ["attention.o_proj.", "attention.output.dense."],
  ["mlp.fc1.", "intermediate.dense."],
  ["mlp.fc2.", "output.dense."],
];

/**
 * The one name by which this library knows a tensor: the naming of published checkpoints, without the `ijepa.` prefix.
 * Accepts that naming and the in-memory naming of transformers 5, each with or without prefix; other names pass unchanged.
 */
export function canonicalName(key: string): string {
  const name = key.startsWith("ijepa.") ? key.slice("ijepa.".length) : key;
  const layer = /^(?:encoder\.layer|layers)\.(\d+)\.(.+)$/.exec(name);
  if (layer === null) return name;
  const [, index, rest] = layer;
  const part = LAYER_PARTS.find(([from]) => rest.startsWith(from));
  return `encoder.layer.${index}.${part === undefined ? rest : part[1] + rest.slice(part[0].length)}`;
}

/** Parts of a checkpoint that the encoder alone does not need. */
export interface OptionalParts {
  /** `embeddings.mask_token` */
  maskToken?: boolean;
  /** `pooler.dense` */
  pooler?: boolean;
  /** `classifier`; has no tensors when the config has no labels */
  classifier?: boolean;
}

/** The tensors that a checkpoint of this configuration must have: canonical name to shape, in the order of computation. */
export function expectedTensors(config: IJepaConfig, parts: OptionalParts = {}): Map<string, readonly number[]> {
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  const shapes = new Map<string, readonly number[]>();
  const dense = (name: string, outputs: number, inputs: number, bias = true): void => {
    shapes.set(`${name}.weight`, [outputs, inputs]);
    if (bias) shapes.set(`${name}.bias`, [outputs]);
  };
  const norm = (name: string): void => {
    shapes.set(`${name}.weight`, [hidden]);
    shapes.set(`${name}.bias`, [hidden]);
  };

  shapes.set("embeddings.patch_embeddings.projection.weight", [hidden, config.numChannels, config.patchHeight, config.patchWidth]);
  shapes.set("embeddings.patch_embeddings.projection.bias", [hidden]);
  if (parts.maskToken) shapes.set("embeddings.mask_token", [1, 1, hidden]);
  shapes.set("embeddings.position_embeddings", [1, config.numPatches, hidden]);
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = `encoder.layer.${i}`;
    norm(`${layer}.layernorm_before`);
    dense(`${layer}.attention.attention.query`, hidden, hidden, config.qkvBias);
    dense(`${layer}.attention.attention.key`, hidden, hidden, config.qkvBias);
    dense(`${layer}.attention.attention.value`, hidden, hidden, config.qkvBias);
    dense(`${layer}.attention.output.dense`, hidden, hidden);
    norm(`${layer}.layernorm_after`);
    dense(`${layer}.intermediate.dense`, inner, hidden);
    dense(`${layer}.output.dense`, hidden, inner);
  }
  norm("layernorm");
  if (parts.pooler) dense("pooler.dense", config.poolerOutputSize, hidden);
  if (parts.classifier && config.numLabels > 0) dense("classifier", config.numLabels, hidden);
  return shapes;
}

/** True for tensors that may be in a checkpoint without being needed by the encoder. */
export function isOptionalTensor(name: string): boolean {
  return name === "embeddings.mask_token" || name.startsWith("pooler.") || name.startsWith("classifier.");
}

/** The modules that an encoder's tensors are in, in Hugging Face's naming and in that of the research code. */
const ENCODER = /^(?:(?:embeddings|encoder|layers|layernorm|blocks|patch_embed|norm|norm_pre|ln_pre|rel_pos_bias)\.|pos_embed|(?:cls|dist|reg|register|storage)_tokens?$)/;

/** True for names that belong to an encoder, this one or another: not to a head, nor to another network beside it. */
export function isEncoderTensor(name: string): boolean {
  return ENCODER.test(name);
}
