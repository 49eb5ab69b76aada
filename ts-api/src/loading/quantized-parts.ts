/**
 * Packs the parts of a checkpoint for int8 and int4. The inputs of every matrix are measured before it is quantized (`calibrate`), so the
 * matrix is also packed in bf16 and run.
 */
import type { Backend } from "../backends/backend.js";
import { inputWeights, MomentSource, type MomentOptions, type Moments } from "../calibrate/input-moments.js";
import type { IJepaConfig } from "../config/config.js";
import { throwIfAborted } from "../core/errors.js";
import { BLOCK, type Group } from "../core/numerics.js";
import type { LinearWeights, NormWeights, PackedParts } from "../packing/encoder-weights.js";
import { MatrixReader, type DenseMatrix, type Product, type TensorReader } from "../packing/matrix-reader.js";
import { packInt4, packInt8, packVector, type PackedBuffer } from "../packing/pack.js";
import { balance, scaleInputs, scaleMoments } from "../quantize/balance.js";
import { openQuantizer, type Quantizer } from "../quantize/quantizer.js";
import { packDense, plainParts, withBias } from "./plain-parts.js";

/** How int8 and int4 are made. */
export interface QuantizeOptions extends MomentOptions {
  /** int4: inputs of one scale. Default 32. */
  group?: Group | undefined;
}

/** Calibration runs on the model's GPU, if it has one: builds for GPUs may have no CPU backend, and a GPU is faster. */
export function gpuOf(backend: Backend): Pick<QuantizeOptions, "backend"> {
  return { backend: backend.id === "webgpu" ? backend : undefined };
}

/** Each matrix is quantized and then used for the bf16 run, so it is read only once. */
export function quantizedParts(config: IJepaConfig, dtype: "int8" | "int4", read: TensorReader, options: QuantizeOptions): PackedParts {
  // The embedding is requested twice: for the model, and for the calibration run.
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
    dtype,
    groupSize: dtype === "int4" ? group : undefined,
    async layer(index, signal) {
      throwIfAborted(signal, `packing layer ${index}`);
      try {
        const quantize = await (quantizer ??= openQuantizer()), made: Partial<Record<Product, LinearWeights<PackedBuffer>>> = {};
        const norms = { ...(await layers.norms(index)) };
        await moments.layer(index, async (product, inputs) => {
          const matrix = await layers.matrix(index, product);
          if (dtype === "int4") {
            made[product] = toInt4(quantize, matrix, group, inputs);
            return;
          }
          const norm = BEHIND[product], factors = norm && balance(matrix.data, matrix.cols, matrix.inputs, inputs);
          if (norm !== undefined) norms[norm] = dividedNorm(norms[norm], factors!);
          made[product] = toInt8(quantize, matrix, inputs, factors);
        });
        return { ...norms, ...(made as Record<Product, LinearWeights<PackedBuffer>>) };
      } finally {
        kept.clear();
        layers.forget();
      }
    },
  };
}

/** Products that are the only reader of a layer norm. */
const BEHIND: Partial<Record<Product, "before" | "after">> = { qkv: "before", up: "after" };

/** Quantizes to int4, and corrects the bias for the mean error of rounding. */
function toInt4(quantizer: Quantizer, { name, data, bias, cols, inputs }: DenseMatrix, group: Group, moments: Moments): LinearWeights<PackedBuffer> {
  const matrix = quantizer.int4(data, cols, inputs, group, inputWeights(moments));
  return withBias(name, packInt4(name, matrix, cols, inputs), bias.map((value, c) => value + matrix.shift[c]));
}

/** Quantizes to int8 likewise; its inputs are divided by `factors`. */
function toInt8(quantizer: Quantizer, dense: DenseMatrix, moments: Moments, factors: Float32Array | undefined): LinearWeights<PackedBuffer> {
  const { name, data, bias, cols, inputs } = dense;
  const [weights, seen] = factors === undefined ? [data, moments] : [scaleInputs(data, inputs, factors), scaleMoments(moments, factors)];
  const matrix = quantizer.int8(weights, cols, inputs, inputWeights(seen));
  return withBias(name, packInt8(name, matrix, cols, inputs), bias.map((value, c) => value + matrix.shift[c]));
}

function dividedNorm({ gamma, beta }: NormWeights<PackedBuffer>, factors: Float32Array): NormWeights<PackedBuffer> {
  const divided = ({ name, bytes }: PackedBuffer) => packVector(name, new Float32Array(bytes.slice().buffer).map((value, k) => value / factors[k]));
  return { gamma: divided(gamma), beta: divided(beta) };
}

/** Keeps the norms and the matrix that were read last: they are needed twice. */
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
    // Reading overwrites it, even if it fails.
    this.forget();
    const matrix = await this.reader.matrix(layer, product);
    this.lastMatrix = { layer, product, matrix };
    return matrix;
  }

  forget(): void {
    this.lastMatrix = undefined;
  }
}
