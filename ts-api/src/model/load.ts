/** From packed parts to weights on a backend, one part at a time. */
import type { Backend } from "../backends/backend.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { PackedBuffer } from "../weights/pack.js";
import { mapLayer, mapLinear, mapNorm, type EmbeddingWeights, type LayerWeights, type NormWeights, type PackedParts } from "./weights.js";

export interface EncoderWeights {
  embedding: EmbeddingWeights;
  /** [patches][hidden] f32, on the host. */
  positions: Float32Array;
  layers: LayerWeights[];
  final: NormWeights;
}

/** Called after each of `total` parts (embedding, layers, final norm) is on the backend. */
export type LoadProgress = (part: string, done: number, total: number) => void;

export async function loadEncoder(backend: Backend, parts: PackedParts, onProgress: LoadProgress = () => {}): Promise<EncoderWeights> {
  const total = parts.layers + 2, put = (buffer: PackedBuffer) => place(backend, buffer);
  const { patches } = await parts.embedding();
  const embedding = { patches: mapLinear(patches, put) };
  const positions = await parts.positions();
  onProgress("embeddings", 1, total);
  const layers: LayerWeights[] = [];
  for (let i = 0; i < parts.layers; i++) {
    layers.push(mapLayer(await parts.layer(i), put));
    onProgress(`encoder.layer.${i}`, i + 2, total);
  }
  const final = mapNorm(await parts.final(), put);
  onProgress("layernorm", total, total);
  return { embedding, positions, layers, final };
}

/** A new tensor on the backend with the buffer's bytes. */
export function place(backend: Backend, { bytes, ...desc }: PackedBuffer): DeviceTensor {
  const tensor = backend.alloc(desc);
  backend.write(tensor, bytes);
  return tensor;
}
