/** What a real broker does too seldom to be waited for: jobs that vanish, end their workers, or come back damaged. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Collection } from "../../../ts-api/src/collections/collection.js";
import type { CollectionRow } from "../../../ts-api/src/collections/row.js";
import { isIJepaError, type ErrorCode } from "../../../ts-api/src/core/errors.js";
import { addressOf, type Broker, type JobQueue, type QueuedJob } from "../../../ts-api/src/queue/broker.js";
import { decodeRow, encodeRow, JOB_VERSION, type ImageJob, type JobResult } from "../../../ts-api/src/queue/jobs.js";
import { indexThroughQueue } from "../../../ts-api/src/queue/produce.js";
import { ENCODING, rows, temporaryFolder } from "../collections/helpers.js";

type Answer = { returnvalue: JobResult } | { failedReason: string } | undefined;

/** A queue in memory, whose jobs are answered at once. */
class MemoryQueue implements JobQueue {
  readonly jobs = new Map<string, QueuedJob & { state: string }>();
  most = 0;
  sent = 0;

  constructor(private readonly answer: (data: ImageJob, sent: number) => Answer | "lose") {}

  async addBulk(added: readonly { data: ImageJob; opts: object }[]): Promise<void> {
    for (const { data, opts } of added) {
      const { jobId: id } = opts as { jobId: string }, answer = this.answer(data, this.sent++);
      if (answer === "lose" || this.jobs.has(id)) continue;
      const state = answer === undefined ? "waiting" : "returnvalue" in answer ? "completed" : "failed";
      this.jobs.set(id, { id, data, ...answer, state, moveToWait: async () => undefined, remove: async () => void this.jobs.delete(id) });
    }
    this.most = Math.max(this.most, this.jobs.size);
  }
  getJobs = async (states: readonly string[]) => [...this.jobs.values()].filter(({ state }) => states.includes(state));
  getJob = async (id: string) => this.jobs.get(id);
  getWorkersCount = async () => 1;
  waitUntilReady = async () => undefined;
  close = async () => undefined;
  on = () => this;
}

const brokerOf = (queue: JobQueue): Broker => ({
  address: "memory", openQueue: async () => queue, openWorker: () => Promise.reject(new Error()), givenBack: () => new Error(), close: async () => undefined,
});
const names = (count: number) => Array.from({ length: count }, (_, i) => `nowhere/${i}.png`);

/** Answers with rows of its own, the same for a place every time. */
async function answering(count: number, change: (data: ImageJob, sent: number) => Answer | "lose" = () => undefined) {
  const given = await rows(count), known = new Map<string, CollectionRow>(given.map((row, i) => [`nowhere/${i}.png`, { ...row, source: `nowhere/${i}.png` }]));
  const queue = new MemoryQueue((data, sent) => {
    const failures: JobResult["failures"] = [];
    return change(data, sent) ?? { returnvalue: { version: JOB_VERSION, rows: data.sources.map((source) => encodeRow(known.get(source)!)), failures, worker: "memory" } };
  });
  const collection = await Collection.openOrCreate(join(temporaryFolder(), "c"), ENCODING);
  return { queue, collection, run: (options = {}) => indexThroughQueue(collection, brokerOf(queue), names(count), { owner: "me", ...options }) };
}

const failsWith = (code: ErrorCode) => (error: unknown) => isIJepaError(error, code);

test("images come in, the queue stays bounded and is empty in the end", async () => {
  const { queue, collection, run } = await answering(100);
  assert.equal((await run({ jobSize: 4, maxJobs: 5 })).added, 100);
  assert.equal(collection.size.places, 100);
  assert.deepEqual([queue.jobs.size, queue.most <= 5], [0, true]);
});

test("a job that the broker has lost is sent again", async () => {
  const { collection, run } = await answering(10, (_, sent) => (sent === 0 ? "lose" : undefined));
  assert.equal((await run({ jobSize: 4 })).added, 10);
  assert.equal(collection.size.places, 10);
});

test("of a job that ends its workers only the image to blame is lost", async () => {
  const { collection, run } = await answering(10, ({ sources }) => (sources.includes("nowhere/6.png") ? { failedReason: "job stalled more than allowable limit" } : undefined));
  const { added, failed } = await run({ jobSize: 4 });
  assert.deepEqual([added, failed], [9, 1]);
  const [failure] = await collection.failures();
  assert.equal(failure.source, "nowhere/6.png");
  assert.match(failure.message, /stalled/);
});

test("jobs of a run that was cut are collected, and their places are not asked for again", async () => {
  const { queue, collection, run } = await answering(10), [job] = names(1);
  await queue.addBulk([{ data: { version: JOB_VERSION, owner: "me", encoding: ENCODING, sources: [job] }, opts: { jobId: "left" } }]);
  assert.equal((await run({ jobSize: 9 })).added, 10);
  assert.deepEqual([collection.size.places, queue.sent, queue.jobs.size], [10, 2, 0]);
});

test("a queue of another collection or version, and results that are damaged, are refused", async () => {
  for (const [data, code] of [[{ owner: "you", version: JOB_VERSION }, "queue/owner"], [{ owner: "me", version: 99 }, "queue/version"]] as const) {
    const { queue, run } = await answering(2);
    await queue.addBulk([{ data: { ...data, encoding: ENCODING, sources: names(1) }, opts: { jobId: "other" } }]);
    await assert.rejects(run(), failsWith(code));
    assert.equal(queue.jobs.size, 1, "nothing of another's is removed");
  }
  const [row] = await rows(1), message = encodeRow(row), { label: _, tokens, ...own } = row;
  assert.deepEqual(await decodeRow(message), { ...own, tokens });
  await assert.rejects(decodeRow({ ...message, feature: message.feature.slice(4) + message.feature.slice(0, 4) }), failsWith("queue/result"));
  await assert.rejects(decodeRow({ ...message, feature: message.feature.slice(4) }), failsWith("queue/result"));
  await assert.rejects(decodeRow({ ...message, feature: "%" }), failsWith("queue/result"));
});

test("addresses are shown without user and password, and only Redis is taken", () => {
  assert.equal(addressOf("rediss://user:secret@host:1234/5"), "rediss://host:1234/5");
  for (const wrong of ["", "host:6379", "http://host", "amqp://u:secret@host"]) {
    assert.throws(() => addressOf(wrong), (error) => isIJepaError(error, "input/value") && !error.message.includes("secret"));
  }
});
