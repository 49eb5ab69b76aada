/** The encoder in double precision, as plain as it can be written: the truth for options that no golden covers. */
import type { Checkpoint } from "../../ts-api/src/weights/checkpoint.js";
import type { Pixels } from "../../ts-api/src/encoder/pixels.js";

/** Rows of numbers. */
type Matrix = number[][];

export interface DoubleOptions {
  /** Patches to encode; default all. */
  keep?: readonly number[];
  /** 0 where nobody attends to the token. */
  attentionMask?: readonly number[];
}

/** lastHiddenState of the first image, [tokens][hidden]; the MLP's activation is gelu. */
export async function encodeDouble(checkpoint: Checkpoint, pixels: Pixels, options: DoubleOptions = {}): Promise<Matrix> {
  const { config } = checkpoint, { hiddenSize, layerNormEps, headDim, numAttentionHeads } = config;
  const keep = options.keep ?? Array.from({ length: config.numPatches }, (_, i) => i);
  const vector = async (name: string) => Array.from(await checkpoint.tensor(name));
  const rows = async (name: string, width: number): Promise<Matrix> => {
    const data = await vector(name);
    return Array.from({ length: data.length / width }, (_, i) => data.slice(i * width, (i + 1) * width));
  };
  const dense = async (name: string, x: Matrix) => {
    const weight = await rows(`${name}.weight`, x[0].length), bias = await vector(`${name}.bias`);
    return x.map((row) => weight.map((w, c) => dot(row, w) + bias[c]));
  };
  const norm = async (name: string, x: Matrix) => {
    const gamma = await vector(`${name}.weight`), beta = await vector(`${name}.bias`);
    return x.map((row) => {
      const mean = sum(row) / row.length, variance = sum(row.map((v) => (v - mean) ** 2)) / row.length;
      return row.map((v, c) => ((v - mean) / Math.sqrt(variance + layerNormEps)) * gamma[c] + beta[c]);
    });
  };

  const positions = await rows("embeddings.position_embeddings", hiddenSize);
  const patches = await dense("embeddings.patch_embeddings.projection", keep.map((patch) => patchOf(pixels, patch, config.patchHeight, config.patchWidth)));
  let x = add(patches, keep.map((patch) => positions[patch]));
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = `encoder.layer.${i}`, entered = await norm(`${layer}.layernorm_before`, x);
    const [q, k, v] = await Promise.all(["query", "key", "value"].map((part) => dense(`${layer}.attention.attention.${part}`, entered)));
    const mixed = q.map((row, token) => {
      const heads = Array.from({ length: numAttentionHeads }, (_, head) => {
        const slice = (values: number[]) => values.slice(head * headDim, (head + 1) * headDim);
        const p = softmax(k.map((key, j) => (options.attentionMask?.[j] === 0 ? -1e300 : dot(slice(q[token]), slice(key)) / Math.sqrt(headDim))));
        return slice(row).map((_, d) => sum(p.map((weight, j) => weight * v[j][head * headDim + d])));
      });
      return heads.flat();
    });
    x = add(await dense(`${layer}.attention.output.dense`, mixed), x);
    const up = await dense(`${layer}.intermediate.dense`, await norm(`${layer}.layernorm_after`, x));
    x = add(await dense(`${layer}.output.dense`, up.map((row) => row.map((value) => value * phi(value)))), x);
  }
  return norm("layernorm", x);
}

/** Channel, row, column. */
function patchOf({ data, height, width }: Pixels, patch: number, patchHeight: number, patchWidth: number): number[] {
  const columns = Math.floor(width / patchWidth), values: number[] = [];
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < patchHeight; y++) {
      for (let x = 0; x < patchWidth; x++) {
        values.push(data[(channel * height + Math.floor(patch / columns) * patchHeight + y) * width + (patch % columns) * patchWidth + x]);
      }
    }
  }
  return values;
}

function softmax(scores: number[]): number[] {
  const top = Math.max(...scores), powers = scores.map((s) => Math.exp(s - top)), total = sum(powers);
  return powers.map((power) => power / total);
}

function add(a: Matrix, b: Matrix): Matrix {
  return a.map((row, i) => row.map((v, c) => v + b[i][c]));
}

function dot(a: number[], b: number[]): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

function sum(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** erfc(z) / 2 for z >= 0: one half minus the Taylor series near zero, a continued fraction beyond. */
function halfErfc(z: number): number {
  if (z < 2) {
    let term = z, sum = z;
    for (let n = 1; n < 60; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return 0.5 - sum / Math.sqrt(Math.PI);
  }
  let fraction = z;
  for (let n = 60; n >= 1; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / fraction / Math.sqrt(Math.PI) / 2;
}

/** The standard normal's distribution. */
export function phi(x: number): number {
  return x < 0 ? halfErfc(-x / Math.SQRT2) : 1 - halfErfc(x / Math.SQRT2);
}
