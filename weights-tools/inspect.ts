/** A model in, a description of its files, memory and operations out. */
import { BLOCK, PANEL, type Dtype } from "../ts-api/src/core/numerics.js";
import { readOptions, wrongType, type OptionNames } from "../ts-api/src/core/options.js";
import { sizeOf } from "../ts-api/src/core/tensor.js";
import type { IJepaConfig } from "../ts-api/src/config/config.js";
import { partsOf, type FormatOptions } from "../ts-api/src/loading/pack-checkpoint.js";
import type { LayerWeights, NormWeights, PackedParts } from "../ts-api/src/packing/encoder-weights.js";
import type { PackedBuffer } from "../ts-api/src/packing/pack.js";
import { PRODUCTS, type Product } from "../ts-api/src/packing/matrix-reader.js";
import { openCheckpoint } from "../ts-api/src/weights/checkpoint.js";
import type { ModelRef } from "../ts-api/src/weights/model-folder.js";
import { expectedTensors } from "../ts-api/src/weights/tensor-names.js";
import type { PackedInfo } from "../ts-api/src/weights/safetensors/packed-files.js";
import { SOURCE_OPTIONS, type SourceOptions } from "../ts-api/src/weights/source-options.js";
import { estimate, type Estimate } from "./estimate.js";
import { checkSameSize, decibels, squares } from "./measures.js";
import { unpackMatrix } from "./unpack.js";

/** Options of `inspectModel`. Those for the source of a model apply to `source` too. */
export interface InspectOptions extends FormatOptions, SourceOptions {
  /** Side of the image, or [height, width], that memory and operations are estimated for. Default: the configuration's. */
  imageSize?: number | readonly [height: number, width: number] | undefined;
  /** The original of a quantized model: every layer is compared with it. */
  source?: ModelRef | undefined;
}

/** The contents of a model's files. */
export interface InspectReport {
  /** Folder, URL or name of the model. */
  model: string;
  /** Format of the files; undefined for a checkpoint that is not packed. */
  packed: PackedInfo | undefined;
  /** `__metadata__` of the files, together. */
  metadata: Readonly<Record<string, string>>;
  /** Every tensor as it is stored, with its size and its file. */
  tensors: { name: string; dtype: string; shape: readonly number[]; bytes: number; file: string }[];
  /** Bytes of all tensors. */
  bytes: number;
  /** Number of weights of the encoder. */
  parameters: number;
  /** Format that the estimates and errors are for. */
  dtype: Dtype;
  /** Bits that a weight of the layers' matrices takes in that format, scales and padding included. */
  bitsPerWeight: number;
  /** Pixels that the estimates are for. */
  imageSize: readonly [height: number, width: number];
  /** Memory and operations for one image. */
  estimate: Estimate;
  /** With `source`: the errors of every layer. */
  layers: LayerError[] | undefined;
}

/** The matrices of a layer, compared with the original's. */
export interface LayerError {
  /** Number of the layer, from 0. */
  layer: number;
  /** Relative error of the matrix of query, key and value: norm of the difference over the norm of the original. */
  qkv: number;
  /** Relative error of the projection after attention. */
  projection: number;
  /** Relative error of the MLP's first matrix. */
  up: number;
  /** Relative error of the MLP's second matrix. */
  down: number;
  /** Signal to quantization noise of all four, in dB. */
  sqnr: number;
}

const NAMES: OptionNames<InspectOptions> = { ...SOURCE_OPTIONS, dtype: true, groupSize: true, imageSize: true, source: true };

/**
 * Describes a model's files, and what it needs to run. One layer of the weights is read; with `source`, all of them.
 * @throws IJepaError as opening a model; `weights/shape` when `source` is of another size
 */
export async function inspectModel(ref: ModelRef, given: InspectOptions = {}): Promise<InspectReport> {
  const options = readOptions(given, NAMES, "inspectModel"), { source, signal } = options, givenSize = checkImageSize(options.imageSize);
  const checkpoint = await openCheckpoint(ref, options);
  try {
    const { config, packed, metadata } = checkpoint, parts = partsOf(checkpoint, options), { dtype, groupSize = BLOCK } = parts;
    const imageSize = givenSize ?? ([config.imageHeight, config.imageWidth] as const);
    const tensors = [...checkpoint.tensors].map(([name, { dtype: stored, shape, begin, end, file }]) => ({ name, dtype: stored, shape, bytes: end - begin, file }));
    const layers = source === undefined ? undefined : await compareWith(source, config, parts, options);
    const firstLayer = await parts.layer(0, signal);
    const bits = 8 * PRODUCTS.reduce((sum, name) => sum + firstLayer[name].w.bytes.length + (firstLayer[name].scales?.bytes.length ?? 0), 0);
    const { hiddenSize: hidden, intermediateSize: mlp } = config;
    return {
      model: checkpoint.ref,
      packed: packed && { dtype: packed.dtype, groupSize: packed.groupSize, source: packed.source, calibration: packed.calibration },
      metadata,
      tensors,
      bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
      parameters: [...expectedTensors(config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0),
      dtype,
      bitsPerWeight: bits / (4 * hidden * hidden + 2 * hidden * mlp),
      imageSize,
      estimate: estimate(config, dtype, groupSize, imageSize),
      layers,
    };
  } finally {
    await checkpoint.close();
  }
}

function checkImageSize(size: InspectOptions["imageSize"]): readonly [number, number] | undefined {
  if (size === undefined) return undefined;
  const sides: readonly unknown[] = Array.isArray(size) ? size : [size, size];
  if (sides.length === 2 && sides.every((side) => Number.isSafeInteger(side) && (side as number) > 0)) return sides as [number, number];
  throw wrongType("imageSize", "a number of pixels or [height, width]", size);
}

async function compareWith(source: ModelRef, config: IJepaConfig, parts: PackedParts, options: SourceOptions): Promise<LayerError[]> {
  const checkpoint = await openCheckpoint(source, options), { signal } = options;
  try {
    checkSameSize(config, checkpoint.config, checkpoint.ref);
    const original = partsOf(checkpoint, { dtype: checkpoint.packed?.dtype ?? "fp32" });
    const errors: LayerError[] = [];
    for (let layer = 0; layer < parts.layers; layer++) {
      const [actual, expected] = [await parts.layer(layer, signal), await original.layer(layer, signal)];
      const sums = PRODUCTS.map((name) => squares(unbalanced(name, actual, expected), unpackMatrix(expected[name])));
      const [qkv, projection, up, down] = sums.map(({ noise, signal: power }) => Math.sqrt(noise / power));
      const [noise, power] = [sums.reduce((sum, each) => sum + each.noise, 0), sums.reduce((sum, each) => sum + each.signal, 0)];
      errors.push({ layer, qkv, projection, up, down, sqnr: decibels(power, noise) });
    }
    return errors;
  } finally {
    await checkpoint.close();
  }
}

type Layer = LayerWeights<PackedBuffer>;

/** The norm that a matrix reads. */
const NORMS: Partial<Record<Product, "before" | "after">> = { qkv: "before", up: "after" };

/** A matrix as the original has it: int8 moves powers of two from a norm to the matrix behind it. */
function unbalanced(name: Product, actual: Layer, expected: Layer): Float32Array {
  const values = unpackMatrix(actual[name]), norm = NORMS[name];
  if (norm === undefined) return values;
  const { inner } = actual[name], factors = ratios(actual[norm], expected[norm]);
  return values.map((value, i) => value * (factors[Math.floor(i / PANEL) % inner] ?? 1));
}

/** Ratio of two norms' outputs; 1 if they are always 0. */
function ratios(actual: NormWeights<PackedBuffer>, expected: NormWeights<PackedBuffer>): Float32Array {
  const floats = ({ bytes }: PackedBuffer) => new Float32Array(bytes.slice().buffer);
  const [gamma, beta, wantedGamma, wantedBeta] = [actual.gamma, actual.beta, expected.gamma, expected.beta].map(floats);
  return gamma.map((value, k) => (value !== 0 ? value / wantedGamma[k] : beta[k] !== 0 ? beta[k] / wantedBeta[k] : 1));
}
