/** From a checkpoint to the matrices of a layer, with query, key and value as one. */
import { packVector, type PackedBuffer } from "./pack.js";
import type { IJepaConfig } from "../config/config.js";
import type { NormWeights } from "./encoder-weights.js";

/** The four products of a layer. */
export const PRODUCTS = ["qkv", "projection", "up", "down"] as const;
export type Product = (typeof PRODUCTS)[number];

/**
 * Reads one tensor of the state dict, by its canonical name, as f32.
 * @param into memory of its size that may be used for it
 */
export type TensorReader = (name: string, signal?: AbortSignal, into?: Float32Array) => Promise<Float32Array>;

/** A matrix [cols][inputs] of a layer and where it comes from. */
export interface MatrixPlace {
  /** In packed files. */
  readonly name: string;
  /** Its tensors in the checkpoint: one, or several stacked. */
  readonly tensors: readonly string[];
  readonly cols: number;
  readonly inputs: number;
}

export interface DenseMatrix extends MatrixPlace {
  /** [cols][inputs] f32: in memory that the next matrix is read into. */
  readonly data: Float32Array;
  /** [cols]; zeros for qkv without a bias. */
  readonly bias: Float32Array;
}

export class MatrixReader {
  private memory = new Float32Array(0);

  constructor(
    private readonly config: IJepaConfig,
    readonly read: TensorReader,
  ) {}

  placeOf(layer: number, product: Product): MatrixPlace {
    const { hiddenSize: hidden, intermediateSize: mlp } = this.config, at = `encoder.layer.${layer}`;
    const one = (name: string, cols: number, inputs: number): MatrixPlace => ({ name, tensors: [name], cols, inputs });
    switch (product) {
      case "qkv": {
        const tensors = ["query", "key", "value"].map((part) => `${at}.attention.attention.${part}`);
        return { name: `${at}.attention.qkv`, tensors, cols: 3 * hidden, inputs: hidden };
      }
      case "projection": return one(`${at}.attention.output.dense`, hidden, hidden);
      case "up": return one(`${at}.intermediate.dense`, mlp, hidden);
      case "down": return one(`${at}.output.dense`, hidden, mlp);
    }
  }

  async matrix(layer: number, product: Product, signal?: AbortSignal): Promise<DenseMatrix> {
    const place = this.placeOf(layer, product), data = this.take(place.cols * place.inputs);
    await this.stack(place.tensors.map((name) => `${name}.weight`), data, signal);
    return { ...place, data, bias: await this.bias(place, signal) };
  }

  /** One of the tensors of a matrix, in the same memory as `matrix`. */
  tensor(name: string, { tensors, cols, inputs }: MatrixPlace, signal?: AbortSignal): Promise<Float32Array> {
    return this.read(`${name}.weight`, signal, this.take((cols / tensors.length) * inputs));
  }

  async bias({ tensors, cols }: MatrixPlace, signal?: AbortSignal): Promise<Float32Array> {
    const bias = new Float32Array(cols);
    if (tensors.length === 1 || this.config.qkvBias) await this.stack(tensors.map((name) => `${name}.bias`), bias, signal);
    return bias;
  }

  async norms(layer: number, signal?: AbortSignal): Promise<{ before: NormWeights<PackedBuffer>; after: NormWeights<PackedBuffer> }> {
    const at = `encoder.layer.${layer}`;
    return { before: await this.norm(`${at}.layernorm_before`, signal), after: await this.norm(`${at}.layernorm_after`, signal) };
  }

  async norm(name: string, signal?: AbortSignal): Promise<NormWeights<PackedBuffer>> {
    const vector = async (part: string) => packVector(`${name}.${part}`, await this.read(`${name}.${part}`, signal));
    return { gamma: await vector("weight"), beta: await vector("bias") };
  }

  private take(length: number): Float32Array {
    if (this.memory.length < length) this.memory = new Float32Array(length);
    return this.memory.subarray(0, length);
  }

  /** Tensors of one size, one after the other. */
  private async stack(names: readonly string[], into: Float32Array, signal: AbortSignal | undefined): Promise<void> {
    const size = into.length / names.length;
    for (const [i, name] of names.entries()) {
      const place = into.subarray(i * size, (i + 1) * size), data = await this.read(name, signal, place);
      if (data.buffer !== place.buffer) place.set(data);
    }
  }
}
