/** `verify` over the CPU and WebGPU: the same bits, and a planted wrong shader is named. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openDevice } from "../../ts-api/src/backends/open.js";
import { SHADERS } from "../../ts-api/src/backends/webgpu/shaders.js";
import { openWebgpu } from "../../ts-api/src/backends/webgpu/webgpu.js";
import { variantsHere } from "../../ts-api/src/backends/variants.js";
import type { IJepaError } from "../../ts-api/src/core/errors.js";
import { verify, type Variant } from "../../ts-api/src/index.js";
import { gpuHere } from "../support/webgpu.js";
import { MODELS } from "../support/models.js";

const { gpu, reason } = await gpuHere();
const skip = gpu === undefined ? `not run: ${reason}` : false;
const { present } = await variantsHere();
const onGpu = (name: string, sources?: typeof SHADERS): Variant => ({ name, open: () => openWebgpu({ gpu, sources }) });

test("verify: the CPU's variants and WebGPU compute the same words in every op of every layer", { skip }, async () => {
  const report = await verify(`${MODELS}/tiny`, { variants: [...present.filter(({ name }) => name.startsWith("wasm")), onGpu("webgpu")] });
  assert.deepEqual(report.rows.filter(({ same }) => !same), []);
  assert.ok(report.rows.some(({ variant }) => variant === "webgpu"));
});

test("verify: a shader with a wrong constant is named by layer and op", { skip }, async () => {
  const right = SHADERS["ops/attention"], wrong = right.replace("pin(sum * params.scale)", "pin(sum * (params.scale * 1.0000002))");
  assert.notEqual(wrong, right);
  const report = await verify(`${MODELS}/tiny`, { dtypes: ["fp32"], variants: [present[0], onGpu("webgpu", { ...SHADERS, "ops/attention": wrong })] });
  assert.equal(report.same, false);
  const { part, op, buffer } = report.rows[1].difference!;
  assert.deepEqual({ part, op, buffer }, { part: "layer 0", op: "attention", buffer: "y" });
});

test("a wrong kernel for a pair of ops: attestation refuses it, and verify names the pair", { skip }, async () => {
  const right = SHADERS["lib/finish-int8"], wrong = right.replace("wordOf(q);", "wordOf(q) ^ select(0u, 1u, col == 20);");
  assert.notEqual(wrong, right);
  const sources = { ...SHADERS, "lib/finish-int8": wrong };
  await assert.rejects(openDevice("webgpu", { gpu, sources, dtype: "int4" }), (error: IJepaError<"backend/inexact">) => {
    assert.deepEqual([error.code, error.details.case], ["backend/inexact", "linear int4 gelu to int8"]);
    return true;
  });
  const report = await verify(`${MODELS}/tiny`, { dtypes: ["int4"], variants: [present[0], onGpu("webgpu", sources)] });
  assert.deepEqual(report.rows.map(({ same }) => same), [true, false]);
  const { part, op, buffer, coordinates, total } = report.rows[1].difference!;
  assert.deepEqual({ part, op, buffer, coordinates, total }, { part: "layer 0", op: "linear and quantize-rows", buffer: "y", coordinates: [0, 20], total: 16 * 256 });
});
