import { IJepaModel, isIJepaError, pipeline, type IJepaConfig, type LoadOptions, type Tensor } from "ijepa";
import { createServer } from "ijepa/server";
import { AutoModel, type FeatureExtractionPipeline } from "ijepa/transformers";

/** The digest of a photo's features. */
export async function digestOf(photo: string | Uint8Array, options: LoadOptions = {}): Promise<string> {
  const extract = await pipeline("image-feature-extraction", undefined, options);
  try {
    const features: Tensor = await extract(photo, { pool: "mean" });
    if (features.dims[1] !== extract.model.config.hiddenSize) throw new Error("That cannot be.");
    return (await extract(photo)).numerics.digest;
  } catch (error) {
    if (isIJepaError(error, "image/too-large")) throw new Error(`${error.details.width} x ${error.details.height} pixels are too many.`);
    throw error;
  } finally {
    await extract.dispose();
  }
}

export async function layersOf(model: string): Promise<number> {
  const loaded = await IJepaModel.fromPretrained(model, { dtype: "int4", threads: "auto" });
  const config: IJepaConfig = loaded.config;
  await loaded.dispose();
  return config.numHiddenLayers;
}

export const others: { serve: typeof createServer; model: typeof AutoModel; pipeline?: FeatureExtractionPipeline } = { serve: createServer, model: AutoModel };
