/** Random configurations, weights and inputs of small models. */
import { IJepaConfig } from "../../ts-api/src/config/config.js";
import { DTYPES, type Dtype } from "../../ts-api/src/core/numerics.js";
import { sizeOf, Tensor } from "../../ts-api/src/core/tensor.js";
import type { ForwardOptions, ModelInputs } from "../../ts-api/src/model/model.js";
import { ACTIVATION_NAMES } from "../../ts-api/src/ops/activation.js";
import { serializeSafetensors, type TensorBytes } from "../../ts-api/src/weights/safetensors/writer.js";
import { expectedTensors } from "../../ts-api/src/weights/tensor-names.js";
import type { Random } from "./random.js";

const SPECIAL = [0, -0, 1e-45, -1e-45, 1.17e-38, 2 ** -50, 2 ** 50, -(2 ** 51), 3.4028234e38, -3.4028234e38, 127, 128, 255, 1 + 2 ** -8, 1 + 2 ** -9, 1e20, 1e-20];
const WIDTHS = [1, 2, 3, 5, 7, 8, 9, 11, 16, 17, 24, 31, 32, 33, 40, 64, 80, 88];
const MLPS = [1, 7, 8, 9, 31, 32, 33, 37, 64, 65, 96, 127, 128, 129, 200, 257, 320];
const MAX_HIDDEN = 260;

export interface EngineCase {
  config: IJepaConfig;
  dtype: Dtype;
  groupSize: 32 | 64;
  images: number;
  maskToken: boolean;
  pooler: boolean;
  files: Record<string, string | Uint8Array>;
  inputs: ModelInputs;
  options: ForwardOptions;
}

export function makeCase(random: Random): EngineCase {
  const config = makeConfig(random), maskToken = random.chance(0.4), images = random.chance(0.2) ? 5 + random.int(8) : 1 + random.int(4);
  const files = { "config.json": JSON.stringify(config), "model.safetensors": serializeSafetensors(makeWeights(random, config)) };
  const { inputs, options } = makeInputs(random, config, images, maskToken);
  return { config, dtype: random.pick(DTYPES), groupSize: random.pick([32, 64]), images, maskToken, pooler: random.chance(0.3), files, inputs, options };
}

function makeConfig(random: Random): IJepaConfig {
  const heads = random.pick([1, 1, 2, 3, 4, 5, 8, 12, 13]);
  let width = random.pick(WIDTHS);
  while (heads * width > MAX_HIDDEN) width = Math.max(1, width >> 1);
  const patchHeight = 1 + random.int(6), patchWidth = random.chance(0.6) ? patchHeight : 1 + random.int(6);
  const rows = 1 + random.int(9), cols = random.chance(0.5) ? rows : 1 + random.int(9);
  return new IJepaConfig({
    hiddenSize: heads * width, numAttentionHeads: heads, intermediateSize: random.pick(MLPS), numHiddenLayers: 1 + random.int(3),
    hiddenAct: random.pick(ACTIVATION_NAMES), poolerAct: random.pick(ACTIVATION_NAMES), poolerOutputSize: 1 + random.int(70),
    layerNormEps: random.pick([1e-12, 1e-6, 1e-6, 1e-37, 1, 1e-3]), qkvBias: random.chance(0.75), numChannels: random.pick([1, 2, 3, 3, 4, 5]),
    patchSize: [patchHeight, patchWidth], imageSize: [rows * patchHeight + random.int(patchHeight), cols * patchWidth + random.int(patchWidth)],
  });
}

/** Near-normal numbers, or of one kind of hostile ones. */
function values(random: Random, count: number, scale: number, hostile: boolean): Float32Array {
  const style = hostile ? random.pick(["outlier", "wide", "special", "zero", "constant"]) : "normal";
  return Float32Array.from({ length: count }, () => {
    const normal = (random.real() + random.real() + random.real() - 1.5) * 2 * scale;
    switch (style) {
      case "outlier": return normal * (random.chance(0.02) ? 100 : 1);
      case "wide": return normal * 2 ** (random.int(60) - 30);
      case "special": return random.chance(0.3) ? random.pick(SPECIAL) : normal;
      case "zero": return 0;
      case "constant": return scale;
      default: return normal;
    }
  });
}

function makeWeights(random: Random, config: IJepaConfig): Map<string, TensorBytes> {
  const hostile = random.chance(0.25), tensors = new Map<string, TensorBytes>();
  for (const [name, shape] of expectedTensors(config, { maskToken: true, pooler: true })) {
    const isGain = /layernorm.*weight$/.test(name), scale = isGain ? 0.3 : name.endsWith(".bias") ? 0.1 : 1 / Math.sqrt(sizeOf(shape.slice(1)));
    const data = values(random, sizeOf(shape), hostile ? random.pick([1, 1e-3, 30, 1e15, 1e-15]) : scale, hostile && random.chance(0.5));
    if (isGain && !hostile) data.forEach((value, i) => (data[i] = 1 + value));
    const half = random.chance(0.3), words = new Uint32Array(data.buffer);
    tensors.set(name, { dtype: half ? "BF16" : "F32", shape, bytes: new Uint8Array(half ? Uint16Array.from(words, (word) => word >>> 16).buffer : data.buffer) });
  }
  return tensors;
}

function makeInputs(random: Random, config: IJepaConfig, images: number, maskToken: boolean): Pick<EngineCase, "inputs" | "options"> {
  const isSquare = Number.isInteger(Math.sqrt(config.numPatches)), interpolate = isSquare && random.chance(0.3);
  const [rows, cols] = interpolate ? [1 + random.int(9), 1 + random.int(9)] : [config.gridHeight, config.gridWidth];
  const [height, width] = interpolate ? [rows * config.patchHeight, cols * config.patchWidth] : [config.imageHeight, config.imageWidth];
  const dims = [images, config.numChannels, height, width];
  const inputs: ModelInputs = { pixelValues: new Tensor("float32", values(random, sizeOf(dims), 1, random.chance(0.3)), dims), interpolatePosEncoding: interpolate };
  let tokens = rows * cols;
  if (random.chance(0.3)) {
    const kept = 1 + random.int(Math.min(2 * tokens, 60)), patches = Int32Array.from({ length: images * kept }, () => random.int(tokens));
    inputs.keepPatches = new Tensor("int32", patches, [images, kept]);
    tokens = kept;
  }
  const bits = () => new Tensor("int32", Int32Array.from({ length: images * tokens }, () => random.int(2)), [images, tokens]);
  if (maskToken) inputs.boolMaskedPos = bits();
  if (random.chance(0.25)) inputs.attentionMask = bits();
  if (random.chance(0.25)) {
    inputs.headMask = new Tensor("float32", Float32Array.from({ length: config.numAttentionHeads }, () => random.pick([0, 1, 0.5, -2, 1e-30])), [config.numAttentionHeads]);
  }
  return { inputs, options: { outputHiddenStates: random.chance(0.6), outputAttentions: random.chance(0.3) } };
}
