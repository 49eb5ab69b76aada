/** Layers whose attention is masked or gives its probabilities: compiled for one pass of one call. */
import { bytesView, type Backend, type Program } from "../backends/backend.js";
import type { Dtype } from "../core/numerics.js";
import type { DeviceTensor, TensorDesc } from "../ops/contract.js";
import type { IJepaConfig } from "../config/config.js";
import type { LayerWeights } from "../packing/encoder-weights.js";
import type { Layers } from "./layers.js";
import { layerCalls, type Buffers, type PassSize } from "./plan.js";

export interface AttentionOptions {
  /** Also return the attention probabilities. */
  outputAttentions?: boolean | undefined;
  /** [layers][heads]: factors of the attention probabilities. */
  headMask?: Float32Array | undefined;
  /** [images][tokens], 0 for tokens that no token attends to. */
  attentionMask?: Uint8Array | undefined;
}

export interface SpecialLayers {
  /** The program of a layer whose weights are in `slot`. */
  program(index: number, slot: LayerWeights): Program | Promise<Program>;
  probabilities: DeviceTensor | undefined;
  release(): void;
}

/** Undefined if no mask and no attention is requested. */
export async function specialLayers(
  backend: Backend, config: IJepaConfig, dtype: Dtype, size: PassSize, { count, slots }: Layers, buffers: Buffers, options: AttentionOptions,
): Promise<SpecialLayers | undefined> {
  const { outputAttentions = false, headMask, attentionMask } = options;
  if (!outputAttentions && headMask === undefined && attentionMask === undefined) return undefined;
  const { batch, tokens } = size, heads = config.numAttentionHeads;
  const owned: DeviceTensor[] = [];
  const alloc = (name: string, type: TensorDesc["type"], ...dims: number[]) => {
    owned.push(backend.alloc({ name, type, dims }));
    return owned.at(-1)!;
  };
  const filled = (tensor: DeviceTensor, words: Float32Array | Uint32Array) => {
    backend.write(tensor, bytesView(words));
    return tensor;
  };
  const release = () => owned.forEach((tensor) => backend.release(tensor));
  try {
    const probabilities = outputAttentions ? alloc("attention probabilities", "f32", batch, heads, tokens, tokens) : undefined;
    const keys = attentionMask && filled(alloc("attention mask", "u32", batch, tokens), Uint32Array.from(attentionMask));
    const headsOf = (layer: number) =>
      headMask && filled(alloc("head mask", "f32", heads), headMask.subarray(layer * heads, (layer + 1) * heads));
    const extras = (layer: number) => ({ headMask: headsOf(layer), attentionMask: keys, probabilities });
    const compile = (i: number, slot: LayerWeights) => backend.compile(layerCalls(config, dtype, size, slot, buffers, extras(i)));
    const slotOf = (i: number) => slots[i % slots.length];
    const layers = await Promise.all(Array.from({ length: count }, (_, i) => compile(i, slotOf(i))));
    return { program: (i, slot) => (slot === slotOf(i) ? layers[i] : compile(i, slot)), probabilities, release };
  } catch (error) {
    release();
    throw error;
  }
}
