/** Runs a job over many images: they are read and decoded in threads, ahead of the computation, which takes batches of one shape. */
import { onAbort } from "../core/abort.js";
import { IJepaError, isIJepaError, throwIfAborted } from "../core/errors.js";
import { sha256 } from "../core/numerics.js";
import { wrongType, type OptionNames } from "../core/options.js";
import { DecodePool } from "../decoding/pool.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import { Prefetch } from "./prefetch.js";
import { groupsOf, powersOfTwo } from "./batches.js";
import { ProgressCounter, type BulkProgress } from "./progress.js";
import { failureOf, hook, HookError, type Begun, type BulkFailure, type BulkImage, type BulkSkip, type Prepared } from "./results.js";
import { sourceOf, type Source, type SourceFacts } from "./source.js";

/** Options of every job over many images. */
export interface BulkOptions {
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /**
   * Most images that are read and decoded ahead of the encoder and held in memory. Default: 16, or twice the number of decode threads if
   * that is more.
   */
  ahead?: number | undefined;
  /** Most images of a forward pass; it changes no bit. Default 8, or fewer if a pass of the encoder takes fewer tokens. */
  batchSize?: number | undefined;
  /** The threads that decode; default: a pool for this job alone, one thread per processor. */
  decoders?: DecodePool | undefined;
  /** Most pixels of an image. Default: Pillow's limit. */
  maxPixels?: number | undefined;
  /** Treat damaged images that could still be read as failures. Default false. */
  strict?: boolean | undefined;
  /** Longest download of an image given by URL, in milliseconds. Default 60000. */
  timeout?: number | undefined;
  /** Number of images, for the progress; a promise may resolve while they are computed. Default: the length of a list. */
  total?: number | Promise<number | undefined> | undefined;
  /** Called after every image. */
  onProgress?: ((progress: BulkProgress) => void) | undefined;
  /**
   * Returns true for an image whose result is known from its name, size and time: its file is not read. Not called for sources without
   * `look`.
   */
  known?: ((source: string, bytes: number | undefined, modified: number | undefined) => boolean | Promise<boolean>) | undefined;
  /** Returns true for a file whose result is known from its id: it is neither decoded nor encoded. */
  skip?: ((id: string) => boolean | Promise<boolean>) | undefined;
}

export const BULK_OPTIONS: OptionNames<BulkOptions> = {
  signal: "AbortSignal", ahead: true, batchSize: true, decoders: true, maxPixels: "number", strict: "boolean", timeout: "number", total: true, onProgress: "function",
  known: "function", skip: "function",
};

/** The computation on the decoded images. */
export interface Computation<R extends BulkImage> {
  readonly processor: IJepaImageProcessor;
  /** Tokens of an image; they bound the size of batches. */
  readonly tokens: number;
  /**
   * One result for each image of a batch of one shape. If it throws IJepaError `input/*`, all images of the batch are failures; other
   * errors end the job.
   */
  compute(batch: readonly Prepared[]): Promise<R[]>;
}

const DEFAULT_AHEAD = 16;
const MAX_BATCH = 8;
/** Tokens of one pass of the encoder; a batch beyond them gains nothing. */
const MAX_TOKENS = 1024;

/**
 * Results in the order of the sources. An image that cannot be read gives a failure among them and does not end the job. Leaving the loop
 * ends the job.
 *
 * @throws IJepaError `aborted`, `backend/*`; `input/value` for options; what the sources and the hooks throw
 */
export async function* bulkJob<R extends BulkImage>(
  { processor, tokens, compute }: Computation<R>,
  sources: AsyncIterable<Source> | Iterable<Source>,
  options: BulkOptions,
): AsyncGenerator<R | BulkFailure | BulkSkip, void, undefined> {
  const { signal, onProgress, maxPixels, strict = false, timeout, batchSize = batchOf(tokens) } = options;
  throwIfAborted(signal, "reading images");
  const decoders = options.decoders ?? new DecodePool();
  const { total = Array.isArray(sources) ? sources.length : undefined, ahead: limit = Math.max(DEFAULT_AHEAD, 2 * decoders.threads) } = options;
  checkCounts({ ahead: limit, batchSize });
  const counter = new ProgressCounter(typeof total === "number" ? total : undefined), inner = new AbortController();
  if (typeof total === "object") void total.then((count) => counter.expect(count)).catch(() => undefined);
  const stop = (): void => inner.abort(signal?.reason), stopListening = onAbort(signal, stop);

  const begin = async (given: Source): Promise<Begun> => {
    const from = sourceOf(given), { name: source } = from;
    try {
      const facts = await from.look?.(), modified = facts?.modified;
      if (facts !== undefined && (await isKnown(source, facts))) return { kind: "skip", source, id: undefined, ...facts };
      const file = await from.read(inner.signal, { timeout });
      if (!(file instanceof Uint8Array)) throw wrongType(`What read() of ${source} gives`, "the bytes of a file as a Uint8Array", file);
      const bytes = file.length, id = await sha256(file);
      if (await hook(() => options.skip?.(id))) return { kind: "skip", source, id, bytes, modified };
      const image = await decoders.prepare(file, processor, { source, signal: inner.signal, strict, ...(maxPixels === undefined ? {} : { maxPixels }) });
      return { kind: "prepared", source, id, bytes, modified, image };
    } catch (error) {
      return failureOf(source, error);
    }
  };
  const isKnown = (source: string, { bytes, modified }: SourceFacts) => hook(() => options.known?.(source, bytes, modified));
  const prefetch = new Prefetch(sources, begin, limit, inner.signal);

  const computeBatch = async (batch: readonly Prepared[]): Promise<(R | BulkFailure)[]> => {
    try {
      return await compute(batch);
    } catch (error) {
      if (!isIJepaError(error) || !error.code.startsWith("input/")) throw error;
      return batch.map(({ source }) => failureOf(source, error));
    }
  };

  try {
    for await (const group of groupsOf(prefetch, batchSize)) {
      const prepared = group.filter((one) => one.kind === "prepared"), computed: (R | BulkFailure)[] = [];
      for (const batch of powersOfTwo(prepared)) computed.push(...(await computeBatch(batch)));
      const results = group.map((one) => (one.kind === "prepared" ? computed.shift()! : one));
      for (const { kind } of results) counter.count(kind === "row" ? "computed" : kind === "skip" ? "skipped" : "failed");
      onProgress?.(counter.progress(results.at(-1)!.source));
      yield* results;
    }
  } catch (error) {
    throw error instanceof HookError ? error.cause : error;
  } finally {
    stopListening();
    prefetch.close();
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
