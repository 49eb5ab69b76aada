import { IJepaError } from "../core/errors.js";
import type { ModelLoadOptions } from "../model/model.js";
import type { ModelRef } from "../weights/model-folder.js";
import { imageClassification, type ImageClassificationPipeline } from "./image-classification.js";
import { imageFeatureExtraction, type ImageFeatureExtractionPipeline } from "./image-feature-extraction.js";

/** The pipeline of each task. */
export interface Pipelines {
  "image-feature-extraction": ImageFeatureExtractionPipeline;
  "image-classification": ImageClassificationPipeline;
}

const OPENERS: { [T in keyof Pipelines]: (ref?: ModelRef, options?: ModelLoadOptions) => Promise<Pipelines[T]> } = {
  "image-feature-extraction": imageFeatureExtraction,
  "image-classification": imageClassification,
};

/**
 * transformers.js's `pipeline`: a task, a model and options give a function.
 *
 * @param ref a model folder or URL; default: the model of the package
 * @throws IJepaError `input/value` for an unknown task, and what loading throws
 */
export async function pipeline<T extends keyof Pipelines>(task: T, ref?: ModelRef, options: ModelLoadOptions = {}): Promise<Pipelines[T]> {
  if (!Object.hasOwn(OPENERS, task)) {
    const message = `There is no pipeline ${JSON.stringify(task)}; there is ${Object.keys(OPENERS).join(", ")}.`;
    throw new IJepaError("input/value", message, { name: "task", value: task });
  }
  return OPENERS[task](ref, options);
}
