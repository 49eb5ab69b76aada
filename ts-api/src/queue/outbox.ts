/** The producer's side of the queue: adds its jobs, polls them, sends them again and removes them. */
import { IJepaError, throwIfAborted } from "../core/errors.js";
import type { Broker, JobQueue, QueuedJob } from "./broker.js";
import { checkVersion, jobIdOf, type ImageJob } from "./jobs.js";

const DONE = ["completed", "failed"], STATES = ["wait", "paused", "active", "delayed", "prioritized", ...DONE];

/** Workers that a job may make fail before it counts as what they fail of. */
const MAX_ATTEMPTS = 6;
/** Milliseconds between two tries where the broker is away. */
const TRY_EVERY = 500;

export interface FinishedJob {
  readonly job: QueuedJob;
  readonly data: ImageJob;
}

export class Outbox {
  /** Jobs whose result was not taken, by id. */
  readonly #jobs = new Map<string, ImageJob>();
  /** Their results were taken, but are perhaps not on disk yet. */
  #taken: QueuedJob[] = [];

  constructor(
    private readonly queue: JobQueue,
    private readonly broker: Pick<Broker, "address" | "isTransient">,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Jobs whose result is awaited. */
  get open(): number {
    return this.#jobs.size;
  }

  get taken(): number {
    return this.#taken.length;
  }

  /**
   * Takes over the jobs of an interrupted run; returns them.
   * @throws IJepaError `queue/version`, `queue/owner`
   */
  async adopt(owner: string): Promise<ImageJob[]> {
    for (const id of await this.#ids(STATES)) {
      const job = await this.#job(id);
      if (job === undefined) continue;
      checkVersion(job.data, `The queue at ${this.broker.address} has jobs`);
      if (job.data.owner !== owner) {
        const message = `The queue at ${this.broker.address} has jobs of another collection. Let them finish, or use another database of the broker.`;
        throw new IJepaError("queue/owner", message, { address: this.broker.address });
      }
      this.#jobs.set(id, job.data);
    }
    return [...this.#jobs.values()];
  }

  async add(data: ImageJob): Promise<void> {
    const id = await jobIdOf(data);
    this.#jobs.set(id, data);
    await this.#send([id]);
  }

  /** Finished jobs whose results were not taken yet. */
  async *finished(): AsyncGenerator<FinishedJob> {
    for (const id of await this.#ids(DONE)) {
      const data = this.#jobs.get(id), job = data && (await this.#job(id));
      if (data !== undefined && job !== undefined) yield { job, data };
    }
  }

  /** The result of a job was taken; it stays in the queue until `removeTaken`. */
  take(job: QueuedJob): void {
    this.#jobs.delete(job.id!);
    this.#taken.push(job);
  }

  /** Puts a finished job behind all others, to be done once more. */
  async again(job: QueuedJob, data: ImageJob): Promise<void> {
    this.#jobs.delete(job.id!);
    await this.#try(() => job.remove());
    await this.add(data);
  }

  /** Call it when the results are on disk. If the process is killed before, they are taken again. */
  async removeTaken(): Promise<void> {
    for (const job of this.#taken) await this.#try(() => job.remove()).catch(() => undefined);
    this.#taken = [];
  }

  /** A broker that was restarted may have lost its last jobs; they are sent again. */
  async sendLost(): Promise<void> {
    const there = new Set(await this.#ids(STATES)), lost: string[] = [];
    for (const id of this.#jobs.keys()) if (!there.has(id) && (await this.#job(id)) === undefined) lost.push(id);
    if (lost.length > 0) await this.#send(lost);
  }

  /** Undefined for brokers that do not list their connections. */
  async workers(): Promise<number | undefined> {
    return this.queue.getWorkersCount().catch(() => undefined);
  }

  async #send(ids: readonly string[]): Promise<void> {
    await this.#try(() => this.queue.addBulk(ids.map((jobId) => ({ name: "images", data: this.#jobs.get(jobId)!, opts: { jobId, attempts: MAX_ATTEMPTS } }))));
  }

  #ids(states: readonly string[]): Promise<string[]> {
    return this.#try(() => this.queue.getRanges(states, 0, -1, true));
  }

  #job(id: string): Promise<QueuedJob | undefined> {
    return this.#try(() => this.queue.getJob(id));
  }

  /** Waits for a broker that is away. All requests here may be repeated safely. */
  async #try<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      throwIfAborted(this.signal, "waiting for the queue");
      try {
        return await call();
      } catch (error) {
        if (this.broker.isTransient?.(error) !== true) throw error;
        await new Promise((resolve) => setTimeout(resolve, TRY_EVERY));
      }
    }
  }
}
