/** From a configuration to the bytes and operations that the model needs. */
import { isCodebook } from "../ts-api/src/core/codebooks.js";
import { BLOCK, PANEL, roundUp, type Dtype, type Group } from "../ts-api/src/core/numerics.js";
import type { IJepaConfig } from "../ts-api/src/config/config.js";
import { bufferDescs, embeddingCalls, embeddingInputs, finalCalls, layerCalls, passSize, restFormat, type Buffers } from "../ts-api/src/encoder/plan.js";
import type { LinearWeights } from "../ts-api/src/packing/encoder-weights.js";
import { bytesOf, type DeviceTensor } from "../ts-api/src/ops/contract.js";
import { workOf } from "../ts-api/src/ops/table.js";

/** Bytes of a loaded model. */
export interface Estimate {
  /** Of one image. */
  tokens: number;
  /** Operations for one image: one multiply and one add are two. */
  flop: number;
  /** Bytes of weights and buffers while one image is computed, with all layers loaded. The program itself is not included. */
  resident: number;
  /**
   * The same with two layers loaded (`resident: false`): the one that computes and the next, which is on the GPU too, or in the host's
   * memory.
   */
  streamed: number;
}

/** Sizes are all that matters. */
const NOTHING: DeviceTensor = { name: "", type: "f32", dims: [], bytes: 0 };

export function estimate(config: IJepaConfig, dtype: Dtype, group: Group, imageSize: readonly [height: number, width: number]): Estimate {
  const size = passSize(config, 1, ...imageSize), { hiddenSize: hidden, intermediateSize: mlp, numHiddenLayers: layers, patchInputs } = config;
  const linear = (format: Dtype, cols: number, inputs: number): LinearWeights => ({ format, cols, inner: roundUp(inputs, BLOCK), w: NOTHING, bias: NOTHING });
  const rest = restFormat(dtype), norm = { gamma: NOTHING, beta: NOTHING };
  const patches = linear(rest, hidden, embeddingInputs(rest, patchInputs));
  const [qkv, projection, up, down] = [linear(dtype, 3 * hidden, hidden), linear(dtype, hidden, hidden), linear(dtype, mlp, hidden), linear(dtype, hidden, mlp)];

  const buffers = new Proxy({}, { get: () => NOTHING }) as Buffers;
  const layer = { before: norm, qkv, projection, after: norm, up, down };
  const operations = (calls: Parameters<typeof workOf>[0][]) => calls.reduce((sum, call) => sum + workOf(call).operations, 0);
  const ends = [...embeddingCalls(config, size, { patches }, NOTHING, size.tokens, buffers), ...finalCalls(config, size, norm, buffers)];
  const flop = operations(ends) + layers * operations(layerCalls(config, dtype, size, layer, buffers));

  const descs = Object.values(bufferDescs(config, dtype, size)).filter((desc) => desc !== undefined);
  const working = descs.reduce((sum, desc) => sum + bytesOf(desc), 0) + size.tokens * hidden * 4;
  const layerBytes = [qkv, projection, up, down].reduce((sum, matrix) => sum + matrixBytes(matrix, group), 4 * hidden * 4);
  const fixed = working + matrixBytes(patches, group) + 2 * hidden * 4;
  return { tokens: size.tokens, flop, resident: fixed + layers * layerBytes, streamed: fixed + Math.min(2, layers) * layerBytes };
}

/** Weights, scales and bias of a matrix. */
function matrixBytes({ format, cols, inner }: LinearWeights, group: Group): number {
  const padded = roundUp(cols, PANEL), bias = padded * 4;
  if (format === "fp32") return padded * inner * 4 + bias;
  if (format === "bf16") return padded * inner * 2 + bias;
  if (format === "int8") return padded * inner + padded * (inner / BLOCK) * 2 + bias;
  // bitsandbytes' blocks of 64, or 32 if a row is not a multiple of 64.
  const [inputs, scale] = isCodebook(format) ? [inner % 64 === 0 ? 64 : BLOCK, 4] : [group, 2];
  return (padded * inner) / 2 + padded * Math.ceil(inner / inputs) * scale + bias;
}
