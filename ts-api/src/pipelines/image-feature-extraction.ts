import { IJepaError } from "../core/errors.js";
import type { Numerics } from "../core/numerics.js";
import { digestOf } from "../core/numerics.js";
import type { Tensor } from "../core/tensor.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import { loadImage, type ImageSource } from "../image/source.js";
import { IJepaModel, type LoadOptions } from "../model/model.js";
import { meanPool } from "../model/pooling.js";
import { processorOf } from "./processor.js";

export interface ExtractOptions {
  /** "mean": the mean of the tokens, [1, width]. "none" (default): all tokens, [1, tokens, width]. */
  pool?: "mean" | "none";
  signal?: AbortSignal | undefined;
  /** Pixel limit of the decoders; default as Pillow's. */
  maxPixels?: number | undefined;
}

/** The features of one image, and how they were made: `numerics.digest` is of these very bits. */
export type Features = Tensor<"float32"> & { numerics: Numerics };

/** From images to features. A list gives a list, as in Hugging Face's pipeline. */
export interface ImageFeatureExtractionPipeline {
  (image: ImageSource, options?: ExtractOptions): Promise<Features>;
  (images: readonly ImageSource[], options?: ExtractOptions): Promise<Features[]>;
  readonly model: IJepaModel;
  readonly processor: IJepaImageProcessor;
  dispose(): Promise<void>;
}

const POOLS = ["mean", "none"];

/** Loads the model and its image processor; `ref` and `options` are those of IJepaModel.fromPretrained. */
export async function imageFeatureExtraction(ref?: string, options: LoadOptions = {}): Promise<ImageFeatureExtractionPipeline> {
  const model = await IJepaModel.fromPretrained(ref, options);
  const processor = await processorOf(model);

  const extractOne = async (image: ImageSource, { pool = "none", signal, maxPixels }: ExtractOptions): Promise<Features> => {
    if (!POOLS.includes(pool)) throw new IJepaError("input/value", `pool must be one of ${POOLS.join(", ")}, not ${JSON.stringify(pool)}.`, { name: "pool", value: pool });
    const loaded = await loadImage(image, { signal, ...(maxPixels === undefined ? {} : { maxPixels }) });
    const { lastHiddenState, numerics } = await model.forward(processor.preprocess(loaded), { signal });
    if (pool === "none") return Object.assign(lastHiddenState, { numerics });
    const pooled = meanPool(lastHiddenState);
    return Object.assign(pooled, { numerics: { ...numerics, digest: await digestOf(pooled.data) } });
  };

  async function extract(images: ImageSource | readonly ImageSource[], extractOptions: ExtractOptions = {}): Promise<Features | Features[]> {
    if (!Array.isArray(images)) return extractOne(images as ImageSource, extractOptions);
    const features: Features[] = [];
    for (const image of images as readonly ImageSource[]) features.push(await extractOne(image, extractOptions));
    return features;
  }

  return Object.assign(extract as ImageFeatureExtractionPipeline, { model, processor, dispose: () => model.dispose() });
}
