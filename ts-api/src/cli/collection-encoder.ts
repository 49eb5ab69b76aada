/** Opens the encoder that made a collection, for the commands that compare its features with new ones. */
import { IJepaError, isIJepaError } from "../index.js";
import type { Collection, FeatureEncoder } from "../collections/index.js";
import { modelOptions, type Settings } from "./args.js";
import { textOf } from "./collection-options.js";

/**
 * The encoder that the collection names, or that of --encoder.
 * @throws what `FeatureEncoder.open` throws; IJepaError `collection/encoding` if it makes other features
 */
export async function openEncoderOf({ encoding, name }: Collection, settings: Settings, signal: AbortSignal): Promise<FeatureEncoder> {
  const { checkEncoding, FeatureEncoder } = await import("../collections/index.js");
  const { model, revision, dtype, layers, pooling, tokens } = encoding, given = textOf(settings.given, "encoder");
  const options = { ...modelOptions(settings), revision: settings.revision ?? revision ?? undefined, dtype, layers, pooling, tokens: tokens !== null, signal };
  const encoder = await FeatureEncoder.open(given ?? model ?? undefined, options).catch((error: unknown) => {
    if (given !== undefined || model === null || !isIJepaError(error) || !/^(config|hub|io)\//.test(error.code)) throw error;
    throw new IJepaError(error.code, `${error.message} ${name} names this encoder; if it is elsewhere, use --encoder.`, error.details, { cause: error });
  });
  try {
    checkEncoding(encoder.encoding, encoding, name);
    return encoder;
  } catch (error) {
    await encoder.dispose();
    throw error;
  }
}
