/** Packs a checkpoint as it is read, part by part: one matrix in f32 at a time (query, key and value count as one). */
import { isCodebook, type CodebookName } from "../core/codebooks.js";
import { BLOCK, PANEL, roundUp, type Dtype } from "../core/numerics.js";
import { packCodes, packMatrix, packVector, type Matrix, type PackedBuffer } from "../weights/pack.js";
import { encode, type CodedMatrix } from "../weights/quantize/bnb.js";
import type { IJepaConfig } from "./config.js";
import { restFormat } from "./plan.js";
import type { EmbeddingWeights, LayerWeights, LinearWeights, NormWeights, PackedParts } from "./weights.js";

/** Reads one tensor of the state dict, by its canonical name, as f32. */
export type TensorReader = (name: string) => Promise<Float32Array>;

/** Reads a matrix that the checkpoint has in four bits; undefined for others. */
export type CodeReader = (name: string) => Promise<CodedMatrix | undefined>;

/** The parts of the checkpoint that `read` reads, with matrices in `dtype`; codes of that very dtype are kept as `readCodes` gives them. */
export function packParts(config: IJepaConfig, dtype: Dtype, read: TensorReader, readCodes: CodeReader = async () => undefined): PackedParts {
  const packer = new Packer(config, dtype, read, readCodes);
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
    private readonly readCodes: CodeReader,
  ) {}

  async embedding(): Promise<EmbeddingWeights<PackedBuffer>> {
    const { hiddenSize: hidden, patchInputs } = this.config;
    const name = "embeddings.patch_embeddings.projection", format = restFormat(this.dtype);
    const weight = await this.read(`${name}.weight`), bias = await this.read(`${name}.bias`);
    // bf16: pixels come as [high | low], each padded to whole blocks, so the weights stand there twice.
    const matrix = format === "fp32" ? weight : twice(weight, hidden, patchInputs);
    const inputs = format === "fp32" ? patchInputs : 2 * roundUp(patchInputs, BLOCK);
    return { patches: linear(name, packMatrix(name, format, matrix, hidden, inputs), bias) };
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
    const bias = await this.read(`${name}.bias`);
    return linear(name, await this.matrix(name, [`${name}.weight`], bias.length, inputs), bias);
  }

  private async qkv(name: string): Promise<LinearWeights<PackedBuffer>> {
    const { hiddenSize: hidden, qkvBias } = this.config;
    const parts = ["query", "key", "value"].map((part) => `${name}.attention.${part}`);
    const bias = qkvBias ? await this.stack(parts.map((part) => `${part}.bias`), hidden) : new Float32Array(3 * hidden);
    return linear(`${name}.qkv`, await this.matrix(`${name}.qkv`, parts.map((part) => `${part}.weight`), 3 * hidden, hidden), bias);
  }

  /** Tensors of [outputs][inputs], one below the other. */
  private async matrix(name: string, tensors: string[], cols: number, inputs: number): Promise<Matrix<PackedBuffer>> {
    const { dtype } = this;
    if (!isCodebook(dtype)) return packMatrix(name, dtype, await this.stack(tensors, (cols / tensors.length) * inputs), cols, inputs);
    const parts: CodedMatrix[] = [];
    for (const tensor of tensors) parts.push(await this.codes(tensor, dtype));
    return packCodes(name, parts, cols, inputs);
  }

  private async codes(tensor: string, codebook: CodebookName): Promise<CodedMatrix> {
    const stored = await this.readCodes(tensor);
    return stored?.codebook === codebook ? stored : encode(codebook, await this.read(tensor));
  }

  /** Tensors of one size, one after the other. */
  private async stack(names: string[], size: number): Promise<Float32Array> {
    const stacked = new Float32Array(names.length * size);
    for (const [i, name] of names.entries()) stacked.set(await this.read(name), i * size);
    return stacked;
  }
}

function linear(name: string, matrix: Matrix<PackedBuffer>, bias: Float32Array): LinearWeights<PackedBuffer> {
  return { ...matrix, bias: packVector(`${name}.bias`, bias, roundUp(matrix.cols, PANEL)) };
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
