/** From a checkpoint to weights on a backend, tensor by tensor: one matrix in f32 at a time. */
import { BLOCK, PANEL, roundUp, type Dtype } from "../core/numerics.js";
import type { Backend } from "../backends/backend.js";
import { packMatrix, packVector, type PackedBuffer, type PackedMatrix } from "../weights/pack.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { IJepaConfig } from "./config.js";
import { embeddingFormat, type EmbeddingWeights, type LayerWeights, type LinearWeights, type NormWeights } from "./plan.js";

/** Reads one tensor of the state dict, by its canonical name, as f32. */
export type TensorReader = (name: string) => Promise<Float32Array>;

export interface EncoderWeights {
  embedding: EmbeddingWeights;
  /** [patches][hidden] f32: they stay on the host, which interpolates them for other image sizes. */
  positions: Float32Array;
  layers: LayerWeights[];
  final: NormWeights;
}

/** Called after each of `total` parts (embedding, layers, final norm) is on the backend. */
export type LoadProgress = (part: string, done: number, total: number) => void;

export async function loadEncoder(
  backend: Backend, config: IJepaConfig, dtype: Dtype, read: TensorReader, onProgress: LoadProgress = () => {},
): Promise<EncoderWeights> {
  const loader = new Loader(backend, read);
  const total = config.numHiddenLayers + 2;
  const embedding = await loadEmbedding(loader, config, dtype);
  const positions = await read("embeddings.position_embeddings");
  onProgress("embeddings", 1, total);
  const layers: LayerWeights[] = [];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    layers.push(await loadLayer(loader, config, dtype, `encoder.layer.${i}`));
    onProgress(`encoder.layer.${i}`, i + 2, total);
  }
  const final = await loader.norm("layernorm");
  onProgress("layernorm", total, total);
  return { embedding, positions, layers, final };
}

async function loadEmbedding(loader: Loader, config: IJepaConfig, dtype: Dtype): Promise<EmbeddingWeights> {
  const { hiddenSize: hidden, patchInputs } = config;
  const name = "embeddings.patch_embeddings.projection";
  const weight = await loader.read(`${name}.weight`);
  const format = embeddingFormat(dtype);
  // bf16: pixels come as [high | low], each padded to whole blocks, so the weights stand there twice.
  const matrix = format === "fp32" ? weight : twice(weight, hidden, patchInputs);
  const inputs = format === "fp32" ? patchInputs : 2 * roundUp(patchInputs, BLOCK);
  return { patches: loader.linear(name, packMatrix(format, matrix, hidden, inputs), await loader.read(`${name}.bias`)) };
}

async function loadLayer(loader: Loader, config: IJepaConfig, dtype: Dtype, layer: string): Promise<LayerWeights> {
  const { hiddenSize: hidden, intermediateSize: mlp } = config;
  const attention = ["query", "key", "value"].map((part) => `${layer}.attention.attention.${part}`);
  const dense = async (name: string, cols: number, inputs: number) =>
    loader.linear(name, packMatrix(dtype, await loader.read(`${name}.weight`), cols, inputs), await loader.read(`${name}.bias`));
  const before = await loader.norm(`${layer}.layernorm_before`);
  const qkvWeight = await loader.stack(attention.map((name) => `${name}.weight`), hidden * hidden);
  const qkvBias = config.qkvBias ? await loader.stack(attention.map((name) => `${name}.bias`), hidden) : new Float32Array(3 * hidden);
  return {
    before,
    qkv: loader.linear(`${layer}.attention.qkv`, packMatrix(dtype, qkvWeight, 3 * hidden, hidden), qkvBias),
    projection: await dense(`${layer}.attention.output.dense`, hidden, hidden),
    after: await loader.norm(`${layer}.layernorm_after`),
    up: await dense(`${layer}.intermediate.dense`, mlp, hidden),
    down: await dense(`${layer}.output.dense`, hidden, mlp),
  };
}

/** [cols][inputs] to [cols][2][inputs padded to whole blocks], both halves the same. */
function twice(weight: Float32Array, cols: number, inputs: number): Float32Array {
  const inner = roundUp(inputs, BLOCK), doubled = new Float32Array(cols * 2 * inner);
  for (let c = 0; c < cols; c++) {
    const row = weight.subarray(c * inputs, (c + 1) * inputs);
    doubled.set(row, c * 2 * inner);
    doubled.set(row, (c * 2 + 1) * inner);
  }
  return doubled;
}

/** A new tensor on the backend with the buffer's bytes. */
export function placeBuffer(backend: Backend, name: string, { type, dims, bytes }: PackedBuffer): DeviceTensor {
  const tensor = backend.alloc({ name, type, dims });
  backend.write(tensor, bytes);
  return tensor;
}

class Loader {
  constructor(
    private readonly backend: Backend,
    readonly read: TensorReader,
  ) {}

  place(name: string, buffer: PackedBuffer): DeviceTensor {
    return placeBuffer(this.backend, name, buffer);
  }

  linear(name: string, matrix: PackedMatrix, bias: Float32Array): LinearWeights {
    const { format, cols, inner, w, scales } = matrix;
    return {
      format,
      cols,
      inner,
      w: this.place(`${name}.weight`, w),
      scales: scales === undefined ? undefined : this.place(`${name}.scales`, scales),
      bias: this.place(`${name}.bias`, packVector(bias, roundUp(cols, PANEL))),
    };
  }

  async norm(name: string): Promise<NormWeights> {
    const gamma = this.place(`${name}.weight`, packVector(await this.read(`${name}.weight`)));
    return { gamma, beta: this.place(`${name}.bias`, packVector(await this.read(`${name}.bias`))) };
  }

  /** Tensors of one size, one after the other. */
  async stack(names: string[], size: number): Promise<Float32Array> {
    const stacked = new Float32Array(names.length * size);
    for (const [i, name] of names.entries()) stacked.set(await this.read(name), i * size);
    return stacked;
  }
}
