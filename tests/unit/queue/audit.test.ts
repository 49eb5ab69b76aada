/** Audits: who is found, what is computed again, and what runs that are cut remember. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { compareOutcomes, mismatchError } from "../../../ts-api/src/queue/audit.js";
import { fleet } from "./fleet.js";

const FOUR = ["a", "b", "c", "d"];

test("a share is computed twice, and workers that agree are left alone", async () => {
  const { run, collection, whole, queue } = await fleet(400, FOUR, () => false), { added, audited, recomputed, mismatches } = await run();
  assert.deepEqual([added, recomputed, mismatches.length, queue.jobs.size], [400, 0, 0, 0]);
  // Five in a hundred, and of each worker one of its first images and its last.
  assert.ok(audited >= 20 && audited <= 20 + 3 * FOUR.length, `${audited}`);
  assert.equal(await collection.rootDigest(), whole);
});

for (const from of [0, 30, 77]) {
  test(`a worker that is wrong from its image ${from} on is found, and replaced`, async () => {
    const told: string[] = [], { run, collection, whole, ended } = await fleet(400, FOUR, (worker, done) => worker === "c" && done >= from);
    const { mismatches, recomputed, added } = await run({ onMismatch: ({ worker }) => void told.push(worker.name) });
    assert.deepEqual([told, [...ended], mismatches.length, added], [["c"], ["c"], 1, 400]);
    assert.ok(recomputed <= mismatches[0].recomputed, `${recomputed}`);
    assert.equal(await collection.rootDigest(), whole);
    assert.notEqual(mismatches[0].actual, mismatches[0].expected);
    assert.match(mismatchError(mismatches[0]).message, /^Worker c on here \(none\) computed [0-9a-f]{64} for nowhere\/\d+\.png; others computed [0-9a-f]{64}\./);
  });
}

test("an error that comes and goes is replaced too where it passed an audit", async () => {
  const { run, collection, whole, ended } = await fleet(1000, FOUR, (worker, done) => worker === "c" && done % 4 === 3);
  await run({ audit: 0.1 });
  assert.deepEqual([...ended], ["c"]);
  assert.equal(await collection.rootDigest(), whole);
});

test("two that are wrong are both found", async () => {
  const { run, collection, whole, ended } = await fleet(400, FOUR, (worker, done) => (worker === "a" && done >= 20) || (worker === "d" && done >= 50));
  await run();
  assert.deepEqual([...ended].sort(), ["a", "d"]);
  assert.equal(await collection.rootDigest(), whole);
});

test("a single worker is audited by the producer", async () => {
  const { run, collection, whole, done } = await fleet(40, ["a"], () => false), { audited } = await run();
  assert.ok(audited > 0 && audited === done.get("index"), `${audited}`);
  assert.equal(await collection.rootDigest(), whole);
});

test("where the producer cannot read the image, both are out", async () => {
  const { run, collection, whole, ended } = await fleet(200, FOUR, (worker) => worker === "b", "absent"), { mismatches } = await run();
  assert.ok(ended.has("b") && ended.size <= 2 && mismatches.length === ended.size);
  assert.equal(await collection.rootDigest(), whole);
});

test("a run that is cut is gone on with: what a wrong worker left is found by the next", async () => {
  const stop = new AbortController(), { run, collection, whole, ended } = await fleet(400, FOUR, (worker, done) => worker === "c" && done >= 30);
  let seen = 0;
  // Audits are not answered before the end of the first run.
  await assert.rejects(run({ audit: 0.05, signal: stop.signal, maxJobs: 4, onProgress: () => void (++seen === 170 && stop.abort()) }), (error) => isIJepaError(error, "aborted"));
  const { mismatches } = await run();
  assert.ok(ended.has("c"), JSON.stringify(mismatches));
  assert.equal(await collection.rootDigest(), whole);
});

test("what says nothing about a worker is not held against it", () => {
  const row = (id: string, digest: string) => `${id} ${digest}`;
  assert.equal(compareOutcomes(row("1", "2"), row("1", "2")), "same");
  assert.equal(compareOutcomes(row("1", "2"), row("1", "3")), "wrong");
  assert.equal(compareOutcomes(row("1", "2"), "image/corrupt"), "wrong");
  for (const other of ["io/read", row("9", "3"), undefined]) assert.equal(compareOutcomes(row("1", "2"), other), "unclear");
});

test("a share that is none is refused", async () => {
  const { run } = await fleet(4, FOUR, () => false);
  for (const audit of [-1, 2, NaN]) await assert.rejects(run({ audit }), (error) => isIJepaError(error, "input/value"));
  await assert.rejects(run({ recompute: undefined }), TypeError);
});
