/** The pipeline `image-feature-extraction`: images in, features out. */
import { IJepaError } from "../core/errors.js";
import { digestOf, type Numerics } from "../core/numerics.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import type { Tensor } from "../core/tensor.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import { loadImage, type ImageSource } from "../image/source.js";
import { IJepaModel, type ModelLoadOptions, type ModelOutput } from "../model/model.js";
import { firstToken, meanPool, normalizeRows } from "../model/pooling.js";
import type { ModelRef } from "../weights/model-folder.js";
import { processorOf } from "./processor.js";

/** Options of one call of the pipeline. */
export interface ExtractOptions {
  /**
   * "none" or false (default): all tokens, [1, tokens, width]. "mean": the mean of the tokens, [1, width]. "first": the first
   * token, [1, width]. true: Hugging Face's meaning, the pooler's output; the pipeline must be opened with `addPoolingLayer`.
   */
  pool?: "mean" | "first" | "none" | boolean;
  /** Divide each row of the last axis by its Euclidean norm. Default false. */
  normalize?: boolean;
  /**
   * true (default, as in transformers.js): a tensor. false (Hugging Face's default): the same numbers as nested arrays, without
   * `numerics`.
   */
  return_tensors?: boolean;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Most pixels of an image. Default: Pillow's limit. */
  maxPixels?: number | undefined;
  /** Refuse damaged images, even where their pixels can be read. Default false. */
  strict?: boolean | undefined;
  /** Longest download of an image from a URL, in milliseconds. Default 60000. */
  timeout?: number | undefined;
}

/**
 * The features of one image, and how they were made: `numerics.digest` is the digest of these bits; `warnings` say what is wrong with its
 * file.
 */
export type Features = Tensor<"float32"> & { numerics: Numerics; warnings: readonly string[] };

/** The features of one image as arrays: [1][tokens][width], pooled [1][width]. */
export type NestedFeatures = number[][] | number[][][];

type AsArrays = ExtractOptions & { return_tensors: false };
type AsTensors = ExtractOptions & { return_tensors?: true };

/** From images to features. A list gives a list, as in Hugging Face's pipeline. */
export interface ImageFeatureExtractionPipeline {
  /** The features of an image as nested arrays. Throws the same errors as for tensors. */
  (image: ImageSource, options: AsArrays): Promise<NestedFeatures>;
  /** The features of each image as nested arrays. Throws the same errors as for tensors. */
  (images: readonly ImageSource[], options: AsArrays): Promise<NestedFeatures[]>;
  /**
   * The features of an image: [1, tokens, width], or [1, width] with `pool`.
   * @throws IJepaError `image/*`, `io/read`, `input/*`, `backend/*`, `aborted`
   */
  (image: ImageSource, options?: AsTensors): Promise<Features>;
  /** The features of each image. Throws the same errors as for one. */
  (images: readonly ImageSource[], options?: AsTensors): Promise<Features[]>;
  /** The model that computes. */
  readonly model: IJepaModel;
  /** Turns images into the model's inputs. */
  readonly processor: IJepaImageProcessor;
  /** Frees the model, after pending calls. */
  dispose(): Promise<void>;
}

const NAMES: OptionNames<ExtractOptions> = { pool: true, normalize: "boolean", return_tensors: "boolean", signal: "AbortSignal", maxPixels: "number", strict: "boolean", timeout: "number" };
const POOLS: readonly unknown[] = ["mean", "first", "none", true, false];

/** Loads the model and its image processor; `ref` and `options` are those of IJepaModel.fromPretrained. */
export async function imageFeatureExtraction(ref?: ModelRef, options?: ModelLoadOptions): Promise<ImageFeatureExtractionPipeline> {
  const model = await IJepaModel.fromPretrained(ref, options);
  const processor = await processorOf(model);

  const extractOne = async (image: ImageSource, extractOptions: ExtractOptions): Promise<Features | NestedFeatures> => {
    const { pool = "none", normalize = false, return_tensors: asTensors = true, signal, maxPixels, strict = false, timeout } = extractOptions;
    if (!POOLS.includes(pool)) throw new IJepaError("input/value", `pool must be one of ${POOLS.join(", ")}, not ${show(pool)}.`, { name: "pool", value: pool });
    const loaded = await loadImage(image, { signal, strict, timeout, ...(maxPixels === undefined ? {} : { maxPixels }) });
    const output = await model.forward(processor.preprocess(loaded), { signal });
    const pooled = poolOutput(output, pool), features = normalize ? normalizeRows(pooled) : pooled;
    if (!asTensors) return features.tolist() as NestedFeatures;
    const digest = features === output.lastHiddenState ? output.numerics.digest : await digestOf(features.data);
    return Object.assign(features, { numerics: { ...output.numerics, digest }, warnings: loaded.warnings ?? [] });
  };

  async function extract(images: ImageSource | readonly ImageSource[], given?: ExtractOptions): Promise<unknown> {
    const extractOptions = readOptions(given, NAMES, "extract");
    if (!Array.isArray(images)) return extractOne(images as ImageSource, extractOptions);
    const features: (Features | NestedFeatures)[] = [];
    for (const image of images as readonly ImageSource[]) features.push(await extractOne(image, extractOptions));
    return features;
  }

  return Object.assign(extract as ImageFeatureExtractionPipeline, { model, processor, dispose: () => model.dispose() });
}

function poolOutput({ lastHiddenState, poolerOutput }: ModelOutput, pool: ExtractOptions["pool"]): Tensor<"float32"> {
  if (pool === "mean") return meanPool(lastHiddenState);
  if (pool === "first") return firstToken(lastHiddenState);
  if (pool !== true) return lastHiddenState;
  if (poolerOutput !== undefined) return poolerOutput;
  const message = "No pooled output was returned. Make sure the model has a `pooler` layer when using the `pool` option: open the pipeline with addPoolingLayer.";
  throw new IJepaError("input/missing", message, { name: "poolerOutput" });
}
