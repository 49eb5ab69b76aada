/** From many images to their features: decoded in threads ahead of the encoder, which takes batches of one shape. */
import { IJepaError, isIJepaError, throwIfAborted } from "../core/errors.js";
import { digestOf, sha256 } from "../core/numerics.js";
import { DecodePool } from "../decoding/pool.js";
import type { ImageFeatureExtractionPipeline } from "../pipelines/image-feature-extraction.js";
import { Ahead } from "./ahead.js";
import { checkFeatureOptions, featuresOf, type FeatureOptions } from "./feature.js";
import { groupsOf, powersOfTwo, stack } from "./groups.js";
import { ProgressCounter, type BulkProgress } from "./progress.js";
import { failureOf, hook, HookError, type Begun, type BulkFailure, type BulkResult, type BulkRow, type Prepared } from "./results.js";
import { sourceOf, type Source, type SourceFacts } from "./source.js";

/** Options of `embedImages`. */
export interface EmbedImagesOptions extends FeatureOptions {
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Images that are read and decoded ahead of the encoder, and held in memory at most. Default 16, and twice as many as there are decode threads. */
  ahead?: number | undefined;
  /** Most images of a forward pass; it changes no bit. Default 8, or fewer where a pass of the encoder takes no more tokens. */
  batchSize?: number | undefined;
  /** What decodes; default: a pool of this job alone, one thread per processor. */
  decoders?: DecodePool | undefined;
  /** Pixel limit of the decoders; default as Pillow's. */
  maxPixels?: number | undefined;
  /** Damaged images that could be read all the same are failures. Default false. */
  strict?: boolean | undefined;
  /** How many images there are, for the progress; it may become known while they are computed. Default: the length of a list. */
  total?: number | Promise<number | undefined> | undefined;
  /** Told after every image. */
  onProgress?: ((progress: BulkProgress) => void) | undefined;
  /** True for an image that is known by its name, size and time: it is not even read. */
  known?: ((source: string, bytes: number | undefined, modified: number | undefined) => boolean | Promise<boolean>) | undefined;
  /** True for a file whose features are known: it is neither decoded nor encoded. */
  skip?: ((id: string) => boolean | Promise<boolean>) | undefined;
}

/** What computes: the pipeline of the features, or its model and image processor. */
export type BulkExtractor = Pick<ImageFeatureExtractionPipeline, "model" | "processor">;

const DEFAULT_AHEAD = 16;
const MAX_BATCH = 8;
/** Tokens of one pass of the encoder; a batch beyond them gains nothing. */
const MAX_TOKENS = 1024;
const NOTHING: SourceFacts = { bytes: undefined, modified: undefined };

/**
 * Computes the features of many images, in the order of the sources. An image that cannot be read is a failure among the results, and
 * never the end. Leaving the loop ends the job.
 *
 * @throws IJepaError `aborted`, `backend/*`; `input/value` for options; what the sources and the hooks throw
 */
export async function* embedImages(
  extractor: BulkExtractor,
  sources: AsyncIterable<Source> | Iterable<Source>,
  options: EmbedImagesOptions = {},
): AsyncGenerator<BulkResult, void, undefined> {
  const { model, processor } = extractor, { signal, onProgress, maxPixels, strict = false } = options;
  const feature = checkFeatureOptions(options, model), batchSize = options.batchSize ?? batchOf(model.config.numPatches);
  throwIfAborted(signal, "reading images");
  const decoders = options.decoders ?? new DecodePool();
  const { total = Array.isArray(sources) ? sources.length : undefined, ahead: limit = Math.max(DEFAULT_AHEAD, 2 * decoders.threads) } = options;
  checkCounts({ ahead: limit, batchSize });
  const counter = new ProgressCounter(typeof total === "number" ? total : undefined), inner = new AbortController();
  if (typeof total === "object") void total.then((count) => counter.expect(count)).catch(() => undefined);
  /** Of the images that were begun; one for each, because hosts warn of leaks where many listen to one signal. */
  const begun = new Set<AbortController>();
  const stop = (): void => [inner, ...begun].forEach((controller) => controller.abort(signal?.reason));
  signal?.addEventListener("abort", stop);

  const begin = async (given: Source): Promise<Begun> => {
    const from = sourceOf(given), { name: source } = from, own = new AbortController();
    begun.add(own);
    try {
      const facts = (await from.look?.()) ?? NOTHING, { modified } = facts;
      if (await hook(() => options.known?.(source, facts.bytes, modified))) return { kind: "skip", source, id: undefined, ...facts };
      const file = await from.read(own.signal), bytes = file.length, id = await sha256(file);
      if (await hook(() => options.skip?.(id))) return { kind: "skip", source, id, bytes, modified };
      const image = await decoders.prepare(file, processor, { source, signal: own.signal, strict, ...(maxPixels === undefined ? {} : { maxPixels }) });
      return { kind: "prepared", source, id, bytes, modified, image };
    } catch (error) {
      return failureOf(source, error);
    } finally {
      begun.delete(own);
    }
  };
  const ahead = new Ahead(sources, begin, limit, inner.signal);

  /** The features of images of one shape, or what is wrong with all of them. */
  const encode = async (batch: readonly Prepared[]): Promise<(BulkRow | BulkFailure)[]> => {
    try {
      const output = await model.forward({ pixelValues: stack(batch) }, { signal, outputHiddenStates: feature.layers === "last4" });
      const { data, dims: [, ...dims] } = featuresOf(output, feature), size = data.length / batch.length;
      return await Promise.all(batch.map(async ({ image: { width, height }, ...rest }, i) => {
        const own = data.slice(i * size, (i + 1) * size);
        return { ...rest, kind: "row" as const, width, height, dims, feature: own, digest: await digestOf(own) };
      }));
    } catch (error) {
      if (!isIJepaError(error) || !error.code.startsWith("input/")) throw error;
      return batch.map(({ source }) => failureOf(source, error));
    }
  };

  try {
    for await (const group of groupsOf(ahead, batchSize)) {
      const prepared = group.filter((one) => one.kind === "prepared"), encoded: (BulkRow | BulkFailure)[] = [];
      for (const batch of powersOfTwo(prepared)) encoded.push(...(await encode(batch)));
      const results = group.map((one): BulkResult => (one.kind === "prepared" ? encoded.shift()! : one));
      for (const { kind } of results) counter.count(kind === "row" ? "computed" : kind === "skip" ? "skipped" : "failed");
      onProgress?.(counter.progress(results.at(-1)!.source));
      yield* results;
    }
  } catch (error) {
    throw error instanceof HookError ? error.cause : error;
  } finally {
    signal?.removeEventListener("abort", stop);
    ahead.close();
    stop();
    if (options.decoders === undefined) await decoders.close();
  }
}

function batchOf(tokens: number): number {
  let batch = MAX_BATCH;
  while (batch > 1 && batch * tokens > MAX_TOKENS) batch /= 2;
  return batch;
}

function checkCounts(counts: Record<string, number>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) throw new IJepaError("input/value", `${name} must be a whole number from 1 up, not ${String(value)}.`, { name, value });
  }
}
