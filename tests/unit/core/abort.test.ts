/** Many may wait for one signal, and the host sees one listener. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { onAbort } from "../../../ts-api/src/core/abort.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { DecodePool } from "../../../ts-api/src/decoding/pool.js";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

test("all who wait are told, once each; those who stopped waiting are not", () => {
  const controller = new AbortController(), { signal } = controller, told: number[] = [];
  const stops = Array.from({ length: 100 }, (_, i) => onAbort(signal, () => told.push(i)));
  assert.equal(listeners(signal), 1);
  for (const [i, stop] of stops.entries()) if (i % 2 === 0) stop();
  stops[0]();
  controller.abort();
  assert.deepEqual(told, Array.from({ length: 50 }, (_, i) => 2 * i + 1));
  for (const stop of stops) stop();
  assert.equal(listeners(signal), 0);
  assert.equal(told.length, 50);
});

test("nobody listens any more when all have stopped, and again when somebody waits", () => {
  const controller = new AbortController(), { signal } = controller;
  let told = 0;
  onAbort(signal, () => told++)();
  assert.equal(listeners(signal), 0);
  const stop = onAbort(signal, () => told++), same = () => told++;
  onAbort(signal, same)();
  assert.equal(listeners(signal), 1);
  controller.abort();
  stop();
  assert.equal(told, 1);
  onAbort(undefined, same)();
});

test("fifty images of one signal wait in a pool without a warning, and all are aborted", async () => {
  const pool = new DecodePool({ threads: 1 }), controller = new AbortController(), { signal } = controller, warnings: Error[] = [];
  const listen = (warning: Error) => void warnings.push(warning), bytes = new Uint8Array(readFileSync("tests/goldens/images/files/rocket.jpg"));
  process.on("warning", listen);
  const jobs = Array.from({ length: 50 }, () => pool.decode(bytes, { signal }));
  const ended = Promise.allSettled(jobs);
  await jobs[0];
  controller.abort();
  const rejected = (await ended).flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  assert.ok(rejected.length > 0 && rejected.every((error) => isIJepaError(error, "aborted")));
  await pool.close();
  process.off("warning", listen);
  assert.deepEqual(warnings, []);
  assert.equal(listeners(signal), 0);
});
