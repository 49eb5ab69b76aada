/** Adds images to a collection through a queue: makes a bounded number of jobs at a time, and collects the results. */
import { isIJepaError, throwIfAborted } from "../core/errors.js";
import { checkHas, readOptions, type OptionNames } from "../core/options.js";
import { failureOf, type BulkFailure, type BulkImage } from "../bulk/results.js";
import { ProgressCounter, type BulkProgress } from "../bulk/progress.js";
import { sourceOf, type BulkSource, type Source } from "../bulk/source.js";
import type { Collection } from "../collections/collection.js";
import { isKnown, type IndexReport } from "../collections/indexing.js";
import type { CollectionRow } from "../collections/row.js";
import type { CollectionWriter } from "../collections/writer.js";
import { Auditor, compareOutcomes, type AuditMismatch, type SavedAudits, type Wanted } from "./audit.js";
import type { Broker, QueuedJob } from "./broker.js";
import { jobIdOf, JOB_VERSION, outcomesOf, readRows, type Audit, type ImageJob, type JobResult, type WorkerInfo } from "./jobs.js";
import { Outbox, type FinishedJob } from "./outbox.js";

/** Options of `indexThroughQueue`. */
export interface QueueIndexOptions {
  /** Identifies the collection for every producer of its jobs: see `ownerOf`. */
  owner: string;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Images of a job. Default 16. */
  jobSize?: number | undefined;
  /** Most jobs in the queue, in any state. Default 64. */
  maxJobs?: number | undefined;
  /** Share of the images, 0 to 1, that a second worker computes too. Default 0. */
  audit?: number | undefined;
  /**
   * Does a job here, as `runJob` does: to decide which of two differing workers is right, and when there is no second worker. Audits need
   * it.
   */
  recompute?: ((job: ImageJob) => Promise<JobResult>) | undefined;
  /** How many images there are, for the progress, once it is known. */
  total?: Promise<number | undefined> | undefined;
  /** Damaged images that could be read all the same are failures. Default false. */
  strict?: boolean | undefined;
  /** Called after every image. */
  onProgress?: ((progress: QueueProgress) => void) | undefined;
  /** Called for each image that could not be indexed. */
  onFailure?: ((failure: BulkFailure) => void | Promise<void>) | undefined;
  /** Called for each damaged image that could be read all the same. */
  onWarning?: ((image: Pick<BulkImage, "source" | "warnings">) => void | Promise<void>) | undefined;
  /** Called for each worker that computes wrong bits. */
  onMismatch?: ((mismatch: AuditMismatch) => void | Promise<void>) | undefined;
}

const NAMES: OptionNames<QueueIndexOptions> = {
  owner: "string", signal: "AbortSignal", jobSize: "number", maxJobs: "number", audit: "number", recompute: "function", total: true,
  strict: "boolean", onProgress: "function", onFailure: "function", onWarning: "function", onMismatch: "function",
};

/** Called with the progress: images, connected workers, audited images. */
export type QueueProgress = BulkProgress & { readonly workers: number; readonly audited: number };

/** What `indexThroughQueue` did. */
export interface QueueIndexReport extends IndexReport {
  /** Images that were computed a second time. */
  readonly audited: number;
  /** Rows that were replaced, because their worker was wrong. */
  readonly recomputed: number;
  /** How often a job was begun again, because its worker was killed, cut off or out of memory, or had failed. */
  readonly repeated: number;
  /** The workers that were wrong. */
  readonly mismatches: readonly AuditMismatch[];
}

const JOB_SIZE = 16, MAX_JOBS = 64;
/** Milliseconds between two polls of the queue: notifications may be lost. */
const LOOK_EVERY = 200;
/** Polls between two searches for jobs that the broker has lost, and between two counts of the workers. */
const CHECK_EVERY = 25;
/** Longest time in milliseconds until rows are written. Their jobs leave the queue after that. */
const FLUSH_EVERY = 5_000;
/** How often a worker may decline the audit of its own result before the audit is done here. */
const MAX_DECLINED = 5;
/** Results of a job that are damaged or not complete, after which its images are failures. */
const MAX_DAMAGED = 3;

/**
 * Adds images to a collection, computed by workers. Results of an earlier run in the queue are collected first; images that the
 * collection has are not requested again.
 *
 * @throws IJepaError `queue/owner` if the queue belongs to another collection, `queue/version`, `queue/unavailable`,
 *   `collection/locked`, `io/write`, `aborted`; `input/value` for an invalid share or an unknown option
 */
export async function indexThroughQueue(collection: Collection, broker: Broker, sources: AsyncIterable<Source> | Iterable<Source>, given: QueueIndexOptions): Promise<QueueIndexReport> {
  const options = readOptions(given, NAMES, "indexThroughQueue"), { audit = 0, recompute } = options;
  checkHas("The collection", collection, "a Collection", "encoding", "live");
  checkHas("The broker", broker, "what openBroker gives", "openQueue");
  if (audit > 0 && recompute === undefined) throw new TypeError("Audits need the function recompute, which does a job in this process.");
  const queue = await broker.openQueue();
  try {
    return await collection.write(async (writer) => {
      const auditor = new Auditor(audit, (await writer.audits()) as SavedAudits | undefined);
      return new Producer(collection, writer, new Outbox(queue, broker, options.signal), auditor, options).run(sources);
    });
  } finally {
    await queue.close();
  }
}

class Producer {
  /** Places of jobs. */
  readonly #asked = new Set<string>();
  readonly #report = { added: 0, copies: 0, unchanged: 0, failed: 0, audited: 0, recomputed: 0, repeated: 0 };
  readonly #counter = new ProgressCounter(undefined);
  /** How often audits were declined, by worker and results. */
  readonly #declined = new Map<string, number>();
  /** How often what came back of a job could not be used, by its id. */
  readonly #damaged = new Map<string, number>();
  #flushed = performance.now();
  #looks = 0;
  #workers = 0;

  constructor(
    private readonly collection: Collection,
    private readonly writer: CollectionWriter,
    private readonly outbox: Outbox,
    private readonly auditor: Auditor,
    private readonly options: QueueIndexOptions,
  ) {}

  async run(sources: AsyncIterable<Source> | Iterable<Source>): Promise<QueueIndexReport> {
    const { jobSize = JOB_SIZE, total, owner } = this.options, { outbox, auditor } = this;
    void total?.then((count) => this.#counter.expect(count)).catch(() => undefined);
    for (const { sources, audit } of await outbox.adopt(owner)) if (audit === undefined) for (const source of sources) this.#asked.add(source);
    let group: string[] = [];
    for await (const source of sources) {
      throwIfAborted(this.options.signal, "making jobs");
      const from = sourceOf(source), { name } = from, facts = (await from.look?.()) ?? { bytes: undefined, modified: undefined };
      if (this.#asked.has(name)) continue;
      // A path that is not here may be there for the workers.
      if (from.look === undefined) {
        await this.#fail(await unsendable(from, this.options.signal));
        continue;
      }
      if (isKnown(this.collection, this.writer, name, facts.bytes, facts.modified)) {
        this.#report.unchanged++;
        this.#counter.count("skipped");
        continue;
      }
      group.push(name);
      if (group.length < jobSize) continue;
      await this.#redo();
      await this.#add(group);
      group = [];
    }
    if (group.length > 0) await this.#add(group);
    for (;;) {
      await this.#redo();
      if (outbox.open > 0) await this.#look();
      else if (!(await this.#close())) break;
    }
    await this.#flush();
    return { ...this.#report, mismatches: auditor.mismatches };
  }

  /** Requests the last audits; false if there are none. */
  async #close(): Promise<boolean> {
    const wanted = this.auditor.closing();
    for (const one of wanted) await this.#audit(one);
    return wanted.length > 0;
  }

  /** Requests again the images that wrong workers have computed. */
  async #redo(): Promise<void> {
    const { jobSize = JOB_SIZE } = this.options, places = [...this.auditor.redo].filter((place) => !this.#asked.has(place));
    for (let from = 0; from < places.length; from += jobSize) await this.#add(places.slice(from, from + jobSize));
  }

  /** Waits until there is room. */
  async #add(sources: readonly string[]): Promise<void> {
    const { outbox, options: { owner, maxJobs = MAX_JOBS } } = this;
    for (const source of sources) this.#asked.add(source);
    while (outbox.open + outbox.taken >= maxJobs) await this.#look();
    await outbox.add(this.#jobOf(owner, sources));
  }

  async #audit({ sources, audit }: Wanted): Promise<void> {
    await this.outbox.add({ ...this.#jobOf(this.options.owner, sources), audit });
  }

  #jobOf(owner: string, sources: readonly string[]): ImageJob {
    const { auditor: { banned }, options: { strict = false } } = this;
    return { version: JOB_VERSION, owner, encoding: this.collection.encoding, sources, ...(strict ? { strict } : {}), ...(banned.length > 0 ? { banned } : {}) };
  }

  /** Collects what is done. */
  async #look(): Promise<void> {
    throwIfAborted(this.options.signal, "waiting for workers");
    const { outbox, options: { maxJobs = MAX_JOBS } } = this;
    let news = false;
    for await (const one of outbox.finished()) news = (await this.#collect(one)) || news;
    if (2 * outbox.taken >= maxJobs || performance.now() - this.#flushed > FLUSH_EVERY) await this.#flush();
    if (this.#looks++ % CHECK_EVERY === 0) {
      await outbox.sendLost();
      this.#workers = (await outbox.workers()) ?? this.#workers;
    }
    if (!news) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }

  /** False if a job was only sent again. */
  async #collect({ job, data }: FinishedJob): Promise<boolean> {
    const { returnvalue: result } = job, { audit } = data;
    this.#report.repeated += repetitionsOf(job);
    if (result === null || result === undefined) {
      this.outbox.take(job);
      if (audit === undefined) await this.#failed(data, job.failedReason ?? "no worker could do it");
      return true;
    }
    const rows = result.declined === true ? [] : await this.#rowsOf(job, data, result);
    if (rows === undefined) return false;
    if (audit !== undefined && result.declined === true && !this.#isStuck(audit)) {
      await this.outbox.again(job, data);
      return false;
    }
    if (this.auditor.isWrong(result.worker)) {
      await this.outbox.again(job, { ...data, banned: this.auditor.banned });
      return true;
    }
    this.outbox.take(job);
    if (audit !== undefined) await this.#compare(data, audit, result.declined === true ? await this.#recomputed(data) : result);
    else await this.#store(result, rows);
    return true;
  }

  /** Undefined for a result that is damaged or not complete: the job is done once more, a few times. */
  async #rowsOf(job: QueuedJob, data: ImageJob, result: JobResult): Promise<CollectionRow[] | undefined> {
    try {
      return await readRows(result, data.sources);
    } catch (error) {
      if (!isIJepaError(error, "queue/result")) throw error;
      const { code, message } = error, key = await jobIdOf(data), times = (this.#damaged.get(key) ?? 0) + 1;
      this.#damaged.set(key, times);
      if (times < MAX_DAMAGED) {
        this.#report.repeated++;
        await this.outbox.again(job, data);
      } else {
        this.outbox.take(job);
        if (data.audit === undefined) for (const source of data.sources) await this.#fail({ kind: "failure", source, code, message });
      }
      return undefined;
    }
  }

  async #store(result: JobResult, rows: readonly CollectionRow[]): Promise<void> {
    const again = new Set(rows.map(({ source }) => source).filter((source) => this.auditor.redo.has(source))), wanted = this.auditor.collected(result);
    for (const row of rows) {
      await this.writer.put(row);
      if (again.has(row.source)) this.#report.recomputed++;
      else this.#report.added++;
      this.#done(row.source, again.has(row.source) ? undefined : "computed");
    }
    for (const failure of result.failures) await this.#fail({ kind: "failure", ...failure });
    for (const image of result.damaged ?? []) if (!again.has(image.source)) await this.options.onWarning?.(image);
    if (wanted !== undefined) await this.#audit(wanted);
  }

  /** If two workers differ, the producer computes the image too and decides who is wrong. */
  async #compare(data: ImageJob, audit: Audit, result: JobResult | undefined): Promise<void> {
    if (result === undefined || this.auditor.isWrong(audit.worker)) return;
    const second = outcomesOf(result), differs = data.sources.some((source, i) => compareOutcomes(second.get(source), audit.outcomes[i]) === "wrong");
    const here = differs ? await this.#recomputed(data) : undefined, third = here && outcomesOf(here);
    this.#report.audited += data.sources.length;
    for (const [i, source] of data.sources.entries()) {
      const [first, other] = [audit.outcomes[i], second.get(source)], verdict = compareOutcomes(first, other);
      const truth = verdict === "wrong" ? third?.get(source) : other, isTrue = (outcome: string | undefined) => compareOutcomes(outcome, truth) === "same";
      if (isTrue(first)) this.auditor.agree(audit);
      if (verdict !== "wrong") continue;
      // If it cannot be decided, both are excluded.
      if (truth === undefined || compareOutcomes(first, truth) === "wrong") await this.#blame(audit.worker, source, first, truth ?? other!);
      if (truth === undefined || compareOutcomes(other, truth) === "wrong") await this.#blame(result.worker, source, other!, truth ?? first);
    }
  }

  async #blame(worker: WorkerInfo, source: string, actual: string, expected: string): Promise<void> {
    const mismatch = this.auditor.blame(worker, source, actual, expected);
    if (mismatch !== undefined) await this.options.onMismatch?.(mismatch);
  }

  #isStuck({ worker: { name }, until }: Audit): boolean {
    const key = `${name} ${until}`, count = (this.#declined.get(key) ?? 0) + 1;
    this.#declined.set(key, count);
    return count >= MAX_DECLINED;
  }

  async #recomputed({ version, owner, encoding, sources, strict }: ImageJob): Promise<JobResult | undefined> {
    return this.options.recompute?.({ version, owner, encoding, sources, strict });
  }

  /** A job that crashes its workers is split into single images, which run alone, so that only the image to blame is lost. */
  async #failed({ sources, alone = false }: ImageJob, reason: string): Promise<void> {
    if (!alone) for (const source of sources) await this.outbox.add({ ...this.#jobOf(this.options.owner, [source]), alone: true });
    else await this.#fail({ kind: "failure", source: sources[0], code: "unexpected", message: `No worker could compute ${sources[0]}: ${reason}.` });
  }

  async #fail(failure: BulkFailure): Promise<void> {
    this.auditor.redo.delete(failure.source);
    this.#report.failed++;
    await this.options.onFailure?.(failure);
    await this.writer.fail(failure);
    this.#done(failure.source, "failed");
  }

  /** @param outcome undefined for images that were counted before */
  #done(source: string, outcome: "computed" | "failed" | undefined): void {
    this.#asked.delete(source);
    if (outcome !== undefined) this.#counter.count(outcome);
    this.options.onProgress?.({ ...this.#counter.progress(source), workers: this.#workers, audited: this.#report.audited });
  }

  /** Rows first, jobs afterwards: if the process is killed in between, the job is collected again, as the same row. */
  async #flush(): Promise<void> {
    await this.writer.flush();
    await this.auditor.save((saved) => this.writer.keepAudits(saved));
    await this.outbox.removeTaken();
    this.#flushed = performance.now();
  }
}

/** The last attempt is the one that was answered. */
function repetitionsOf({ attemptsMade = 1, stalledCounter = 0 }: QueuedJob): number {
  return Math.max(0, attemptsMade - 1) + stalledCounter;
}

/** Only names are sent, so an image needs a path or URL. */
async function unsendable({ name, read }: BulkSource, signal = new AbortController().signal): Promise<BulkFailure> {
  try {
    await read(signal);
    return { kind: "failure", source: name, code: "io/read", message: `${name} has no path or URL by which a worker could read it.` };
  } catch (error) {
    return failureOf(name, error);
  }
}
