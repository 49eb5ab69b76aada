/** From the name of a task and of a model to a loaded pipeline. */
import { didYouMean, wrongType } from "../core/options.js";
import { IJepaError } from "../core/errors.js";
import { show } from "../core/show.js";
import type { ModelLoadOptions } from "../model/model.js";
import { modelAndOptions, type ModelRef } from "../weights/model-folder.js";
import { imageClassification, type ImageClassificationPipeline } from "./image-classification.js";
import { imageFeatureExtraction, type ImageFeatureExtractionPipeline } from "./image-feature-extraction.js";

/** The pipeline of each task. */
export interface Pipelines {
  /** From images to features. */
  "image-feature-extraction": ImageFeatureExtractionPipeline;
  /** From images to labels. */
  "image-classification": ImageClassificationPipeline;
}

const OPENERS: { [T in keyof Pipelines]: (ref?: ModelRef, options?: ModelLoadOptions) => Promise<Pipelines[T]> } = {
  "image-feature-extraction": imageFeatureExtraction,
  "image-classification": imageClassification,
};

/** A pipeline with the model of the package. Throws the same errors as with a named model. */
export async function pipeline<T extends keyof Pipelines>(task: T, options: ModelLoadOptions): Promise<Pipelines[T]>;
/**
 * transformers.js's `pipeline`: a task, a model and options give a function. `pipeline(task, options)` takes the model of the package.
 *
 * @param ref a model folder or URL, or a name on the Hub; default: the model of the package
 * @throws IJepaError `input/value` for an unknown task or option, and what loading throws; TypeError for values of a wrong type
 */
export async function pipeline<T extends keyof Pipelines>(task: T, ref?: ModelRef | URL | null, options?: ModelLoadOptions | null): Promise<Pipelines[T]>;
export async function pipeline<T extends keyof Pipelines>(task: T, ref?: ModelRef | URL | ModelLoadOptions | null, options?: ModelLoadOptions | null): Promise<Pipelines[T]> {
  if (typeof task !== "string") throw wrongType("The task of a pipeline", "a string", task);
  if (!Object.hasOwn(OPENERS, task)) {
    throw new IJepaError("input/value", `There is no pipeline ${show(task)}${didYouMean(task, Object.keys(OPENERS))}`, { name: "task", value: task });
  }
  return OPENERS[task](...modelAndOptions(ref ?? undefined, options));
}
