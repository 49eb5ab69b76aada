/** From many images to their features. */
import { digestOf } from "../core/numerics.js";
import { checkHas, checkIterable, readOptions, type OptionNames } from "../core/options.js";
import type { ImageFeatureExtractionPipeline } from "../pipelines/image-feature-extraction.js";
import { checkFeatureOptions, FEATURE_OPTIONS, featuresOf, type FeatureOptions } from "./feature.js";
import { BatchStack } from "./batches.js";
import { bulkJob, BULK_OPTIONS, type BulkOptions, type Computation } from "./job.js";
import type { BulkResult, BulkRow } from "./results.js";
import type { Source } from "./source.js";

/** Options of `embedImages`. */
export interface EmbedImagesOptions extends BulkOptions, FeatureOptions {}

const NAMES: OptionNames<EmbedImagesOptions> = { ...BULK_OPTIONS, ...FEATURE_OPTIONS };

/** The feature extractor: a pipeline, or its model and image processor. */
export type BulkExtractor = Pick<ImageFeatureExtractionPipeline, "model" | "processor">;

/**
 * Computes the features of many images, in the order of the sources. An image that cannot be read gives a failure among the results and
 * does not end the job. Leaving the loop ends the job.
 *
 * @throws IJepaError `aborted`, `backend/*`; `input/value` for options; what the sources and the hooks throw
 */
export async function* embedImages(
  extractor: BulkExtractor,
  sources: AsyncIterable<Source> | Iterable<Source>,
  given: EmbedImagesOptions = {},
): AsyncGenerator<BulkResult, void, undefined> {
  checkHas("The extractor of embedImages", extractor, "an image-feature-extraction pipeline", "model", "processor");
  checkIterable("The sources of embedImages", sources, "a list or stream of images");
  const { model, processor } = extractor, options = readOptions(given, NAMES, "embedImages"), feature = checkFeatureOptions(options, model), { signal } = options, space = new BatchStack();
  const compute: Computation<BulkRow>["compute"] = async (batch) => {
    const output = await model.forward({ pixelValues: space.stack(batch) }, { signal, outputHiddenStates: feature.layers === "last4" });
    const { data, dims: [, ...dims] } = featuresOf(output, feature), size = data.length / batch.length;
    return Promise.all(batch.map(async ({ image: { width, height, warnings }, ...rest }, i) => {
      const own = data.slice(i * size, (i + 1) * size);
      return { ...rest, kind: "row" as const, width, height, dims, feature: own, digest: await digestOf(own), warnings };
    }));
  };
  yield* bulkJob({ processor, tokens: model.config.numPatches, compute }, sources, options);
}
