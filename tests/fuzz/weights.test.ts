/** A minute of `npm run fuzz -- weights`, with a fixed seed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, fuzz } from "./frame.js";
import { weights } from "./weights.js";

test("a minute of damaged checkpoints: opened, or an error of the library", async (t) => {
  const report = await fuzz("weights", weights, { seconds: 60, seed: 1 });
  t.diagnostic(describe("weights", report));
  assert.deepEqual(report.faults, []);
  assert.ok(report.outcomes.ok > 0);
});
