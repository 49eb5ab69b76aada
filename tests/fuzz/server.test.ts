/** A minute of `npm run fuzz -- server`, with a fixed seed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, fuzz } from "./frame.js";
import { server } from "./server.js";

test("a minute of odd requests: an answer or a typed error, and the server stays well", async (t) => {
  const report = await fuzz("server", server, { seconds: 60, seed: 1 });
  t.diagnostic(describe("server", report));
  assert.deepEqual(report.faults, []);
  assert.ok(report.outcomes.ok > 0);
});
