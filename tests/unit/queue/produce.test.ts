/** What a real broker does too seldom to be waited for: jobs that vanish, end their workers, or come back damaged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isIJepaError, type ErrorCode } from "../../../ts-api/src/core/errors.js";
import { addressOf } from "../../../ts-api/src/queue/broker.js";
import { decodeRow, encodeRow, jobIdOf, JOB_VERSION, type JobResult } from "../../../ts-api/src/queue/jobs.js";
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

test("warnings of damaged images come through, once", async () => {
  const told: string[] = [], warnings = ["it has no end marker"], isDamaged = ({ source }: { source: string }) => source.endsWith("3.png");
  const { run } = await answering(10, undefined, (result) => ({ ...result, damaged: result.rows.filter(isDamaged).map(({ source }) => ({ source, warnings })) }));
  const onWarning = (image: { source: string; warnings: readonly string[] }) => void told.push(`${image.source}: ${image.warnings.join()}`);
  assert.equal((await run({ jobSize: 4, onWarning })).added, 10);
  assert.deepEqual(told, ["nowhere/3.png: it has no end marker"]);
});

test("a result that is damaged or not complete is asked for again, three times at most", async () => {
  const damages: ((result: JobResult) => unknown)[] = [
    (result) => ({ ...result, rows: result.rows.slice(1) }),
    (result) => ({ ...result, rows: [...result.rows, { ...result.rows[0], source: "nowhere/else.png" }] }),
    (result) => ({ ...result, rows: result.rows.map((row) => ({ ...row, feature: row.feature.slice(4) })) }),
    ({ version }) => ({ version }), ({ version, rows, failures }) => ({ version, rows, failures, worker: null }),
  ];
  for (const damage of damages) {
    for (const [times, outcome] of [[1, { added: 6, failed: 0, repeated: 1 }], [9, { added: 4, failed: 2, repeated: 2 }]] as const) {
      let left = times;
      const { queue, collection, run } = await answering(6, undefined, (result) => (result.rows.some(({ source }) => source === "nowhere/2.png") && left-- > 0 ? (damage(result) as JobResult) : result));
      const { added, failed, repeated } = await run({ jobSize: 2 });
      assert.deepEqual({ added, failed, repeated }, outcome, damage.toString());
      assert.deepEqual([queue.jobs.size, collection.size.places], [0, added]);
      assert.ok((await collection.failures()).every(({ code }) => code === "queue/result"));
    }
  }
});

test("jobs say whether damaged images are failures, and are other jobs then", async () => {
  const seen: (boolean | undefined)[] = [], { run } = await answering(2, ({ strict }) => void seen.push(strict));
  await run({ strict: true });
  assert.deepEqual(seen, [true]);
  const job = { owner: "me", sources: names(2) };
  assert.notEqual(await jobIdOf(job), await jobIdOf({ ...job, strict: true }));
});

test("jobs that were begun again are counted", async () => {
  const { queue, run } = await answering(10);
  queue.counts = { attemptsMade: 1, stalledCounter: 0 };
  assert.equal((await run({ jobSize: 5 })).repeated, 0);
  const other = await answering(10);
  other.queue.counts = { attemptsMade: 3, stalledCounter: 1 };
  assert.equal((await other.run({ jobSize: 5 })).repeated, 6);
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
