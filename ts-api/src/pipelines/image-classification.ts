/** The pipeline `image-classification`: images in, labels with their scores out. */
import { IJepaError } from "../core/errors.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import { loadImage, type ImageSource } from "../image/source.js";
import { IJepaForImageClassification } from "../model/classifier.js";
import type { IJepaConfig } from "../config/config.js";
import type { LoadOptions } from "../loading/session.js";
import type { ModelRef } from "../weights/model-folder.js";
import { processorOf } from "./processor.js";

const FUNCTIONS = ["sigmoid", "softmax", "none"] as const;

export interface LabelOptions {
  /** How many labels to return, the best first; null or 0: all. Default 5. */
  top_k?: number | null;
  /** From logits to scores. Default, as in Hugging Face: sigmoid for one label or several at once, else softmax. */
  function_to_apply?: (typeof FUNCTIONS)[number];
}

/** Options of one call of the pipeline. */
export interface ClassifyOptions extends LabelOptions {
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Most pixels of an image. Default: Pillow's limit. */
  maxPixels?: number | undefined;
  /** Refuse damaged images, even where their pixels can be read. Default false. */
  strict?: boolean | undefined;
  /** Longest download of an image from a URL, in milliseconds. Default 60000. */
  timeout?: number | undefined;
}

/** A label with its score. */
export interface Classification {
  /** `id2label` of the config, else LABEL_i. */
  label: string;
  /** Computed in double precision and rounded to f32; the logits behind it have the same bits everywhere. */
  score: number;
}

/**
 * The labels of one image, the best first; `warnings` say what is wrong with its file. `warnings` are not enumerable: a list of labels
 * stays a plain list.
 */
export type Classifications = Classification[] & { readonly warnings: readonly string[] };

/** From images to labels. A list gives a list, as in Hugging Face's pipeline. */
export interface ImageClassificationPipeline {
  /**
   * The labels of an image, the best first.
   * @throws IJepaError `image/*`, `io/read`, `input/*`, `backend/*`, `aborted`
   */
  (image: ImageSource, options?: ClassifyOptions): Promise<Classifications>;
  /** The labels of each image, one image after the other. Throws the same errors as for one. */
  (images: readonly ImageSource[], options?: ClassifyOptions): Promise<Classifications[]>;
  /** The model that computes. */
  readonly model: IJepaForImageClassification;
  /** Turns images into the model's inputs. */
  readonly processor: IJepaImageProcessor;
  /** Frees the model, after pending calls. */
  dispose(): Promise<void>;
}

const NAMES: OptionNames<ClassifyOptions> = { top_k: true, function_to_apply: true, signal: "AbortSignal", maxPixels: "number", strict: "boolean", timeout: "number" };

/** Loads the model and its image processor; `ref` and `options` are those of IJepaForImageClassification.fromPretrained. */
export async function imageClassification(ref?: ModelRef, options?: LoadOptions): Promise<ImageClassificationPipeline> {
  const model = await IJepaForImageClassification.fromPretrained(ref, options);
  const processor = await processorOf(model);

  const classifyOne = async (image: ImageSource, classifyOptions: ClassifyOptions): Promise<Classifications> => {
    const { signal, maxPixels, strict = false, timeout } = classifyOptions;
    checkLabelOptions(classifyOptions);
    const loaded = await loadImage(image, { signal, strict, timeout, ...(maxPixels === undefined ? {} : { maxPixels }) });
    const { logits } = await model.forward(processor.preprocess(loaded), { signal });
    return Object.defineProperty(rankLabels(model.config, logits.data, classifyOptions), "warnings", { value: loaded.warnings ?? [] }) as Classifications;
  };

  async function classify(images: ImageSource | readonly ImageSource[], given?: ClassifyOptions): Promise<Classifications | Classifications[]> {
    const { top_k: top } = given ?? {}, named = readOptions(given, NAMES, "classify");
    // null has a meaning here: all labels.
    const classifyOptions: ClassifyOptions = top === null ? { ...named, top_k: null } : named;
    if (!Array.isArray(images)) return classifyOne(images as ImageSource, classifyOptions);
    const results: Classifications[] = [];
    for (const image of images as readonly ImageSource[]) results.push(await classifyOne(image, classifyOptions));
    return results;
  }

  return Object.assign(classify as ImageClassificationPipeline, { model, processor, dispose: () => model.dispose() });
}

/**
 * From the logits of one image to its labels, the best first.
 *
 * @throws IJepaError `input/value` for invalid options
 */
export function rankLabels(config: IJepaConfig, logits: Float32Array, options: LabelOptions = {}): Classification[] {
  checkLabelOptions(options);
  const { top_k: top = 5, function_to_apply: name = defaultFunction(config) } = options;
  const labels = labelsOf(config, logits.length);
  const all = Array.from(functionOf(name)(logits), (score, i) => ({ label: labels[i], score })).sort((a, b) => b.score - a.score);
  return all.slice(0, top || all.length);
}

/** Checks the options before the work. @throws IJepaError `input/value` */
export function checkLabelOptions({ top_k: top = 5, function_to_apply: name = "none" }: LabelOptions): void {
  if (top !== null && (!Number.isInteger(top) || top < 0)) throw wrong("top_k", top, "a whole number from 0 up, or null");
  functionOf(name);
}

function defaultFunction(config: IJepaConfig): (typeof FUNCTIONS)[number] {
  const { problem_type: type } = config.toJSON();
  if (type === "multi_label_classification" || config.numLabels === 1) return "sigmoid";
  return "softmax";
}

function functionOf(name: (typeof FUNCTIONS)[number]): (logits: Float32Array) => Float32Array {
  switch (name) {
    case "sigmoid":
      return (logits) => logits.map((logit) => 1 / (1 + Math.exp(-logit)));
    case "softmax":
      return softmax;
    case "none":
      return (logits) => logits;
    default:
      throw wrong("function_to_apply", name, `one of ${FUNCTIONS.join(", ")}`);
  }
}

function softmax(logits: Float32Array): Float32Array {
  const top = Math.max(...logits), powers = Array.from(logits, (logit) => Math.exp(logit - top));
  const sum = powers.reduce((a, b) => a + b);
  return Float32Array.from(powers, (power) => power / sum);
}

function labelsOf(config: IJepaConfig, count: number): string[] {
  const names = (config.toJSON().id2label ?? {}) as Record<string, unknown>;
  return Array.from({ length: count }, (_, i) => (typeof names[i] === "string" ? names[i] : `LABEL_${i}`));
}

function wrong(name: string, value: unknown, expected: string): IJepaError {
  return new IJepaError("input/value", `${name} must be ${expected}, not ${show(value)}.`, { name, value });
}
