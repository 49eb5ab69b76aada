/** Packs the parts of a checkpoint for fp32, bf16, nf4 and fp4, which need no calibration. */
import type { IJepaConfig } from "../config/config.js";
import { isCodebook, type CodebookName } from "../core/codebooks.js";
import { BLOCK, PANEL, roundUp, type Dtype } from "../core/numerics.js";
import { embeddingInputs, restFormat } from "../encoder/plan.js";
import type { EmbeddingWeights, LinearWeights, PackedParts } from "../packing/encoder-weights.js";
import { MatrixReader, type DenseMatrix, type MatrixPlace, type Product, type TensorReader } from "../packing/matrix-reader.js";
import { packCodes, packMatrix, packVector, type Matrix, type PackedBuffer } from "../packing/pack.js";
import { encode, type CodedMatrix } from "../quantize/bitsandbytes.js";

/** Reads a matrix that the checkpoint has in four bits; undefined for others. */
export type CodeReader = (name: string, signal?: AbortSignal) => Promise<CodedMatrix | undefined>;

export function plainParts(config: IJepaConfig, dtype: Dtype, read: TensorReader, readCodes: CodeReader): PackedParts {
  const reader = new MatrixReader(config, read);
  const linear = (layer: number, product: Product, signal?: AbortSignal) =>
    isCodebook(dtype) ? coded(reader, reader.placeOf(layer, product), dtype, readCodes, signal) : dense(reader, layer, product, dtype, signal);
  return {
    dtype,
    groupSize: undefined,
    layers: config.numHiddenLayers,
    embedding: (signal) => embeddingPart(config, dtype, (name) => read(name, signal)),
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

export function packDense(format: Dtype, { name, data, bias, cols, inputs }: DenseMatrix): LinearWeights<PackedBuffer> {
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

export async function embeddingPart(config: IJepaConfig, dtype: Dtype, read: (name: string) => Promise<Float32Array>): Promise<EmbeddingWeights<PackedBuffer>> {
  const { hiddenSize: hidden, patchInputs } = config;
  const name = "embeddings.patch_embeddings.projection", format = restFormat(dtype);
  const weight = await read(`${name}.weight`), bias = await read(`${name}.bias`);
  const matrix = format === "fp32" ? weight : twice(weight, hidden, patchInputs);
  return { patches: withBias(name, packMatrix(name, format, matrix, hidden, embeddingInputs(format, patchInputs)), bias) };
}

export function withBias(name: string, matrix: Matrix<PackedBuffer>, bias: Float32Array): LinearWeights<PackedBuffer> {
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
