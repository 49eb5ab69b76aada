/** Which kernels the CPU backend takes: those with vectors of 256 bits only where they give the contract's words. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { runtime } from "#runtime";
import { openCpu } from "../../../ts-api/src/backends/open-cpu.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";

const { revectorizedModule } = runtime;
afterEach(() => {
  runtime.revectorizedModule = revectorizedModule;
});

const KERNELS = readFileSync("dist/wasm/kernels-simd128.wasm");
/** EXP_C0 of the numeric contract, in the module's data. */
const EXP_C0 = Buffer.from(Float32Array.of(0.4999999403953552).buffer);

/** An engine whose compiler gives this code. */
function plant(bytes: Uint8Array<ArrayBuffer>): void {
  runtime.revectorizedModule = () => WebAssembly.compile(bytes);
}

test("without an engine that can, revectorize is refused, and auto does without", async () => {
  runtime.revectorizedModule = undefined;
  await assert.rejects(openCpu({ revectorize: true }), (error) => isIJepaError(error, "backend/unavailable") && /256-bit vectors/.test(error.message));
  const backend = await openCpu({ revectorize: "auto" });
  assert.doesNotMatch(backend.device, /revectorized/);
  backend.dispose();
});

test("a compiler that changes a bit is refused by attestation; auto does without it", async () => {
  const at = KERNELS.indexOf(EXP_C0);
  assert.ok(at > 0 && KERNELS.indexOf(EXP_C0, at + 1) < 0, "the constant stands in the module once");
  const wrong = Uint8Array.from(KERNELS);
  wrong[at] ^= 1;
  plant(wrong);
  await assert.rejects(openCpu({ revectorize: true }), (error) => isIJepaError(error, "backend/inexact") && /attention|gelu|linear/.test(error.details.case));
  const backend = await openCpu({ revectorize: "auto" });
  assert.doesNotMatch(backend.device, /revectorized/);
  backend.dispose();
});

test("one that changes none is taken, on one thread and on two", async () => {
  plant(Uint8Array.from(KERNELS));
  assert.match((await openCpu({ revectorize: true, dtype: "fp32" })).device, /revectorized/);
  plant(Uint8Array.from(readFileSync("dist/wasm/kernels-simd128-shared.wasm")));
  const backend = await openCpu({ revectorize: true, dtype: "fp32", threads: 2 });
  assert.match(backend.device, /revectorized, .*2 threads/);
  backend.dispose();
});

test("other values are refused", async () => {
  await assert.rejects(openCpu({ revectorize: "yes" as "auto" }), TypeError);
});
