/**
 * `ijepa/transformers`: the names, options and habits of transformers.js for what an I-JEPA encoder can do, so that a program changes
 * only its import. Everything is computed by the library.
 */
import { IJepaError } from "../core/errors.js";
import {
  pipeline as open, type Classification, type IJepaForImageClassification as Classifier, type IJepaModel as Encoder, type Numerics, type Pipelines,
} from "../index.js";
import { AutoModel, AutoModelForImageClassification, AutoProcessor, callable, processorOf, type CallableModel, type CallableProcessor } from "./models.js";
import { loadModel, loadOptions, optionsOf, type PretrainedOptions, type ProgressEvent } from "./options.js";
import { readRgb, type ImageInput, type RawImage } from "./raw-image.js";
import { refused } from "./refused.js";
import { concat } from "./tensor-functions.js";
import type { Tensor } from "./tensor.js";

export { IJepaError, isIJepaError } from "../core/errors.js";
export { AutoModel, AutoModelForImageClassification, AutoProcessor, type CallableModel, type CallableProcessor, type ModelInputs, type ModelOutputs, type ProcessorOutputs, type SettableProcessor } from "./models.js";
export { cos_sim, dot, log_softmax, magnitude, max, min, softmax } from "./maths.js";
export { env, LogLevel, type PretrainedOptions, type ProgressEvent } from "./options.js";
export { load_image, RawImage, type ImageInput } from "./raw-image.js";
export {
  cat, full, full_like, interpolate, interpolate_4d, layer_norm, matmul, mean, mean_pooling, ones, ones_like, permute, quantize_embeddings, slice, stack, std_mean, topk, zeros, zeros_like,
} from "./tensor-functions.js";
export { Tensor } from "./tensor.js";
/** Loads the image processor of a model: `AutoProcessor`. */
export const AutoImageProcessor = AutoProcessor;
/** Loads the image processor of a model: `AutoProcessor`. */
export const AutoFeatureExtractor = AutoProcessor;
/** Loads the image processor of a model: `AutoProcessor`. */
export const ViTFeatureExtractor = AutoProcessor;
/** Loads an encoder: `AutoModel`. */
export const AutoModelForImageFeatureExtraction = AutoModel;
/** Loads the image processor of a model: `AutoProcessor`. */
export const ViTImageProcessor = AutoProcessor;
/** Loads an encoder: `AutoModel`. */
export const IJepaModel = AutoModel;
/** Loads an encoder with a classification head: `AutoModelForImageClassification`. */
export const IJepaForImageClassification = AutoModelForImageClassification;

/** Options of a call of the pipeline from images to features. */
export interface ExtractOptions {
  /** true: the pooler's output; "mean" of the tokens or the "first", which transformers.js does not have; none by default. */
  pool?: boolean | "mean" | "first" | "none" | null;
  /** The name that the pipeline for text has: "mean" or "none". */
  pooling?: "mean" | "none" | (string & {}) | null;
  /** Divide each row by its norm. Default false. */
  normalize?: boolean;
}

/** Options of a call of the pipeline from images to labels. */
export interface LabelOptions {
  /** How many labels; null: all. Default 5. */
  top_k?: number | null;
  /** As `top_k`, from version 2 of transformers.js. */
  topk?: number | null;
}

/** From images to features; a function. */
export interface FeatureExtractionPipeline {
  /**
   * [images, tokens, width]; with pool "mean" or "first", which transformers.js does not have, and with true (the pooler's output)
   * [images, width]. `numerics` is present for a single image.
   */
  (images: ImageInput | readonly ImageInput[], options?: ExtractOptions): Promise<Tensor<"float32"> & { numerics?: Numerics }>;
  /** The task that it was opened for. */
  readonly task: "image-feature-extraction";
  /** The model: call it with the processor's outputs. `config` has the fields of config.json. */
  readonly model: CallableModel<Encoder>;
  /** What makes the model's inputs of images. */
  readonly processor: CallableProcessor;
  /** Frees the model, after the calls under way. */
  dispose(): Promise<void>;
}

/** transformers.js's name for it. */
export type ImageFeatureExtractionPipeline = FeatureExtractionPipeline;

/** From images to labels; a function. */
export interface ClassificationPipeline {
  /** The labels of an image, or of each; `top_k` of them, default 5. */
  (image: ImageInput, options?: LabelOptions): Promise<Classification[]>;
  /** The labels of each image. */
  (images: readonly ImageInput[], options?: LabelOptions): Promise<Classification[][]>;
  /** The task that it was opened for. */
  readonly task: "image-classification";
  /** The model: call it with the processor's outputs. `config` has the fields of config.json. */
  readonly model: CallableModel<Classifier>;
  /** What makes the model's inputs of images. */
  readonly processor: CallableProcessor;
  /** Frees the model, after the calls under way. */
  dispose(): Promise<void>;
}

/** transformers.js's name for it. */
export type ImageClassificationPipeline = ClassificationPipeline;
/** transformers.js's name for what `progress_callback` is told. */
export type ProgressInfo = ProgressEvent;
/** The type of `progress_callback`. */
export type ProgressCallback = (event: ProgressEvent) => void;
/** transformers.js's name for the options of `from_pretrained`. */
export type PretrainedModelOptions = PretrainedOptions;

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
export async function pipeline<T extends keyof Tasks>(task: T, model?: string | null, chosen?: PretrainedOptions | null): Promise<Tasks[T]> {
  const options = chosen ?? {}, report = options.progress_callback ?? undefined;
  const isReady = (event: ProgressEvent) => (event.status === "ready" ? { status: "ready" as const, task, model: model ?? "demo" } : event);
  const given = loadOptions(report === undefined ? options : { ...options, progress_callback: (event) => report(isReady(event)) });
  const run = await loadModel(model, (ref) => open(task, ref, given));
  const parts = { task, model: callable<Encoder | Classifier>(run.model), processor: processorOf(run.processor), dispose: () => run.dispose() };
  if (task === "image-classification") {
    const classify = run as Pipelines["image-classification"];
    const call = async (images: ImageInput | readonly ImageInput[], given?: LabelOptions | null) => {
      const { topk, top_k = topk, ...rest } = optionsOf(given, "image-classification"), settings = { ...(top_k === undefined ? {} : { top_k }), ...rest };
      return Array.isArray(images) ? classify(await readAll(images as readonly ImageInput[]), settings) : classify(await readRgb(images as ImageInput), settings);
    };
    return Object.assign(call, parts) as unknown as Tasks[T];
  }
  const extract = run as Pipelines["image-feature-extraction"];
  const call = async (images: ImageInput | readonly ImageInput[], given?: ExtractOptions | null) => {
    const { pool, pooling, ...rest } = optionsOf(given, "image-feature-extraction"), loaded = await readAll(Array.isArray(images) ? (images as readonly ImageInput[]) : [images as ImageInput]);
    if (loaded.length === 0) throw new IJepaError("input/missing", "The pipeline needs at least one image.", { name: "images" });
    const features = await extract(loaded, { ...rest, pool: pool ?? poolOf(pooling), return_tensors: true });
    return features.length === 1 ? Object.assign(concat(features), { numerics: features[0].numerics }) : concat(features);
  };
  return Object.assign(call, parts) as unknown as Tasks[T];
}

function poolOf(pooling: ExtractOptions["pooling"]): "mean" | "none" {
  if (pooling === undefined || pooling === null || pooling === "none") return "none";
  if (pooling === "mean") return "mean";
  throw refused("pooling", pooling, `pooling must be "mean" or "none", not ${JSON.stringify(pooling)}: an I-JEPA model has patches only, and no token for the whole image.`);
}

function readAll(images: readonly ImageInput[]): Promise<RawImage[]> {
  return Promise.all(images.map((image) => readRgb(image)));
}

/** For programs that go on with transformers.js for other models: `from_pretrained` throws the reason. */
export interface Absent {
  /**
   * It is not there.
   * @throws IJepaError `input/value`, always
   */
  from_pretrained(...options: unknown[]): Promise<never>;
}

function absent(name: string, reason: string): Absent {
  return { from_pretrained: () => Promise.reject(refused(name, undefined, `There is no ${name} in ijepa: ${reason}`)) };
}

const IMAGES_ONLY = "it reads images, and has no tokenizer. Keep transformers.js for models of text.", OTHERS = "it runs I-JEPA models only. Keep transformers.js for CLIP and SigLIP.";

/** There is no tokenizer. */
export const AutoTokenizer: Absent = absent("AutoTokenizer", IMAGES_ONLY);
/** There are no models of text. */
export const CLIPTextModelWithProjection: Absent = absent("CLIPTextModelWithProjection", IMAGES_ONLY);
/** There are no models of text. */
export const SiglipTextModel: Absent = absent("SiglipTextModel", IMAGES_ONLY);
/** There are no other models of images. */
export const CLIPVisionModelWithProjection: Absent = absent("CLIPVisionModelWithProjection", OTHERS);
/** There are no other models of images. */
export const SiglipVisionModel: Absent = absent("SiglipVisionModel", OTHERS);
/** Configurations come with their models. */
export const AutoConfig: Absent = absent("AutoConfig", "a loaded model has the fields of config.json as `config`.");
