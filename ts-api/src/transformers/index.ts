/**
 * `ijepa/transformers`: the names, options and habits of transformers.js for what an I-JEPA encoder can do, so that a program changes
 * only its import. Everything is computed by the library.
 */
import { IJepaError } from "../core/errors.js";
import {
  cosineSimilarity, pipeline as open, type Classification, type Numerics, type Pipelines, type Tensor as Base,
} from "../index.js";
import { AutoModel, AutoModelForImageClassification, AutoProcessor, processorOf, type CallableProcessor } from "./models.js";
import { loadModel, loadOptions, type PretrainedOptions, type ProgressEvent } from "./options.js";
import { RawImage, type ImageInput } from "./raw-image.js";
import { concat, withMethods, type Tensor } from "./tensor.js";

export { IJepaError, isIJepaError } from "../core/errors.js";
export { AutoModel, AutoModelForImageClassification, AutoProcessor, type CallableModel, type CallableProcessor, type ModelInputs, type ModelOutputs, type ProcessorOutputs } from "./models.js";
export { env, type PretrainedOptions, type ProgressEvent } from "./options.js";
export { load_image, RawImage, type ImageInput } from "./raw-image.js";
export { Tensor } from "./tensor.js";
/** Loads the image processor of a model: `AutoProcessor`. */
export const AutoImageProcessor = AutoProcessor;
/** Loads the image processor of a model: `AutoProcessor`. */
export const ViTImageProcessor = AutoProcessor;
/** Loads an encoder: `AutoModel`. */
export const IJepaModel = AutoModel;
/** Loads an encoder with a classification head: `AutoModelForImageClassification`. */
export const IJepaForImageClassification = AutoModelForImageClassification;

/** From images to features; a function. */
export interface FeatureExtractionPipeline {
  /**
   * [images, tokens, width]; with pool "mean" or "first", which transformers.js does not have, and with true (the pooler's output)
   * [images, width]. `numerics` is present for a single image.
   */
  (images: ImageInput | readonly ImageInput[], options?: { pool?: boolean | "mean" | "first" | "none" | null; normalize?: boolean }): Promise<Tensor<"float32"> & { numerics?: Numerics }>;
  /** The task that it was opened for. */
  readonly task: "image-feature-extraction";
  /** The library's own model. */
  readonly model: Pipelines["image-feature-extraction"]["model"];
  /** What makes the model's inputs of images. */
  readonly processor: CallableProcessor;
  /** Frees the model, after the calls under way. */
  dispose(): Promise<void>;
}

/** From images to labels; a function. */
export interface ClassificationPipeline {
  /** The labels of an image, or of each; `top_k` of them, default 5. */
  (image: ImageInput, options?: { top_k?: number | null }): Promise<Classification[]>;
  /** The labels of each image. */
  (images: readonly ImageInput[], options?: { top_k?: number | null }): Promise<Classification[][]>;
  /** The task that it was opened for. */
  readonly task: "image-classification";
  /** The library's own model. */
  readonly model: Pipelines["image-classification"]["model"];
  /** What makes the model's inputs of images. */
  readonly processor: CallableProcessor;
  /** Frees the model, after the calls under way. */
  dispose(): Promise<void>;
}

interface Tasks {
  "image-feature-extraction": FeatureExtractionPipeline;
  "image-classification": ClassificationPipeline;
}

/**
 * A task and a model give a function, as in transformers.js.
 *
 * @param model a folder, a URL, or the name of a model on the Hugging Face Hub with safetensors; default: the model of the package
 * @throws IJepaError `input/value` for an unsupported task or option, with the reason; what loading throws
 */
export async function pipeline<T extends keyof Tasks>(task: T, model?: string | null, options: PretrainedOptions = {}): Promise<Tasks[T]> {
  const report = options.progress_callback ?? undefined;
  const isReady = (event: ProgressEvent) => (event.status === "ready" ? { status: "ready" as const, task, model: model ?? "demo" } : event);
  const given = loadOptions(report === undefined ? options : { ...options, progress_callback: (event) => report(isReady(event)) });
  const run = await loadModel(model, (ref) => open(task, ref, given));
  const parts = { task, model: run.model, processor: processorOf(run.processor), dispose: () => run.dispose() };
  if (task === "image-classification") {
    const classify = run as Pipelines["image-classification"];
    const call = async (images: ImageInput | readonly ImageInput[], settings = {}) =>
      Array.isArray(images) ? classify(await readAll(images as readonly ImageInput[]), settings) : classify(await RawImage.read(images as ImageInput), settings);
    return Object.assign(call, parts) as unknown as Tasks[T];
  }
  const extract = run as Pipelines["image-feature-extraction"];
  const call = async (images: ImageInput | readonly ImageInput[], { pool, normalize = false }: { pool?: boolean | "mean" | "first" | "none" | null; normalize?: boolean } = {}) => {
    const loaded = await readAll(Array.isArray(images) ? (images as readonly ImageInput[]) : [images as ImageInput]);
    if (loaded.length === 0) throw new IJepaError("input/missing", "The pipeline needs at least one image.", { name: "images" });
    const features = await extract(loaded, { pool: pool ?? false, normalize });
    return features.length === 1 ? Object.assign(concat(features), { numerics: features[0].numerics }) : concat(features);
  };
  return Object.assign(call, parts) as unknown as Tasks[T];
}

function readAll(images: readonly ImageInput[]): Promise<RawImage[]> {
  return Promise.all(images.map((image) => RawImage.read(image)));
}

/** The cosine of the angle between two vectors. */
export function cos_sim(a: ArrayLike<number> | Base<"float32">, b: ArrayLike<number> | Base<"float32">): number {
  return cosineSimilarity(a, b);
}

/** The sum of the products. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
}

/** The Euclidean norm. */
export function magnitude(values: ArrayLike<number>): number {
  return Math.sqrt(dot(values, values));
}

/** Probabilities that sum to 1; of scores. */
export function softmax(scores: ArrayLike<number>): number[] {
  const most = Array.from(scores).reduce((a, b) => Math.max(a, b), -Infinity), powers = Array.from(scores, (score) => Math.exp(score - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

/** Tensors of the same shape apart from one axis, one behind the other along it. */
export function cat(tensors: readonly Base<"float32">[], dim = 0): Tensor<"float32"> {
  if (dim === 0) return concat(tensors);
  const first = tensors.map((tensor) => withMethods(tensor).transpose(0, dim));
  return concat(first).transpose(0, dim);
}

/** Tensors of the same shape, along a new axis. */
export function stack(tensors: readonly Base<"float32">[], dim = 0): Tensor<"float32"> {
  return cat(tensors.map((tensor) => withMethods(tensor).unsqueeze(dim)), dim);
}

/** Stands in for tokenizers: there are none here. */
export class AutoTokenizer {
  /**
   * There is no tokenizer.
   * @throws IJepaError `input/value`, always
   */
  static async from_pretrained(): Promise<never> {
    throw new IJepaError("input/value", "ijepa reads images: there is no tokenizer. Keep transformers.js for models of text.", { name: "AutoTokenizer", value: undefined });
  }
}
