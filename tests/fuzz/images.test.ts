/** A minute of `npm run fuzz -- images`, with a fixed seed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, fuzz } from "./frame.js";
import { images } from "./images.js";

test("a minute of damaged images: pixels, or an error of the library", async (t) => {
  const report = await fuzz("images", images, { seconds: 60, seed: 1 });
  t.diagnostic(describe("images", report));
  assert.deepEqual(report.faults, []);
  assert.ok(report.outcomes.ok > 0);
});
