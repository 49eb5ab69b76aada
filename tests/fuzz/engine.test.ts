/** A minute of `npm run fuzz -- engine`, with a fixed seed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, fuzz } from "./frame.js";
import { engine } from "./engine.js";

test("a minute of random models: every way of computing gives the same bits", async (t) => {
  const report = await fuzz("engine", engine, { seconds: 60, seed: 1 });
  t.diagnostic(describe("engine", report));
  assert.deepEqual(report.faults, []);
  assert.ok(report.runs > 0);
});
