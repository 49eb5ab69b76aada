/** What a real broker does too seldom to be waited for: jobs that vanish, end their workers, or come back damaged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isIJepaError, type ErrorCode } from "../../../ts-api/src/core/errors.js";
import { addressOf } from "../../../ts-api/src/queue/broker.js";
import { decodeRow, encodeRow, JOB_VERSION } from "../../../ts-api/src/queue/jobs.js";
import { runJob, work } from "../../../ts-api/src/queue/worker.js";
import { ENCODING, rows } from "../collections/helpers.js";
import { answering, names } from "./fleet.js";

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

test("unknown options are refused by name", async () => {
  const { run } = await answering(1), none = {} as never;
  const misspelt = [() => run({ jobsize: 4 }), () => runJob(none, none, { name: "me", maxPixel: 1 } as never), () => work(none, none, { name: "me", onjob: () => {} } as never)];
  for (const call of misspelt) await assert.rejects(call(), (error) => isIJepaError(error, "input/value") && /did you mean "(jobSize|maxPixels|onJob)"/.test(error.message));
});

test("addresses are shown without user and password, and only those of known brokers are taken", () => {
  assert.equal(addressOf("rediss://user:secret@host:1234/5"), "rediss://host:1234/5");
  assert.equal(addressOf("postgres://user:secret@host/db?sslmode=require"), "postgres://host/db");
  for (const wrong of ["", "host:6379", "http://host", "amqp://u:secret@host"]) {
    assert.throws(() => addressOf(wrong), (error) => isIJepaError(error, "input/value") && !error.message.includes("secret"));
  }
});
