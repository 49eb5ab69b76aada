/**
 * Packs a checkpoint as it is read, part by part: one matrix in f32 at a time (query, key and value count as one), for int4 one layer.
 *
 * int4 looks at the inputs of every matrix before it quantizes (moments.ts): each layer is packed in bf16 first, and run.
 */
import type { Backend } from "../backends/backend.js";
import { isCodebook, type CodebookName } from "../core/codebooks.js";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { BLOCK, DTYPES, GROUPS, PANEL, roundUp, type Dtype, type Group } from "../core/numerics.js";
import type { Checkpoint } from "../weights/checkpoint.js";
import { packCodes, packInt4, packMatrix, packVector, type Matrix, type PackedBuffer } from "../weights/pack.js";
import { encode, type CodedMatrix } from "../weights/quantize/bnb.js";
import { openQuantizer, type Quantizer } from "../weights/quantize/quantizer.js";
import type { IJepaConfig } from "./config.js";
import { inputWeights, MomentSource, type LayerMoments, type MomentOptions, type Moments } from "./moments.js";
import { packedParts } from "./packed.js";
import { embeddingInputs, restFormat } from "./plan.js";
import type { EmbeddingWeights, LayerWeights, LinearWeights, NormWeights, PackedParts } from "./weights.js";

/** Reads one tensor of the state dict, by its canonical name, as f32. */
export type TensorReader = (name: string, signal?: AbortSignal) => Promise<Float32Array>;

/** Reads a matrix that the checkpoint has in four bits; undefined for others. */
export type CodeReader = (name: string, signal?: AbortSignal) => Promise<CodedMatrix | undefined>;

export interface FormatOptions {
  /** Format of the layers' matrices. Default: that of packed files and of bitsandbytes' four-bit checkpoints, "bf16" for others. */
  dtype?: Dtype | undefined;
  /** int4: inputs of one scale. Default: that of packed files, 32 for others. */
  groupSize?: Group | undefined;
}

/**
 * The format that a checkpoint is loaded in.
 * @throws IJepaError `weights/dtype` for another than that of packed files; TypeError for one that does not exist
 */
export function formatOf({ packed, quantized, ref }: Checkpoint, options: FormatOptions): { dtype: Dtype; groupSize: Group } {
  const { dtype = packed?.dtype ?? quantized ?? "bf16", groupSize = packed?.groupSize ?? BLOCK } = options;
  if (!DTYPES.includes(dtype)) throw new TypeError(`dtype must be one of ${DTYPES.join(", ")}, not ${JSON.stringify(dtype)}.`);
  if (!GROUPS.includes(groupSize)) throw new TypeError(`groupSize must be one of ${GROUPS.join(", ")}, not ${String(groupSize)}.`);
  const wanted = describe(dtype, groupSize), stored = packed === undefined ? wanted : describe(packed.dtype, packed.groupSize);
  if (wanted === stored) return { dtype, groupSize };
  const message = `${ref} is packed as ${stored} and cannot be loaded as ${wanted}. Leave dtype and groupSize out, or convert the original checkpoint.`;
  throw new IJepaError("weights/dtype", message, { tensor: ref, dtype: packed!.dtype });
}

function describe(dtype: Dtype, groupSize: Group | undefined): string {
  return dtype === "int4" ? `int4 in groups of ${groupSize}` : dtype;
}

/** The parts of a checkpoint: packed while they are read, or as packed files have them. Throws as `formatOf`. */
export function partsOf(checkpoint: Checkpoint, options: FormatOptions & MomentOptions = {}): PackedParts {
  const { config, packed, tensor, codes } = checkpoint, { dtype, groupSize: group } = formatOf(checkpoint, options);
  return packed === undefined ? packParts(config, dtype, tensor, codes, { ...options, group }) : packedParts(checkpoint, packed);
}

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
  return dtype === "int4" ? quantizedParts(config, read, options) : plainParts(config, dtype, read, readCodes);
}

function plainParts(config: IJepaConfig, dtype: Dtype, read: TensorReader, readCodes: CodeReader): PackedParts {
  const packer = (signal?: AbortSignal) => new Packer(config, dtype, (name) => read(name, signal), (name) => readCodes(name, signal));
  return {
    dtype,
    groupSize: undefined,
    layers: config.numHiddenLayers,
    embedding: (signal) => packer(signal).embedding(),
    positions: (signal) => read("embeddings.position_embeddings", signal),
    layer: (index, signal) => packer(signal).layer(`encoder.layer.${index}`),
    final: (signal) => packer(signal).norm("layernorm"),
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
  const wide = plainParts(config, "bf16", readOnce, async () => undefined), { group = BLOCK } = options;
  const moments = new MomentSource(config, wide, options);
  const packer = new Packer(config, "int4", readOnce, async () => undefined, group);
  return {
    ...wide,
    dtype: "int4",
    groupSize: group,
    async layer(index, signal) {
      throwIfAborted(signal, `packing layer ${index}`);
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
    const matrix = format === "fp32" ? weight : twice(weight, hidden, patchInputs);
    return { patches: withBias(name, packMatrix(name, format, matrix, hidden, embeddingInputs(format, patchInputs)), bias) };
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
