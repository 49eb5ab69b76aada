/**
 * The weights of the encoder in parts: the embedding, each layer, the final norm. B holds the bytes of a buffer: packed and on
 * the host (PackedBuffer), or as a tensor of a backend.
 */
import type { Dtype, Group } from "../core/numerics.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { Matrix, PackedBuffer } from "./pack.js";
import type { ReadBuffer } from "../core/read-buffer.js";

export interface LinearWeights<B = DeviceTensor> extends Matrix<B> {
  bias: B;
}

export interface NormWeights<B = DeviceTensor> {
  gamma: B;
  beta: B;
}

export interface EmbeddingWeights<B = DeviceTensor> {
  /** [hidden][2 * inner]: the weights twice, for the two bf16 parts of the pixels; once in fp32. */
  patches: LinearWeights<B>;
}

export interface LayerWeights<B = DeviceTensor> {
  before: NormWeights<B>;
  /** Query, key and value, one below the other: [3 * hidden][hidden]. */
  qkv: LinearWeights<B>;
  projection: LinearWeights<B>;
  after: NormWeights<B>;
  up: LinearWeights<B>;
  down: LinearWeights<B>;
}

/**
 * A source of packed weights, one part at a time; nothing is kept. The signal stops reading: IJepaError `aborted`. Bytes of packed files
 * are read into `into`, if given: the next part overwrites them.
 */
export interface PackedParts {
  /** Format of the layers' matrices. */
  readonly dtype: Dtype;
  /** int4: inputs of one scale. */
  readonly groupSize: Group | undefined;
  readonly layers: number;
  embedding(signal?: AbortSignal, into?: ReadBuffer): Promise<EmbeddingWeights<PackedBuffer>>;
  /** [patches][hidden] f32: they stay on the host, which interpolates them for other image sizes. */
  positions(signal?: AbortSignal): Promise<Float32Array>;
  layer(index: number, signal?: AbortSignal, into?: ReadBuffer): Promise<LayerWeights<PackedBuffer>>;
  final(signal?: AbortSignal, into?: ReadBuffer): Promise<NormWeights<PackedBuffer>>;
}

export function mapNorm<A, B>({ gamma, beta }: NormWeights<A>, each: (buffer: A) => B): NormWeights<B> {
  return { gamma: each(gamma), beta: each(beta) };
}

export function mapLinear<A, B>({ w, scales, bias, ...shape }: LinearWeights<A>, each: (buffer: A) => B): LinearWeights<B> {
  return { ...shape, w: each(w), scales: scales === undefined ? undefined : each(scales), bias: each(bias) };
}

/** The same layer with `each` of its buffers, in the order in which a pass needs them. */
export function mapLayer<A, B>(layer: LayerWeights<A>, each: (buffer: A) => B): LayerWeights<B> {
  return {
    before: mapNorm(layer.before, each),
    qkv: mapLinear(layer.qkv, each),
    projection: mapLinear(layer.projection, each),
    after: mapNorm(layer.after, each),
    up: mapLinear(layer.up, each),
    down: mapLinear(layer.down, each),
  };
}

export function buffersOfNorm<B>({ gamma, beta }: NormWeights<B>): B[] {
  return [gamma, beta];
}

export function buffersOfEmbedding<B>(embedding: EmbeddingWeights<B>): B[] {
  return buffersOfLinear(embedding.patches);
}

/** The buffers of a layer, in the order of `mapLayer`. */
export function buffersOfLayer<B>({ before, qkv, projection, after, up, down }: LayerWeights<B>): B[] {
  return [
    ...buffersOfNorm(before), ...buffersOfLinear(qkv), ...buffersOfLinear(projection),
    ...buffersOfNorm(after), ...buffersOfLinear(up), ...buffersOfLinear(down),
  ];
}

export function buffersOfLinear<B>({ w, scales, bias }: LinearWeights<B>): B[] {
  return scales === undefined ? [w, bias] : [w, scales, bias];
}
