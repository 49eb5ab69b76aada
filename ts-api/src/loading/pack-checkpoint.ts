/**
 * Packs a checkpoint as it is read, part by part: one matrix in f32 at a time (query, key and value count as one).
 * A model's parts are asked for one after the other.
 *
 * int4 looks at the inputs of every matrix before it quantizes (`calibrate`): each matrix is also packed in bf16, and run.
 */
import type { Backend } from "../backends/backend.js";
import { isCodebook, type CodebookName } from "../core/codebooks.js";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { BLOCK, DTYPES, GROUPS, PANEL, roundUp, type Dtype, type Group } from "../core/numerics.js";
import type { Checkpoint } from "../weights/checkpoint.js";
import { packCodes, packInt4, packMatrix, packVector, type Matrix, type PackedBuffer } from "../packing/pack.js";
import { encode, type CodedMatrix } from "../quantize/bnb.js";
import { openQuantizer, type Quantizer } from "../quantize/quantizer.js";
import type { IJepaConfig } from "../config/config.js";
import { MatrixReader, type DenseMatrix, type MatrixPlace, type Product, type TensorReader } from "../packing/matrix-reader.js";
import { inputWeights, MomentSource, type MomentOptions, type Moments } from "../calibrate/input-moments.js";
import { packedParts } from "./packed-checkpoint.js";
import { embeddingInputs, restFormat } from "../encoder/plan.js";
import type { EmbeddingWeights, LinearWeights, PackedParts } from "../packing/encoder-weights.js";

export type { TensorReader } from "../packing/matrix-reader.js";

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
export function formatOf({ packed, quantized, head, ref }: Checkpoint, options: FormatOptions): { dtype: Dtype; groupSize: Group } {
  const { dtype = packed?.dtype ?? head?.dtype ?? quantized ?? "bf16", groupSize = packed?.groupSize ?? head?.groupSize ?? BLOCK } = options;
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
  const reader = new MatrixReader(config, read);
  const linear = (layer: number, product: Product, signal?: AbortSignal) =>
    isCodebook(dtype) ? coded(reader, reader.placeOf(layer, product), dtype, readCodes, signal) : dense(reader, layer, product, dtype, signal);
  return {
    dtype,
    groupSize: undefined,
    layers: config.numHiddenLayers,
    embedding: (signal) => embedding(config, dtype, (name) => read(name, signal)),
    positions: (signal) => read("embeddings.position_embeddings", signal),
    async layer(index, signal) {
      const norms = await reader.norms(index, signal);
      const qkv = await linear(index, "qkv", signal), projection = await linear(index, "projection", signal);
      return { ...norms, qkv, projection, up: await linear(index, "up", signal), down: await linear(index, "down", signal) };
    },
    final: (signal) => reader.norm("layernorm", signal),
  };
}

async function dense(reader: MatrixReader, layer: number, product: Product, format: Dtype, signal?: AbortSignal): Promise<LinearWeights<PackedBuffer>> {
  return packDense(format, await reader.matrix(layer, product, signal));
}

function packDense(format: Dtype, { name, data, bias, cols, inputs }: DenseMatrix): LinearWeights<PackedBuffer> {
  return withBias(name, packMatrix(name, format, data, cols, inputs), bias);
}

/** nf4 and fp4: every tensor by itself. */
async function coded(
  reader: MatrixReader, place: MatrixPlace, codebook: CodebookName, readCodes: CodeReader, signal?: AbortSignal,
): Promise<LinearWeights<PackedBuffer>> {
  const parts: CodedMatrix[] = [];
  for (const tensor of place.tensors) {
    const stored = await readCodes(`${tensor}.weight`, signal);
    parts.push(stored?.codebook === codebook ? stored : encode(codebook, await reader.tensor(tensor, place, signal)));
  }
  return withBias(place.name, packCodes(place.name, parts, place.cols, place.inputs), await reader.bias(place, signal));
}

async function embedding(config: IJepaConfig, dtype: Dtype, read: (name: string) => Promise<Float32Array>): Promise<EmbeddingWeights<PackedBuffer>> {
  const { hiddenSize: hidden, patchInputs } = config;
  const name = "embeddings.patch_embeddings.projection", format = restFormat(dtype);
  const weight = await read(`${name}.weight`), bias = await read(`${name}.bias`);
  const matrix = format === "fp32" ? weight : twice(weight, hidden, patchInputs);
  return { patches: withBias(name, packMatrix(name, format, matrix, hidden, embeddingInputs(format, patchInputs)), bias) };
}

/** int4: each matrix is quantized, then the bf16 model goes on through it, so that it is read once. */
function quantizedParts(config: IJepaConfig, read: TensorReader, options: QuantizeOptions): PackedParts {
  // What comes before the layers is asked for twice: for the model, and to look at it.
  const kept = new Map<string, Promise<Float32Array>>();
  const readOnce: TensorReader = (name) => {
    const tensor = kept.get(name) ?? read(name);
    kept.set(name, tensor);
    return tensor;
  };
  const wide = plainParts(config, "bf16", readOnce, async () => undefined), { group = BLOCK } = options;
  const layers = new LayerMemory(new MatrixReader(config, read));
  const moments = new MomentSource(config, {
    layers: wide.layers,
    embedding: () => wide.embedding(),
    positions: () => wide.positions(),
    norms: (layer) => layers.norms(layer),
    matrix: async (layer, product) => packDense("bf16", await layers.matrix(layer, product)),
  }, options);
  let quantizer: Promise<Quantizer> | undefined;
  return {
    ...wide,
    dtype: "int4",
    groupSize: group,
    async layer(index, signal) {
      throwIfAborted(signal, `packing layer ${index}`);
      try {
        const quantize = await (quantizer ??= openQuantizer()), made: Partial<Record<Product, LinearWeights<PackedBuffer>>> = {};
        const norms = await layers.norms(index);
        await moments.layer(index, async (product, inputs) => {
          made[product] = quantized(quantize, await layers.matrix(index, product), group, inputs);
        });
        return { ...norms, ...(made as Record<Product, LinearWeights<PackedBuffer>>) };
      } finally {
        kept.clear();
        layers.forget();
      }
    },
  };
}

/** In int4, and the bias makes up for what rounding takes on average. */
function quantized(quantize: Quantizer, { name, data, bias, cols, inputs }: DenseMatrix, group: Group, moments: Moments): LinearWeights<PackedBuffer> {
  const matrix = quantize(data, cols, inputs, group, inputWeights(moments));
  return withBias(name, packInt4(name, matrix, cols, inputs), bias.map((value, c) => value + matrix.shift[c]));
}

/** The norms and the matrix that were read last: they are needed twice. */
class LayerMemory {
  private lastNorms: { layer: number; norms: Awaited<ReturnType<MatrixReader["norms"]>> } | undefined;
  private lastMatrix: { layer: number; product: Product; matrix: DenseMatrix } | undefined;

  constructor(private readonly reader: MatrixReader) {}

  async norms(layer: number): ReturnType<MatrixReader["norms"]> {
    if (this.lastNorms?.layer !== layer) this.lastNorms = { layer, norms: await this.reader.norms(layer) };
    return this.lastNorms.norms;
  }

  async matrix(layer: number, product: Product): Promise<DenseMatrix> {
    const { lastMatrix: last } = this;
    if (last?.layer === layer && last.product === product) return last.matrix;
    // Reading overwrites it, also where it fails.
    this.forget();
    const matrix = await this.reader.matrix(layer, product);
    this.lastMatrix = { layer, product, matrix };
    return matrix;
  }

  forget(): void {
    this.lastMatrix = undefined;
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
