/** From a configuration and a seed to a checkpoint with random weights, with the distributions of Hugging Face's initialisation. */
import { sizeOf } from "../core/tensor.js";
import type { IJepaConfig } from "../config/config.js";
import type { Checkpoint } from "./checkpoint.js";
import type { CheckpointTensor } from "./checkpoint-tensor.js";
import { expectedTensors } from "./tensor-names.js";
import { truncatedNormal, xoshiro128 } from "./random-numbers.js";

/** Largest seed. */
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

/**
 * A checkpoint without files: each tensor is made when it is read, from the seed and its name, and is the same every time and in every
 * engine. Matrices, the patch embedding and position embeddings are normal with deviation `config.initializerRange` within -2 and 2;
 * biases and the mask token are 0, gains of layer norms 1 (transformers, `IJepaPreTrainedModel._init_weights`).
 * @param seed whole number from 0 to 2^53 - 1
 */
export function randomCheckpoint(config: IJepaConfig, seed: number): Checkpoint {
  const shapes = expectedTensors(config, { maskToken: true, pooler: true, classifier: true });
  const file = `random weights of seed ${seed}`;
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, shape] of shapes) tensors.set(name, { name, dtype: "F32", shape, begin: 0, end: 4 * sizeOf(shape), file });
  const make = (name: string) => values(name, sizeOf(shapes.get(name)!), config.initializerRange, seed);
  return {
    ref: file,
    config,
    preprocessorConfig: undefined,
    tensors,
    quantized: undefined,
    metadata: {},
    packed: undefined,
    file: async () => undefined,
    tensor: async (name) => make(name),
    codes: async () => undefined,
    stored: (name) => (tensors.has(name) ? [tensors.get(name)!] : []),
    unused: () => [],
    bytes: async ({ name }) => new Uint8Array(make(name).buffer),
    close: async () => undefined,
  };
}

function values(name: string, count: number, std: number, seed: number): Float32Array {
  if (name.endsWith(".bias") || name === "embeddings.mask_token") return new Float32Array(count);
  if (/(^|\.)layernorm(_before|_after)?\.weight$/.test(name)) return new Float32Array(count).fill(1);
  return truncatedNormal(count, std, xoshiro128(seedOf(name, seed)));
}

/** FNV-1a over the seed's eight bytes, low first, and the name. */
function seedOf(name: string, seed: number): number {
  const bytes = [...new Uint8Array(BigUint64Array.of(BigInt(seed)).buffer), ...new TextEncoder().encode(name)];
  return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5 | 0);
}
