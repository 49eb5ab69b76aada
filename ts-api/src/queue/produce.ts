/** Takes images into a collection by way of a queue: makes jobs, a bounded number at a time, and collects what comes back. */
import { IJepaError, throwIfAborted } from "../core/errors.js";
import type { BulkFailure } from "../bulk/results.js";
import { ProgressCounter, type BulkProgress } from "../bulk/progress.js";
import { sourceOf, type Source } from "../bulk/source.js";
import type { Collection } from "../collections/collection.js";
import { isKnown, type IndexReport } from "../collections/indexing.js";
import type { CollectionWriter } from "../collections/writer.js";
import type { Broker, JobQueue, QueuedJob } from "./broker.js";
import { decodeRow, jobIdOf, JOB_VERSION, type ImageJob } from "./jobs.js";

/** Options of `indexThroughQueue`. */
export interface QueueIndexOptions {
  /** Known to whoever makes jobs for this collection again: see `ownerOf`. */
  owner: string;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Images of a job. Default 16. */
  jobSize?: number | undefined;
  /** Jobs in the queue at most, in whatever state. Default 64. */
  maxJobs?: number | undefined;
  /** How many images there are, for the progress, once it is known. */
  total?: Promise<number | undefined> | undefined;
  /** Told after every image, with the number of connected workers. */
  onProgress?: ((progress: BulkProgress & { readonly workers: number }) => void) | undefined;
  /** Told of each image that could not be taken in. */
  onFailure?: ((failure: BulkFailure) => void | Promise<void>) | undefined;
}

const JOB_SIZE = 16, MAX_JOBS = 64;
/** Milliseconds between two looks at the queue: notifications may be lost, a look is not. */
const LOOK_EVERY = 200;
/** Looks between two searches for jobs that the broker has lost, and between two counts of the workers. */
const CHECK_EVERY = 25;
/** Rows are on disk before their jobs leave the queue; at the latest after so many milliseconds. */
const FLUSH_EVERY = 5_000;
const STATES = ["waiting", "active", "delayed", "prioritized", "paused", "completed", "failed"];

/**
 * Adds images to a collection, computed by workers. What is in the queue from a run before is collected first; what the collection has
 * is not asked for again.
 *
 * @throws IJepaError `queue/owner` where the queue is another collection's, `queue/version`, `queue/result`, `queue/unavailable`,
 *   `collection/locked`, `io/write`, `aborted`
 */
export async function indexThroughQueue(collection: Collection, broker: Broker, sources: AsyncIterable<Source> | Iterable<Source>, options: QueueIndexOptions): Promise<IndexReport> {
  const queue = await broker.openQueue();
  try {
    return await collection.write((writer) => new Producer(collection, writer, queue, broker.address, options).run(sources));
  } finally {
    await queue.close();
  }
}

class Producer {
  /** Jobs in the queue, by id. */
  readonly #jobs = new Map<string, ImageJob>();
  /** Places that they have. */
  readonly #asked = new Set<string>();
  readonly #report = { added: 0, copies: 0, unchanged: 0, failed: 0 };
  readonly #counter = new ProgressCounter(undefined);
  /** Collected, but perhaps not on disk yet. */
  #taken: QueuedJob[] = [];
  #flushed = performance.now();
  #looks = 0;
  #workers = 0;

  constructor(
    private readonly collection: Collection,
    private readonly writer: CollectionWriter,
    private readonly queue: JobQueue,
    private readonly address: string,
    private readonly options: QueueIndexOptions,
  ) {}

  async run(sources: AsyncIterable<Source> | Iterable<Source>): Promise<IndexReport> {
    const { jobSize = JOB_SIZE, maxJobs = MAX_JOBS, total } = this.options;
    void total?.then((count) => this.#counter.expect(count)).catch(() => undefined);
    await this.#adopt();
    let group: string[] = [];
    for await (const source of sources) {
      throwIfAborted(this.options.signal, "making jobs");
      const from = sourceOf(source), { name } = from, facts = (await from.look?.()) ?? { bytes: undefined, modified: undefined };
      if (this.#asked.has(name)) continue;
      if (isKnown(this.collection, this.writer, name, facts.bytes, facts.modified)) {
        this.#report.unchanged++;
        this.#counter.count("skipped");
        continue;
      }
      group.push(name);
      if (group.length < jobSize) continue;
      while (this.#jobs.size + this.#taken.length >= maxJobs) await this.#look();
      await this.#add(group);
      group = [];
    }
    if (group.length > 0) await this.#add(group);
    while (this.#jobs.size > 0) await this.#look();
    await this.#flush();
    return this.#report;
  }

  /** Takes over the jobs of a run that was cut. */
  async #adopt(): Promise<void> {
    for (const job of await this.queue.getJobs(STATES, 0, -1, true)) {
      if (job?.id === undefined) continue;
      const { version, owner, sources } = job.data;
      if (version !== JOB_VERSION) {
        const message = `The queue at ${this.address} has jobs of version ${JSON.stringify(version)}; this library knows ${JOB_VERSION}. Let the version of ijepa that made them finish.`;
        throw new IJepaError("queue/version", message, { version: String(version), known: String(JOB_VERSION) });
      }
      if (owner !== this.options.owner) {
        const message = `The queue at ${this.address} has jobs of another collection. Let them finish, or use another database of the broker.`;
        throw new IJepaError("queue/owner", message, { address: this.address });
      }
      this.#jobs.set(job.id, job.data);
      for (const source of sources) this.#asked.add(source);
    }
  }

  async #add(sources: readonly string[]): Promise<void> {
    const { owner } = this.options, data = { version: JOB_VERSION, owner, encoding: this.collection.encoding, sources }, id = await jobIdOf(owner, sources);
    for (const source of sources) this.#asked.add(source);
    this.#jobs.set(id, data);
    await this.#send([id]);
  }

  async #send(ids: readonly string[]): Promise<void> {
    await this.queue.addBulk(ids.map((jobId) => ({ name: "images", data: this.#jobs.get(jobId)!, opts: { jobId } })));
  }

  /** Collects what is done. */
  async #look(): Promise<void> {
    throwIfAborted(this.options.signal, "waiting for workers");
    const done = await this.queue.getJobs(["completed", "failed"], 0, -1, true);
    let news = false;
    for (const job of done) {
      if (job?.id === undefined || !this.#jobs.has(job.id)) continue;
      news = true;
      await this.#collect(job, job.id);
    }
    const { maxJobs = MAX_JOBS } = this.options;
    if (2 * this.#taken.length >= maxJobs || performance.now() - this.#flushed > FLUSH_EVERY) await this.#flush();
    if (this.#looks++ % CHECK_EVERY === 0) await this.#check();
    if (!news) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }

  async #collect(job: QueuedJob, id: string): Promise<void> {
    const data = this.#jobs.get(id)!, { returnvalue: result } = job;
    this.#jobs.delete(id);
    this.#taken.push(job);
    if (result === null || result === undefined) return this.#failed(data, job.failedReason ?? "no worker could do it");
    if (result.version !== JOB_VERSION) {
      throw new IJepaError("queue/version", `A worker answers in version ${JSON.stringify(result.version)}; this library knows ${JOB_VERSION}.`, { version: String(result.version), known: String(JOB_VERSION) });
    }
    for (const row of result.rows) {
      await this.writer.put(await decodeRow(row));
      this.#report.added++;
      this.#done(row.source, "computed");
    }
    for (const failure of result.failures) await this.#fail({ kind: "failure", ...failure });
  }

  /** A job that ends its workers is cut into single images, so that only the one to blame is lost. */
  async #failed({ sources }: ImageJob, reason: string): Promise<void> {
    if (sources.length > 1) for (const source of sources) await this.#add([source]);
    else await this.#fail({ kind: "failure", source: sources[0], code: "unexpected", message: `No worker could compute ${sources[0]}: ${reason}.` });
  }

  async #fail(failure: BulkFailure): Promise<void> {
    this.#report.failed++;
    await this.options.onFailure?.(failure);
    await this.writer.fail(failure);
    this.#done(failure.source, "failed");
  }

  #done(source: string, outcome: "computed" | "failed"): void {
    this.#asked.delete(source);
    this.#counter.count(outcome);
    this.options.onProgress?.({ ...this.#counter.progress(source), workers: this.#workers });
  }

  /** Rows first, jobs afterwards: what is killed between the two is collected again, as the same row. */
  async #flush(): Promise<void> {
    await this.writer.flush();
    for (const job of this.#taken) await job.remove().catch(() => undefined);
    this.#taken = [];
    this.#flushed = performance.now();
  }

  /** A broker that was restarted may have lost its last jobs; they are sent again. */
  async #check(): Promise<void> {
    const there = new Set((await this.queue.getJobs(STATES, 0, -1, true)).map((job) => job?.id)), lost: string[] = [];
    for (const id of this.#jobs.keys()) if (!there.has(id) && (await this.queue.getJob(id)) === undefined) lost.push(id);
    if (lost.length > 0) await this.#send(lost);
    // Some brokers do not say who is connected.
    this.#workers = await this.queue.getWorkersCount().catch(() => this.#workers);
  }
}
