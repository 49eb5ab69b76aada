/** Packs a checkpoint as it is read, part by part: one matrix in f32 at a time (query, key and value count as one). */
import { BLOCK, PANEL, roundUp, type Dtype } from "../core/numerics.js";
import { packMatrix, packVector, type PackedBuffer } from "../weights/pack.js";
import type { IJepaConfig } from "./config.js";
import { embeddingFormat } from "./plan.js";
import type { EmbeddingWeights, LayerWeights, LinearWeights, NormWeights, PackedParts } from "./weights.js";

/** Reads one tensor of the state dict, by its canonical name, as f32. */
export type TensorReader = (name: string) => Promise<Float32Array>;

/** The parts of the checkpoint that `read` reads, with matrices in `dtype`. */
export function packParts(config: IJepaConfig, dtype: Dtype, read: TensorReader): PackedParts {
  const packer = new Packer(config, dtype, read);
  return {
    layers: config.numHiddenLayers,
    embedding: () => packer.embedding(),
    positions: () => read("embeddings.position_embeddings"),
    layer: (index) => packer.layer(`encoder.layer.${index}`),
    final: () => packer.norm("layernorm"),
  };
}

class Packer {
  constructor(
    private readonly config: IJepaConfig,
    private readonly dtype: Dtype,
    private readonly read: TensorReader,
  ) {}

  async embedding(): Promise<EmbeddingWeights<PackedBuffer>> {
    const { hiddenSize: hidden, patchInputs } = this.config;
    const name = "embeddings.patch_embeddings.projection", format = embeddingFormat(this.dtype);
    const weight = await this.read(`${name}.weight`), bias = await this.read(`${name}.bias`);
    // bf16: pixels come as [high | low], each padded to whole blocks, so the weights stand there twice.
    const matrix = format === "fp32" ? weight : twice(weight, hidden, patchInputs);
    const inputs = format === "fp32" ? patchInputs : 2 * roundUp(patchInputs, BLOCK);
    return { patches: linear(name, format, matrix, bias, inputs) };
  }

  async layer(layer: string): Promise<LayerWeights<PackedBuffer>> {
    const { hiddenSize: hidden, intermediateSize: mlp } = this.config;
    return {
      before: await this.norm(`${layer}.layernorm_before`),
      qkv: await this.qkv(`${layer}.attention`),
      projection: await this.dense(`${layer}.attention.output.dense`, hidden),
      after: await this.norm(`${layer}.layernorm_after`),
      up: await this.dense(`${layer}.intermediate.dense`, hidden),
      down: await this.dense(`${layer}.output.dense`, mlp),
    };
  }

  async norm(name: string): Promise<NormWeights<PackedBuffer>> {
    const vector = async (part: string) => packVector(`${name}.${part}`, await this.read(`${name}.${part}`));
    return { gamma: await vector("weight"), beta: await vector("bias") };
  }

  private async dense(name: string, inputs: number): Promise<LinearWeights<PackedBuffer>> {
    return linear(name, this.dtype, await this.read(`${name}.weight`), await this.read(`${name}.bias`), inputs);
  }

  private async qkv(name: string): Promise<LinearWeights<PackedBuffer>> {
    const { hiddenSize: hidden, qkvBias } = this.config;
    const parts = ["query", "key", "value"].map((part) => `${name}.attention.${part}`);
    const weight = await this.stack(parts.map((part) => `${part}.weight`), hidden * hidden);
    const bias = qkvBias ? await this.stack(parts.map((part) => `${part}.bias`), hidden) : new Float32Array(3 * hidden);
    return linear(`${name}.qkv`, this.dtype, weight, bias, hidden);
  }

  /** Tensors of one size, one after the other. */
  private async stack(names: string[], size: number): Promise<Float32Array> {
    const stacked = new Float32Array(names.length * size);
    for (const [i, name] of names.entries()) stacked.set(await this.read(name), i * size);
    return stacked;
  }
}

function linear(name: string, format: Dtype, weight: Float32Array, bias: Float32Array, inputs: number): LinearWeights<PackedBuffer> {
  const cols = bias.length;
  return { ...packMatrix(name, format, weight, cols, inputs), bias: packVector(`${name}.bias`, bias, roundUp(cols, PANEL)) };
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
