/** `ijepa verify` and `ijepa doctor`: their tables and JSON. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DoctorReport, VerifyReport } from "../../ts-api/src/index.js";
import { ijepa, succeed } from "./helpers.js";

test("verify: a table of every variant, the recorded digests, what was not run, exit code 0", async () => {
  const text = await succeed(["verify", "--dtype", "int4"]);
  assert.match(text, /^int4 +wasm simd128 plain +[0-9a-f]{16} +same$/m);
  assert.match(text, /^int4 +wasm simd128 2 threads +[0-9a-f]{16} +same$/m);
  assert.match(text, /^Recorded digests:\n {2}int4 [0-9a-f]{16} same$/m);
  assert.match(text, /\nAll the same\.\n$/);
});

test("verify --json with an image: no recorded digests, every row the same", async () => {
  const report = JSON.parse(await succeed(["verify", "--json", "--dtype", "bf16", "--image", "examples/photos/rocket.jpg"])) as VerifyReport;
  assert.equal(report.same, true);
  assert.deepEqual(report.recorded, []);
  assert.ok(report.rows.length >= 2 && report.rows.every(({ same, dtype }) => same && dtype === "bf16"));
  // The digest is that of `ijepa embed`: verify computes what users compute.
  const embedded = JSON.parse(await succeed(["embed", "--json", "--dtype", "bf16", "examples/photos/rocket.jpg"])) as { images: { numerics: { digest: string } }[] };
  assert.equal(report.rows[0].digest, embedded.images[0].numerics.digest);
});

test("verify takes no images as arguments, and reports a model that is not there", async () => {
  assert.equal((await ijepa(["verify", "a.png"])).code, 2);
  assert.equal((await ijepa(["verify", "--model", "no/such/model"])).code, 4);
});

test("doctor: what the machine has, as text and as JSON", async () => {
  assert.match(await succeed(["doctor"]), /^runtime +node [\d.]+, \d+ processors\nSIMD +yes\n/);
  const report = JSON.parse(await succeed(["doctor", "--json"])) as DoctorReport;
  assert.ok(report.wasm.simd128 && report.wasm.loops.length > 0);
});
