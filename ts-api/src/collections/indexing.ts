/** Adds images to a collection: only new ones are read, and of these only files that are not copies are encoded. */
import { checkHas, readOptions, type OptionNames } from "../core/options.js";
import { embedImages, type EmbedImagesOptions } from "../bulk/embed.js";
import type { BulkFailure, BulkRow, BulkSkip } from "../bulk/results.js";
import type { Source } from "../bulk/source.js";
import type { Collection } from "./collection.js";
import { checkEncoding } from "./encoding.js";
import type { FeatureEncoder } from "./feature-encoder.js";
import { LATEST, type CollectionRow } from "./row.js";
import { smallPart, type CollectionWriter } from "./writer.js";

/** Options of `indexImages`. */
export interface IndexOptions extends Pick<EmbedImagesOptions, "signal" | "decoders" | "maxPixels" | "strict" | "timeout" | "total" | "onProgress" | "ahead" | "batchSize"> {
  /** Called for each image that could not be indexed. */
  onFailure?: ((failure: BulkFailure) => void | Promise<void>) | undefined;
  /** Called for each damaged image that could still be read. */
  onWarning?: ((image: Pick<BulkRow, "source" | "warnings">) => void | Promise<void>) | undefined;
  /** Join small parts at the end if there are many, which may change the order of the rows. Default true. */
  join?: boolean | undefined;
}

const NAMES: OptionNames<IndexOptions> = {
  signal: "AbortSignal", decoders: true, maxPixels: "number", strict: "boolean", timeout: "number", total: true, onProgress: "function", ahead: true, batchSize: true,
  onFailure: "function", onWarning: "function", join: "boolean",
};

/** The result of `indexImages`, in numbers of places. */
export interface IndexReport {
  /** Places whose features were computed. */
  readonly added: number;
  /** Places of files that are known: copies, and files that were only touched. */
  readonly copies: number;
  /** Places that were unchanged. */
  readonly unchanged: number;
  /** Places whose image could not be indexed. */
  readonly failed: number;
}

/** So many small parts are joined. */
const MANY_PARTS = 16;

/**
 * Adds images to a collection, with all that `embedImages` does: an image that cannot be read is recorded and does not end the job.
 * Results are stored as they come, even if the job is aborted or fails; the same call then continues from there.
 *
 * @throws IJepaError `collection/encoding` for an encoder of another one, `collection/locked`, `io/write`, `aborted`, `backend/*`
 */
export async function indexImages(collection: Collection, encoder: FeatureEncoder, sources: AsyncIterable<Source> | Iterable<Source>, options: IndexOptions = {}): Promise<IndexReport> {
  checkHas("The collection", collection, "a Collection", "encoding", "live");
  checkHas("The encoder", encoder, "a FeatureEncoder", "encoding", "extractor");
  checkEncoding(encoder.encoding, collection.encoding, collection.name);
  const { onFailure, onWarning, join = true, ...bulk } = readOptions(options, NAMES, "indexImages"), { layers, pooling, tokens } = collection.encoding, report = { added: 0, copies: 0, unchanged: 0, failed: 0 };
  await collection.write(async (writer) => {
    const known: EmbedImagesOptions["known"] = (source, bytes, modified) => isKnown(collection, writer, source, bytes, modified);
    const skip = (id: string) => collection.live.findId(id) !== undefined || writer.pendingId(id) !== undefined;
    const isStored = ({ source, bytes, modified }: BulkSkip | BulkRow, id: string) => idAt(collection, writer, source) === id && isKnown(collection, writer, source, bytes, modified);
    for await (const result of embedImages(encoder.extractor, sources, { ...bulk, layers, pool: tokens === null ? pooling : "none", known, skip })) {
      if (result.kind === "failure") {
        report.failed++;
        await onFailure?.(result);
        await writer.fail(result);
      } else if (result.kind === "row") {
        // Copies that were encoded at the same time.
        if (skip(result.id)) report.copies++;
        else report.added++;
        if (!isStored(result, result.id)) await writer.put(await rowOf(encoder, result));
        if (result.warnings.length > 0) await onWarning?.(result);
      } else if (result.id === undefined || isStored(result, result.id)) {
        report.unchanged++;
        await writer.succeed(result.source);
      } else {
        report.copies++;
        await writer.put(await copyOf(collection, writer, result, result.id));
      }
    }
  });
  const below = smallPart(collection.encoding);
  if (join && collection.partSizes.filter((rows) => rows < below).length >= MANY_PARTS) await collection.compact({ below });
  return report;
}

/** A place is known by the size and the time of its file; one that has neither, such as a URL, by its name. */
export function isKnown(collection: Collection, writer: CollectionWriter, source: string, bytes: number | undefined, modified: number | undefined): boolean {
  const time = wholeTime(modified), isSame = (ownBytes: number, ownTime: number | null) => (bytes === undefined || ownBytes === bytes) && (time === null || ownTime === time);
  const pending = writer.pending(source);
  if (pending !== undefined) return pending.id !== "" && isSame(pending.bytes, pending.modified);
  const place = collection.live.find(source);
  if (place === undefined) return false;
  const part = collection.live.parts[place.part];
  return isSame(part.fileBytes[place.row], part.modified[place.row]);
}

/** The id of the image at a place; undefined where there is none. */
function idAt(collection: Collection, writer: CollectionWriter, source: string): string | undefined {
  const pending = writer.pending(source), place = collection.live.find(source);
  return pending?.id ?? (place && collection.live.parts[place.part].id(place.row));
}

export async function rowOf(encoder: FeatureEncoder, { source, id, bytes, modified, width, height, feature, digest }: BulkRow): Promise<CollectionRow> {
  const made = encoder.encoding.tokens === null ? { feature, digest } : await encoder.finishTokens(feature);
  return { source, id, bytes, modified: wholeTime(modified), width, height, ...made };
}

/** A row for another place of an image. */
async function copyOf(collection: Collection, writer: CollectionWriter, { source, bytes, modified }: BulkSkip, id: string): Promise<CollectionRow> {
  const original = writer.pendingId(id) ?? (await collection.imageAt(collection.live.findId(id)!));
  return { ...original, source, bytes: bytes ?? original.bytes, modified: wholeTime(modified), label: null };
}

function wholeTime(modified: number | undefined): number | null {
  return modified === undefined || !(Math.abs(modified) <= LATEST) ? null : Math.floor(modified);
}
