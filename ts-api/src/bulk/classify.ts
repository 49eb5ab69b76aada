/** From many images to their labels. */
import { digestOf } from "../core/numerics.js";
import { checkHas, checkIterable, readOptions, type OptionNames } from "../core/options.js";
import { checkLabelOptions, rankLabels, type Classification, type ImageClassificationPipeline, type LabelOptions } from "../pipelines/image-classification.js";
import { BatchStack } from "./batches.js";
import { bulkJob, BULK_OPTIONS, type BulkOptions, type Computation } from "./job.js";
import type { BulkImage, BulkResult } from "./results.js";
import type { Source } from "./source.js";

/** Options of `classifyImages`. */
export interface ClassifyImagesOptions extends BulkOptions, LabelOptions {}

const NAMES: OptionNames<ClassifyImagesOptions> = { ...BULK_OPTIONS, top_k: true, function_to_apply: true };

/** The classifier: a pipeline, or its model and image processor. */
export type BulkClassifier = Pick<ImageClassificationPipeline, "model" | "processor">;

/** The labels of one image. */
export interface BulkLabels extends BulkImage {
  /** The best first. */
  readonly labels: readonly Classification[];
  /** SHA-256 of the logits' little-endian f32 bytes, in hex. */
  readonly digest: string;
}

/**
 * Computes the labels of many images, in the order of the sources, as `embedImages` does features.
 *
 * @throws as `embedImages`
 */
export async function* classifyImages(
  classifier: BulkClassifier,
  sources: AsyncIterable<Source> | Iterable<Source>,
  given: ClassifyImagesOptions = {},
): AsyncGenerator<BulkResult<BulkLabels>, void, undefined> {
  checkHas("The classifier of classifyImages", classifier, "an image-classification pipeline", "model", "processor");
  checkIterable("The sources of classifyImages", sources, "a list or stream of images");
  const { model, processor } = classifier, { top_k: top } = given ?? {}, named = readOptions(given, NAMES, "classifyImages");
  // null has a meaning here: all labels.
  const options: ClassifyImagesOptions = top === null ? { ...named, top_k: null } : named, { signal } = options, space = new BatchStack();
  checkLabelOptions(options);
  const compute: Computation<BulkLabels>["compute"] = async (batch) => {
    const { logits: { data } } = await model.forward({ pixelValues: space.stack(batch) }, { signal }), size = data.length / batch.length;
    return Promise.all(batch.map(async ({ image: { width, height, warnings }, ...rest }, i) => {
      const own = data.slice(i * size, (i + 1) * size);
      return { ...rest, kind: "row" as const, width, height, labels: rankLabels(model.config, own, options), digest: await digestOf(own), warnings };
    }));
  };
  yield* bulkJob({ processor, tokens: model.config.numPatches, compute }, sources, options);
}
