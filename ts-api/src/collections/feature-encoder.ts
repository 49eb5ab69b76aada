/** From a model and pooling options to an encoder of features, with its encoding. */
import { digestOf, NUMERICS_VERSION } from "../core/numerics.js";
import { checkHas, readOptions, wrongType, type OptionNames } from "../core/options.js";
import { Tensor } from "../core/tensor.js";
import type { BulkExtractor } from "../bulk/embed.js";
import { featuresOf } from "../bulk/feature.js";
import type { LoadImageOptions, ImageSource } from "../image/source.js";
import { loadImage } from "../image/source.js";
import type { RawImage } from "../image/raw-image.js";
import type { IJepaModel, ModelLoadOptions } from "../model/model.js";
import { meanPool } from "../model/pooling.js";
import { probePixels } from "../model/probe-pixels.js";
import { imageFeatureExtraction } from "../pipelines/image-feature-extraction.js";
import type { ModelRef } from "../weights/model-folder.js";
import { SOURCE_OPTIONS } from "../weights/source-options.js";
import { objectDigest, type Encoding, type Layers } from "./encoding.js";
import { featureDigest } from "./row.js";

/** Options of `FeatureEncoder.open`: how the model is loaded, and how features are made. */
export interface FeatureEncoderOptions extends Pick<ModelLoadOptions, "dtype" | "groupSize" | "device" | "threads" | "revectorize" | "resident" | "revision" | "cache_dir" | "local_files_only" | "token" | "fetch" | "signal" | "progress_callback"> {
  /** The mean of the patches (default), or the first of them. */
  pooling?: Encoding["pooling"] | undefined;
  /** Default "last". */
  layers?: Layers | undefined;
  /** Keep the features of all patches too, for searches for patches. Default false. */
  tokens?: boolean | undefined;
}

const NAMES: OptionNames<FeatureEncoderOptions> = {
  ...SOURCE_OPTIONS, dtype: true, groupSize: true, device: true, threads: true, revectorize: true, resident: true, pooling: true, layers: true, tokens: "boolean",
};

/** The feature of an image, and with tokens those of its patches. */
export interface ImageFeature {
  /** [width], pooled. */
  readonly feature: Float32Array;
  /** [tokens, width], row-major; undefined unless the encoding keeps patches. */
  readonly tokens: Float32Array | undefined;
  /** `featureDigest` of the two. */
  readonly digest: string;
}

/** A loaded model, together with the encoding of the features that it makes. */
export class FeatureEncoder {
  private constructor(
    /** The model and its image processor. */
    readonly extractor: BulkExtractor & {
      /** Frees the model. */
      dispose(): Promise<void>;
    },
    /** The encoding of its features. */
    readonly encoding: Encoding,
  ) {}

  /**
   * Loads a model, and runs it once on a fixed input.
   *
   * @param ref as of IJepaModel.fromPretrained
   * @throws what IJepaModel.fromPretrained throws
   */
  static async open(ref?: ModelRef, options: FeatureEncoderOptions = {}): Promise<FeatureEncoder> {
    const { pooling = "mean", layers = "last", tokens = false, ...loading } = readOptions(options, NAMES, "FeatureEncoder.open");
    const extractor = await imageFeatureExtraction(ref, loading);
    try {
      const named = typeof ref === "string" || ref === undefined ? ref : ref.name, { gridHeight, gridWidth } = extractor.model.config;
      const encoding = await encodingOf(extractor, { model: named ?? null, revision: loading.revision ?? null, pooling, layers, tokens: tokens ? [gridHeight, gridWidth] : null });
      return new FeatureEncoder(extractor, encoding);
    } catch (error) {
      await extractor.dispose();
      throw error;
    }
  }

  /**
   * The feature of one image, with the bits that it has in a collection of this encoding.
   * @throws what loading the image and IJepaModel.forward throw
   */
  async embed(image: ImageSource, options: LoadImageOptions = {}): Promise<ImageFeature> {
    return this.embedLoaded(await loadImage(image, options), options.signal);
  }

  /** The same of decoded pixels. */
  async embedLoaded(image: RawImage, signal?: AbortSignal): Promise<ImageFeature> {
    const { model, processor } = this.extractor, { pooling, layers, tokens } = this.encoding;
    const output = await model.forward(processor.preprocess(image), { signal, outputHiddenStates: layers === "last4" });
    const features = featuresOf(output, { pool: tokens === null ? pooling : "none", layers, normalize: false });
    return tokens === null ? this.finish(features.data) : this.finishTokens(features.data);
  }

  /**
   * From the features of the patches to those of a row.
   * @param tokens [tokens, width], row-major
   * @throws TypeError for anything but a Float32Array
   */
  async finishTokens(tokens: Float32Array): Promise<ImageFeature> {
    if (!(tokens instanceof Float32Array)) throw wrongType("The features of the patches", "a Float32Array", tokens);
    const { width, pooling } = this.encoding, all = new Tensor("float32", tokens, [1, tokens.length / width, width]);
    const feature = pooling === "mean" ? meanPool(all).data : tokens.slice(0, width);
    return { feature, tokens, digest: await featureDigest(feature, tokens) };
  }

  /** Frees the model, after pending calls. */
  dispose(): Promise<void> {
    return this.extractor.dispose();
  }

  private async finish(feature: Float32Array): Promise<ImageFeature> {
    return { feature, tokens: undefined, digest: await featureDigest(feature) };
  }
}

/** A model with its image processor; of a model with a head, the encoder is used. */
export interface EncodingModel {
  readonly model: Pick<IJepaModel, "config" | "dtype"> & { forward(inputs: { pixelValues: Tensor<"float32"> }): Promise<{ lastHiddenState: Tensor<"float32"> }> };
  readonly processor: BulkExtractor["processor"];
}

/** The encoding of features that a model makes; it runs the model once, on a fixed input. */
export async function encodingOf(pipeline: EncodingModel, chosen: Pick<Encoding, "model" | "revision" | "pooling" | "layers" | "tokens">): Promise<Encoding> {
  checkHas("The encoder of encodingOf", pipeline, "an image-feature-extraction pipeline", "model", "processor");
  const { model, processor } = pipeline, { config, dtype } = model, { image_processor_type: _, ...settings } = processor.toConfig();
  const { lastHiddenState } = await model.forward({ pixelValues: probePixels(config) });
  return {
    ...chosen,
    encoder: await digestOf(lastHiddenState.data),
    processor: await objectDigest(settings),
    dtype,
    numerics: NUMERICS_VERSION,
    imageSize: [config.imageHeight, config.imageWidth],
    interpolatePosEncoding: false,
    width: config.hiddenSize * (chosen.layers === "last4" ? 4 : 1),
  };
}
