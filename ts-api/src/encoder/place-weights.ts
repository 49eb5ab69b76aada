/** From packed parts to weights on a backend, one part at a time. */
import type { Backend } from "../backends/backend.js";
import type { PackedBuffer } from "../packing/pack.js";
import { ReadBuffer } from "../core/read-buffer.js";
import { residentLayers, streamedLayers, streamSlots, type Layers } from "./layers.js";
import { place } from "../packing/upload.js";
import { mapLayer, mapLinear, mapNorm, type EmbeddingWeights, type LayerWeights, type NormWeights, type PackedParts } from "../packing/encoder-weights.js";

export interface EncoderWeights {
  embedding: EmbeddingWeights;
  /** [patches][hidden] f32, on the host. */
  positions: Float32Array;
  layers: Layers;
  final: NormWeights;
}

/**
 * Called after each of `total` parts (embedding, layers, final norm) is on the backend. Streamed layers count only if they are placed at
 * once.
 */
export type LoadProgress = (part: string, done: number, total: number) => void;

export interface LoadEncoderOptions {
  /** False: one or two layers at a time are on the backend (`streamSlots`), and each run fetches all of them. Default true. */
  resident?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: LoadProgress;
}

export async function loadEncoder(backend: Backend, parts: PackedParts, options: LoadEncoderOptions = {}): Promise<EncoderWeights> {
  const { resident = true, signal, onProgress = () => {} } = options;
  const count = resident ? parts.layers : Math.min(streamSlots(backend), parts.layers), total = count + 2;
  const put = (buffer: PackedBuffer) => place(backend, buffer), into = new ReadBuffer();
  const { patches } = await parts.embedding(signal, into);
  const embedding = { patches: mapLinear(patches, put) };
  const positions = await parts.positions(signal);
  onProgress("embeddings", 1, total);
  const slots: LayerWeights[] = [];
  for (let i = 0; i < count; i++) {
    slots.push(mapLayer(await parts.layer(i, signal, into), put));
    onProgress(`encoder.layer.${i}`, i + 2, total);
  }
  const final = mapNorm(await parts.final(signal, into), put);
  onProgress("layernorm", total, total);
  return { embedding, positions, layers: resident ? residentLayers(slots) : streamedLayers(backend, parts, slots, into), final };
}
