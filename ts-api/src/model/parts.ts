/**
 * Packs a checkpoint as it is read, part by part: one matrix in f32 at a time (query, key and value count as one), for int4 one layer.
 *
 * int4 looks at the inputs of every matrix before it quantizes (moments.ts): each layer is packed in bf16 first, and run.
 */
import type { Backend } from "../backends/backend.js";
import { isCodebook, type CodebookName } from "../core/codebooks.js";
import { BLOCK, PANEL, roundUp, type Dtype, type Group } from "../core/numerics.js";
import { packCodes, packInt4, packMatrix, packVector, type Matrix, type PackedBuffer } from "../weights/pack.js";
import { encode, type CodedMatrix } from "../weights/quantize/bnb.js";
import { openQuantizer, type Quantizer } from "../weights/quantize/quantizer.js";
import type { IJepaConfig } from "./config.js";
import { inputWeights, MomentSource, type LayerMoments, type MomentOptions, type Moments } from "./moments.js";
import { restFormat } from "./plan.js";
import type { EmbeddingWeights, LayerWeights, LinearWeights, NormWeights, PackedParts } from "./weights.js";

/** Reads one tensor of the state dict, by its canonical name, as f32. */
export type TensorReader = (name: string) => Promise<Float32Array>;

/** Reads a matrix that the checkpoint has in four bits; undefined for others. */
export type CodeReader = (name: string) => Promise<CodedMatrix | undefined>;

/** How int4 is made. */
export interface QuantizeOptions extends MomentOptions {
  /** Inputs of one scale. Default 32. */
  group?: Group | undefined;
}

/** Looking at the model on its GPU, where it has one: builds for GPUs may have no CPU backend, and a GPU is faster. */
export function gpuOf(backend: Backend): Pick<QuantizeOptions, "backend"> {
  return { backend: backend.id === "webgpu" ? backend : undefined };
}

/**
 * The parts of the checkpoint that `read` reads, with matrices in `dtype`.
 *
 * @param readCodes codes of that very dtype are kept as it gives them
 * @param options of int4
 */
export function packParts(
  config: IJepaConfig, dtype: Dtype, read: TensorReader, readCodes: CodeReader = async () => undefined, options: QuantizeOptions = {},
): PackedParts {
  return dtype === "int4" ? quantizedParts(config, read, options) : partsOf(new Packer(config, dtype, read, readCodes), config, read);
}

function partsOf(packer: Packer, config: IJepaConfig, read: TensorReader): PackedParts {
  return {
    layers: config.numHiddenLayers,
    embedding: () => packer.embedding(),
    positions: () => read("embeddings.position_embeddings"),
    layer: (index) => packer.layer(`encoder.layer.${index}`),
    final: () => packer.norm("layernorm"),
  };
}

/** int4. Tensors are kept until their layer is packed, so that they are read once. */
function quantizedParts(config: IJepaConfig, read: TensorReader, options: QuantizeOptions): PackedParts {
  const kept = new Map<string, Promise<Float32Array>>();
  const readOnce: TensorReader = (name) => {
    const tensor = kept.get(name) ?? read(name);
    kept.set(name, tensor);
    return tensor;
  };
  const wide = partsOf(new Packer(config, "bf16", readOnce, async () => undefined), config, readOnce);
  const moments = new MomentSource(config, wide, options);
  const packer = new Packer(config, "int4", readOnce, async () => undefined, options.group);
  return {
    ...wide,
    async layer(index) {
      try {
        return await packer.layer(`encoder.layer.${index}`, await moments.layer(index));
      } finally {
        kept.clear();
      }
    },
  };
}

class Packer {
  private quantizer: Promise<Quantizer> | undefined;

  /** @param group int4: inputs of one scale */
  constructor(
    private readonly config: IJepaConfig,
    private readonly dtype: Dtype,
    private readonly read: TensorReader,
    private readonly readCodes: CodeReader,
    private readonly group: Group = BLOCK,
  ) {}

  async embedding(): Promise<EmbeddingWeights<PackedBuffer>> {
    const { hiddenSize: hidden, patchInputs } = this.config;
    const name = "embeddings.patch_embeddings.projection", format = restFormat(this.dtype);
    const weight = await this.read(`${name}.weight`), bias = await this.read(`${name}.bias`);
    // bf16: pixels come as [high | low], each padded to whole blocks, so the weights stand there twice.
    const matrix = format === "fp32" ? weight : twice(weight, hidden, patchInputs);
    const inputs = format === "fp32" ? patchInputs : 2 * roundUp(patchInputs, BLOCK);
    return { patches: withBias(name, packMatrix(name, format, matrix, hidden, inputs), bias) };
  }

  /** @param moments int4: of the inputs of its matrices */
  async layer(layer: string, moments?: LayerMoments): Promise<LayerWeights<PackedBuffer>> {
    const { hiddenSize: hidden, intermediateSize: mlp } = this.config;
    return {
      before: await this.norm(`${layer}.layernorm_before`),
      qkv: await this.qkv(`${layer}.attention`, moments?.qkv),
      projection: await this.dense(`${layer}.attention.output.dense`, hidden, moments?.projection),
      after: await this.norm(`${layer}.layernorm_after`),
      up: await this.dense(`${layer}.intermediate.dense`, hidden, moments?.up),
      down: await this.dense(`${layer}.output.dense`, mlp, moments?.down),
    };
  }

  async norm(name: string): Promise<NormWeights<PackedBuffer>> {
    const vector = async (part: string) => packVector(`${name}.${part}`, await this.read(`${name}.${part}`));
    return { gamma: await vector("weight"), beta: await vector("bias") };
  }

  private async dense(name: string, inputs: number, moments?: Moments): Promise<LinearWeights<PackedBuffer>> {
    return this.linear(name, [`${name}.weight`], await this.read(`${name}.bias`), inputs, moments);
  }

  private async qkv(name: string, moments?: Moments): Promise<LinearWeights<PackedBuffer>> {
    const { hiddenSize: hidden, qkvBias } = this.config;
    const parts = ["query", "key", "value"].map((part) => `${name}.attention.${part}`);
    const bias = qkvBias ? await this.stack(parts.map((part) => `${part}.bias`), hidden) : new Float32Array(3 * hidden);
    return this.linear(`${name}.qkv`, parts.map((part) => `${part}.weight`), bias, hidden, moments);
  }

  /** With moments in int4, and the bias makes up for what rounding takes on average. */
  private async linear(
    name: string, tensors: string[], bias: Float32Array, inputs: number, moments: Moments | undefined,
  ): Promise<LinearWeights<PackedBuffer>> {
    const cols = bias.length;
    if (moments === undefined) return withBias(name, await this.matrix(name, tensors, cols, inputs), bias);
    const data = await this.stack(tensors, (cols / tensors.length) * inputs);
    const quantize = await (this.quantizer ??= openQuantizer()), quantized = quantize(data, cols, inputs, this.group, inputWeights(moments));
    return withBias(name, packInt4(name, quantized, cols, inputs), bias.map((value, c) => value + quantized.shift[c]));
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

function withBias(name: string, matrix: Matrix<PackedBuffer>, bias: Float32Array): LinearWeights<PackedBuffer> {
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
