/** `ijepa inspect` and `ijepa compare`: what they print, as text and as JSON. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompareReport, InspectReport } from "../../weights-tools/index.js";
import { ASTRONAUT, CHELSEA, ijepa, succeed, TINY } from "./helpers.js";

test("inspect: facts, and with --tensors a table of them; --json has them all", async () => {
  const text = await succeed(["inspect", TINY, "--dtype", "int4", "--image-size", "48", "--source", TINY, "--tensors"]);
  assert.doesNotMatch(await succeed(["inspect", TINY]), /layernorm/);
  for (const part of [/^tensor +dtype +shape +size$/m, /^layernorm\.bias +F32 +\d+ +\d+ bytes$/m, /^one image +48x48, \d+ tokens, [\d.]+ GFLOP$/m, /^layer .*SQNR dB$/m]) assert.match(text, part);
  const report = JSON.parse(await succeed(["inspect", TINY, "--json"])) as InspectReport;
  assert.equal(report.dtype, "bf16");
  assert.ok(report.estimate.resident > report.estimate.streamed && report.tensors.length > 10);
});

test("compare: SQNR of every state, cosines of tokens and means", async () => {
  const text = await succeed(["compare", TINY, TINY, "--image", CHELSEA, "--image", ASTRONAUT, "--dtype", "int4"]);
  for (const part of [/^int4 beside fp32, 2 images$/m, /^embedding +\d+\.\d\d$/m, /^layer 1 +\d+\.\d\d$/m, /^output /m, /^tokens +0\.\d{6} +0\.\d{6} +0\.\d{6}$/m, /^pooled /m]) assert.match(text, part);
  const { sqnr, a, b } = JSON.parse(await succeed(["compare", TINY, TINY, "--image", CHELSEA, "--dtype", "fp32", "--json"])) as CompareReport;
  assert.deepEqual([new Set(sqnr), a], [new Set([null]), b]);
  const { code, stderr } = await ijepa(["compare", TINY, TINY]);
  assert.equal(code, 2);
  assert.match(stderr, /needs --image/);
});
