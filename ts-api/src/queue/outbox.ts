/** The producer's side of the queue: the jobs that it has there, added, looked at, sent again and removed. */
import { IJepaError } from "../core/errors.js";
import type { JobQueue, QueuedJob } from "./broker.js";
import { jobIdOf, JOB_VERSION, type ImageJob } from "./jobs.js";

const STATES = ["waiting", "active", "delayed", "prioritized", "paused", "completed", "failed"];

export interface FinishedJob {
  readonly job: QueuedJob;
  readonly data: ImageJob;
}

export class Outbox {
  /** Jobs whose result was not taken, by id. */
  readonly #jobs = new Map<string, ImageJob>();
  /** Their results were taken, but are perhaps not on disk yet. */
  #taken: QueuedJob[] = [];

  /** @param address for messages */
  constructor(
    private readonly queue: JobQueue,
    private readonly address: string,
  ) {}

  /** Jobs whose result is awaited. */
  get open(): number {
    return this.#jobs.size;
  }

  get taken(): number {
    return this.#taken.length;
  }

  /**
   * Takes over the jobs of a run that was cut; returns them.
   * @throws IJepaError `queue/version`, `queue/owner`
   */
  async adopt(owner: string): Promise<ImageJob[]> {
    for (const job of await this.queue.getJobs(STATES, 0, -1, true)) {
      if (job?.id === undefined) continue;
      const { version } = job.data;
      if (version !== JOB_VERSION) {
        const message = `The queue at ${this.address} has jobs of version ${JSON.stringify(version)}; this library knows ${JOB_VERSION}. Let the version of ijepa that made them finish.`;
        throw new IJepaError("queue/version", message, { version: String(version), known: String(JOB_VERSION) });
      }
      if (job.data.owner !== owner) {
        const message = `The queue at ${this.address} has jobs of another collection. Let them finish, or use another database of the broker.`;
        throw new IJepaError("queue/owner", message, { address: this.address });
      }
      this.#jobs.set(job.id, job.data);
    }
    return [...this.#jobs.values()];
  }

  async add(data: ImageJob): Promise<void> {
    const id = await jobIdOf(data);
    this.#jobs.set(id, data);
    await this.#send([id]);
  }

  /** What is done. */
  async finished(): Promise<FinishedJob[]> {
    const jobs = await this.queue.getJobs(["completed", "failed"], 0, -1, true);
    return jobs.flatMap((job) => {
      const data = job?.id === undefined ? undefined : this.#jobs.get(job.id);
      return job === undefined || data === undefined ? [] : [{ job, data }];
    });
  }

  /** The result of a job was taken; it stays in the queue until `removeTaken`. */
  take(job: QueuedJob): void {
    this.#jobs.delete(job.id!);
    this.#taken.push(job);
  }

  /** Puts a finished job behind all others, to be done once more. */
  async again(job: QueuedJob, data: ImageJob): Promise<void> {
    this.#jobs.delete(job.id!);
    await job.remove();
    await this.add(data);
  }

  /** Call it when the results are on disk: what is killed before is taken again. */
  async removeTaken(): Promise<void> {
    for (const job of this.#taken) await job.remove().catch(() => undefined);
    this.#taken = [];
  }

  /** A broker that was restarted may have lost its last jobs; they are sent again. */
  async sendLost(): Promise<void> {
    const there = new Set((await this.queue.getJobs(STATES, 0, -1, true)).map((job) => job?.id)), lost: string[] = [];
    for (const id of this.#jobs.keys()) if (!there.has(id) && (await this.queue.getJob(id)) === undefined) lost.push(id);
    if (lost.length > 0) await this.#send(lost);
  }

  /** Undefined with brokers that do not say who is connected. */
  async workers(): Promise<number | undefined> {
    return this.queue.getWorkersCount().catch(() => undefined);
  }

  async #send(ids: readonly string[]): Promise<void> {
    await this.queue.addBulk(ids.map((jobId) => ({ name: "images", data: this.#jobs.get(jobId)!, opts: { jobId } })));
  }
}
