/** Opens the encoder that made a collection, for the commands that compare its features with new ones. */
import type { Collection, FeatureEncoder } from "../collections/index.js";
import { modelOptions, type Settings } from "./args.js";
import { textOf } from "./collection-options.js";

/**
 * The encoder that the collection names, or that of --encoder. Whether it gives the collection's features, `checkEncoding` tells.
 * @throws what `FeatureEncoder.open` throws
 */
export async function openEncoderOf({ encoding }: Collection, settings: Settings, signal: AbortSignal): Promise<FeatureEncoder> {
  const { model, revision, dtype, layers, pooling, tokens } = encoding, { FeatureEncoder } = await import("../collections/index.js");
  return FeatureEncoder.open(textOf(settings.given, "encoder") ?? model ?? undefined, {
    ...modelOptions(settings), revision: settings.revision ?? revision ?? undefined, dtype, layers, pooling, tokens: tokens !== null, signal,
  });
}
