/** A queue in memory with workers that answer at once, and a collection that they fill. */
import { join } from "node:path";
import { Collection } from "../../../ts-api/src/collections/collection.js";
import { featureDigest, type CollectionRow } from "../../../ts-api/src/collections/row.js";
import type { Broker, JobQueue, QueuedJob } from "../../../ts-api/src/queue/broker.js";
import { encodeRow, JOB_VERSION, type ImageJob, type JobResult } from "../../../ts-api/src/queue/jobs.js";
import { indexThroughQueue, type QueueIndexOptions } from "../../../ts-api/src/queue/produce.js";
import { ENCODING, rows, temporaryFolder } from "../collections/helpers.js";

export type Answer = { returnvalue: JobResult } | { failedReason: string } | undefined;

export const infoOf = (name: string) => ({ name, machine: "here", device: "none" });

/** A queue in memory, whose jobs are answered at once. */
export class MemoryQueue implements JobQueue {
  readonly jobs = new Map<string, QueuedJob & { state: string }>();
  most = 0;
  sent = 0;
  /** What the broker counts of each job. */
  counts: Pick<QueuedJob, "attemptsMade" | "stalledCounter"> = {};

  constructor(private readonly answer: (data: ImageJob, sent: number) => Answer | "lose" | Promise<Answer>) {}

  async addBulk(added: readonly { data: ImageJob; opts: object }[]): Promise<void> {
    for (const { data, opts } of added) {
      const { jobId: id } = opts as { jobId: string }, answer = await this.answer(data, this.sent++);
      if (answer === "lose" || this.jobs.has(id)) continue;
      const state = answer === undefined ? "wait" : "returnvalue" in answer ? "completed" : "failed";
      this.jobs.set(id, { id, data, ...answer, state, ...this.counts, moveToWait: async () => undefined, remove: async () => void this.jobs.delete(id) });
    }
    this.most = Math.max(this.most, this.jobs.size);
  }
  getRanges = async (states: readonly string[]) => [...this.jobs.entries()].filter(([, { state }]) => states.includes(state)).map(([id]) => id);
  getJob = async (id: string) => this.jobs.get(id);
  getWorkersCount = async () => 1;
  waitUntilReady = async () => undefined;
  close = async () => undefined;
  on = () => this;
}

export const brokerOf = (queue: JobQueue): Broker => ({
  address: "memory", openQueue: async () => queue, openWorker: () => Promise.reject(new Error()), givenBack: () => new Error(), close: async () => undefined,
});
export const names = (count: number) => Array.from({ length: count }, (_, i) => `nowhere/${i}.png`);

/** Rows of made-up images, the same for a place every time. */
export async function knownRows(count: number): Promise<ReadonlyMap<string, CollectionRow>> {
  return new Map((await rows(count)).map((row, i) => [`nowhere/${i}.png`, { ...row, source: `nowhere/${i}.png` }]));
}

export const resultOf = (worker: string, given: readonly CollectionRow[]): JobResult => ({ version: JOB_VERSION, rows: given.map(encodeRow), failures: [], worker: infoOf(worker) });

/** Answers with rows of its own, but for what `change` says; `amend` adds to them. */
export async function answering(count: number, change: (data: ImageJob, sent: number) => Answer | "lose" = () => undefined, amend: (result: JobResult) => JobResult = (result) => result) {
  const known = await knownRows(count);
  const queue = new MemoryQueue((data, sent) => change(data, sent) ?? { returnvalue: amend(resultOf("memory", data.sources.map((source) => known.get(source)!))) });
  const collection = await Collection.openOrCreate(join(temporaryFolder(), "c"), ENCODING);
  return { queue, collection, run: (options = {}) => indexThroughQueue(collection, brokerOf(queue), names(count), { owner: "me", ...options }) };
}

/** Workers that take turns, as `runJob` answers; `wrong` says who computes which row wrongly. */
export async function fleet(count: number, workers: readonly string[], wrong: (worker: string, done: number) => boolean, here: "right" | "absent" = "right") {
  const known = await knownRows(count), done = new Map<string, number>(), ended = new Set<string>();
  const compute = async (worker: string, sources: readonly string[]) => {
    const given: CollectionRow[] = [];
    for (const source of sources) {
      const row = known.get(source)!, feature = row.feature.slice(), number = done.get(worker) ?? 0;
      done.set(worker, number + 1);
      if (wrong(worker, number)) new Uint32Array(feature.buffer)[3] ^= 1;
      given.push({ ...row, feature, digest: await featureDigest(feature) });
    }
    return resultOf(worker, given);
  };
  let turn = 0;
  const queue = new MemoryQueue(async ({ sources, audit, banned = [] }) => {
    for (;;) {
      const worker = workers[turn++ % workers.length];
      if (banned.includes(worker)) ended.add(worker);
      if (ended.has(worker)) continue;
      return { returnvalue: audit?.worker.name === worker ? { ...resultOf(worker, []), declined: true } : await compute(worker, sources) };
    }
  });
  const collection = await Collection.openOrCreate(join(temporaryFolder(), "c"), ENCODING), whole = await Collection.inMemory(ENCODING);
  await whole.add(known.values());
  const run = (options: Partial<QueueIndexOptions> = {}) =>
    indexThroughQueue(collection, brokerOf(queue), names(count), {
      owner: "me", jobSize: 4, audit: 0.05, recompute: async ({ sources }) => (here === "right" ? compute("index", sources) : resultOf("index", [])), ...options,
    });
  return { queue, collection, run, done, ended, whole: await whole.rootDigest() };
}
