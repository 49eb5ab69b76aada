/** Two models and some images in, the distance between their features out. */
import { checkList, readOptions, type OptionNames } from "../ts-api/src/core/options.js";
import type { Dtype } from "../ts-api/src/core/numerics.js";
import type { Tensor } from "../ts-api/src/core/tensor.js";
import { loadImage, type ImageSource } from "../ts-api/src/image/source.js";
import { IJepaModel, type LoadOptions } from "../ts-api/src/model/model.js";
import { cosineSimilarity, meanPool } from "../ts-api/src/model/pooling.js";
import { processorOf } from "../ts-api/src/pipelines/processor.js";
import { openCheckpoint } from "../ts-api/src/weights/checkpoint.js";
import type { ModelRef } from "../ts-api/src/weights/model-folder.js";
import { SOURCE_OPTIONS, type SourceOptions } from "../ts-api/src/weights/source-options.js";
import { checkSameSize, decibels, rowCosines, squares } from "./measures.js";

/** The options for the source of a model apply to both. */
export interface CompareOptions extends SourceOptions, Pick<LoadOptions, "device" | "threads" | "revectorize"> {
  /** Format of the first model, the reference. Default: that of its files if they are in four bits or packed, else "fp32". */
  dtypeA?: Dtype | undefined;
  /** Format of the second. Default likewise, else "bf16". */
  dtypeB?: Dtype | undefined;
}

/** The distance between the features of two models. */
export interface CompareReport {
  /** The reference: its weight format, and the digest of its outputs. */
  a: { dtype: Dtype; digest: string };
  /** The other model, likewise. */
  b: { dtype: Dtype; digest: string };
  /** Images that both computed. */
  images: number;
  /**
   * Signal to noise in dB of the hidden states, over all images: after the embedding, after each layer, and last the output; Infinity if
   * nothing differs.
   */
  sqnr: number[];
  /** Cosine of each output token with the reference's. */
  tokens: { mean: number; percentile1: number; minimum: number };
  /** Cosine of the mean-pooled outputs, mean and minimum over the images. */
  pooled: { mean: number; minimum: number };
}

const NAMES: OptionNames<CompareOptions> = { ...SOURCE_OPTIONS, device: true, threads: true, revectorize: true, dtypeA: true, dtypeB: true };

/**
 * How close model `b` is to `a` on some images, which `a`'s image processor prepares for both.
 * @throws IJepaError as loading models and images; `weights/shape` for models of different size; TypeError without images
 */
export async function compareModels(a: ModelRef, b: ModelRef, images: readonly ImageSource[], given: CompareOptions = {}): Promise<CompareReport> {
  const options = readOptions(given, NAMES, "compareModels");
  checkList("images", images, "a list of images");
  if (images.length === 0) throw new TypeError("compareModels needs at least one image.");
  const { dtypeA, dtypeB, ...rest } = options, { signal } = options;
  const reference = await open(a, dtypeA, "fp32", rest);
  try {
    const other = await open(b, dtypeB, "bf16", rest);
    try {
      checkSameSize(reference.config, other.config, typeof b === "string" ? b : b.name);
      const processor = await processorOf(reference), { hiddenSize } = reference.config;
      const sums = Array.from({ length: reference.config.numHiddenLayers + 2 }, () => ({ noise: 0, signal: 0 }));
      const tokens: number[] = [], pooled: number[] = [], digests = ["", ""];
      for (const image of images) {
        const inputs = processor.preprocess(await loadImage(image, { signal }));
        const [expected, actual] = [
          await reference.forward(inputs, { signal, outputHiddenStates: true }),
          await other.forward(inputs, { signal, outputHiddenStates: true }),
        ];
        const states = (output: typeof expected): Tensor<"float32">[] => [...output.hiddenStates!, output.lastHiddenState];
        const [wanted, got] = [states(expected), states(actual)];
        for (const [i, sum] of sums.entries()) {
          const { noise, signal: power } = squares(got[i].data, wanted[i].data);
          sum.noise += noise;
          sum.signal += power;
        }
        for (const cosine of rowCosines(actual.lastHiddenState.data, expected.lastHiddenState.data, hiddenSize)) tokens.push(cosine);
        pooled.push(cosineSimilarity(meanPool(actual.lastHiddenState), meanPool(expected.lastHiddenState)));
        if (image === images[0]) [digests[0], digests[1]] = [expected.numerics.digest, actual.numerics.digest];
      }
      tokens.sort((x, y) => x - y);
      return {
        a: { dtype: reference.dtype, digest: digests[0] },
        b: { dtype: other.dtype, digest: digests[1] },
        images: images.length,
        sqnr: sums.map((sum) => decibels(sum.signal, sum.noise)),
        tokens: { mean: mean(tokens), percentile1: tokens[Math.floor(0.01 * (tokens.length - 1))], minimum: tokens[0] },
        pooled: { mean: mean(pooled), minimum: Math.min(...pooled) },
      };
    } finally {
      await other.dispose();
    }
  } finally {
    await reference.dispose();
  }
}

async function open(ref: ModelRef, dtype: Dtype | undefined, fallback: Dtype, options: Omit<CompareOptions, "dtypeA" | "dtypeB">): Promise<IJepaModel> {
  const { packed, quantized, close } = await openCheckpoint(ref, options);
  await close();
  return IJepaModel.fromPretrained(ref, { ...options, dtype: dtype ?? packed?.dtype ?? quantized ?? fallback });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
