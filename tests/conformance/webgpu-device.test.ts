/** Opening, refusing and losing a WebGPU device. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { attest } from "../../ts-api/src/backends/attest.js";
import { openDevice } from "../../ts-api/src/backends/open.js";
import { SHADERS } from "../../ts-api/src/backends/webgpu/shaders.js";
import { openWebgpu } from "../../ts-api/src/backends/webgpu/webgpu.js";
import type { IJepaError } from "../../ts-api/src/core/errors.js";
import { gpuHere } from "../support/webgpu.js";

const { gpu, reason } = await gpuHere();
const skip = gpu === undefined ? `not run: ${reason}` : false;

/** A GPU without adapters. */
const noAdapter = { requestAdapter: async () => null, wgslLanguageFeatures: new Set() } as unknown as GPU;

test("without an adapter: webgpu is unavailable, auto takes the CPU and says why", async () => {
  await assert.rejects(openDevice("webgpu", { gpu: noAdapter }), (error: IJepaError) => error.code === "backend/unavailable" && /no adapter/.test(error.message));
  const { backend, rejected } = await openDevice("auto", { gpu: noAdapter });
  assert.equal(backend.id, "wasm");
  assert.deepEqual(rejected.map(({ device, code }) => [device, code]), [["webgpu", "backend/unavailable"]]);
  backend.dispose();
});

test("an unknown device is a TypeError", async () => {
  await assert.rejects(openDevice("cuda" as "wasm"), TypeError);
});

test("the shaders of the package are those of gpu/, line for line, without comments and indents", () => {
  const files = readdirSync("gpu", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".wgsl"));
  const sources = files.map((path) => [path.replaceAll("\\", "/").replace(/\.wgsl$/, ""), readFileSync(`gpu/${path}`, "utf8").split("\n").map((line) => line.split("//")[0].trim())]);
  assert.deepEqual(Object.fromEntries(Object.entries(SHADERS).map(([name, text]) => [name, text.split("\n")])), Object.fromEntries(sources));
});

test("webgpu attests with the fast tier, for every dtype", { skip }, async () => {
  const { backend, rejected, inexact } = await openDevice("webgpu", { gpu });
  assert.deepEqual([backend.id, rejected, inexact], ["webgpu", [], undefined]);
  assert.match(backend.device, /fast sums$/);
  backend.dispose();
});

test("webgpu attests with pinned sums", { skip }, async () => {
  const backend = await openWebgpu({ gpu, tier: "pinned" });
  assert.equal(await attest(backend), undefined);
  backend.dispose();
});

test("auto passes over an adapter that computes on the processor", { skip }, async () => {
  const probe = await openWebgpu({ gpu });
  probe.dispose();
  const { backend, rejected } = await openDevice("auto", { gpu });
  assert.equal(backend.id, probe.software ? "wasm" : "webgpu");
  assert.equal(rejected.length, probe.software ? 1 : 0);
  backend.dispose();
});

test("a kernel that is wrong in one word is refused, with the probe's name", { skip }, async () => {
  const right = SHADERS["lib/store"], wrong = right.replace("= rounded[i];", "= select(rounded[i], rounded[i] * 1.0000002, row + i == 0 && column == 7);");
  assert.notEqual(wrong, right);
  const sources = { ...SHADERS, "lib/store": wrong };
  await assert.rejects(openDevice("webgpu", { gpu, sources, dtype: "bf16" }), (error: IJepaError<"backend/inexact">) => {
    assert.equal(error.code, "backend/inexact");
    assert.match(error.details.case, /^layer-norm/);
    return true;
  });
  const { backend, inexact } = await openDevice("webgpu", { gpu, sources, dtype: "bf16", determinism: "report" });
  assert.match(inexact!, /^layer-norm/);
  backend.dispose();
});

test("where only packed dot products are wrong, the pinned tier does without them", { skip }, async () => {
  const wrong = SHADERS["lib/dots"].replace("dot4I8Packed(q, u.w)", "dot4I8Packed(q, u.w) + 1");
  assert.notEqual(wrong, SHADERS["lib/dots"]);
  const { backend, inexact } = await openDevice("webgpu", { gpu, sources: { ...SHADERS, "lib/dots": wrong }, dtype: "int4" });
  assert.equal(inexact, undefined);
  assert.match(backend.device, /pinned sums$/);
  backend.dispose();
});

test("a shader that does not compile is backend/unavailable, with the compiler's words", { skip }, async () => {
  const sources = { ...SHADERS, "ops/patchify": `${SHADERS["ops/patchify"]}\nfn broken() -> u32 { return nothing; }` };
  await assert.rejects(openDevice("webgpu", { gpu, sources }), (error: IJepaError) => {
    assert.equal(error.code, "backend/unavailable");
    assert.match(error.message, /patchify.*nothing/);
    return true;
  });
});

test("a lost device is backend/lost at every later call, and dispose still works", { skip }, async () => {
  const adapter = await gpu!.requestAdapter();
  const device = await adapter!.requestDevice();
  const backend = await openWebgpu({ gpu, gpuDevice: device });
  const tensor = backend.alloc({ name: "x", type: "f32", dims: [8] });
  backend.write(tensor, new Uint8Array(32));
  device.destroy();
  await device.lost;
  const isLost = (error: IJepaError) => error.code === "backend/lost";
  await assert.rejects(backend.read(tensor), isLost);
  assert.throws(() => backend.write(tensor, new Uint8Array(32)), isLost);
  assert.throws(() => backend.alloc({ name: "y", type: "f32", dims: [8] }), isLost);
  await assert.rejects(backend.compile([]), isLost);
  backend.dispose();
});

test("a device lost while a read waits is backend/lost", { skip }, async () => {
  const device = await (await gpu!.requestAdapter())!.requestDevice();
  const backend = await openWebgpu({ gpu, gpuDevice: device });
  const reading = backend.read(backend.alloc({ name: "x", type: "f32", dims: [1 << 20] }));
  device.destroy();
  await assert.rejects(reading, (error: IJepaError) => error.code === "backend/lost");
  backend.dispose();
});

test("a tensor larger than the device allows is backend/memory", { skip }, async () => {
  const backend = await openWebgpu({ gpu });
  assert.throws(() => backend.alloc({ name: "huge", type: "f32", dims: [2 ** 34] }), (error: IJepaError<"backend/memory">) => {
    assert.deepEqual([error.code, error.details.bytes], ["backend/memory", 2 ** 36]);
    return true;
  });
  backend.dispose();
});

test("released and foreign tensors are a TypeError; bytes that do not fit a RangeError", { skip }, async () => {
  const backend = await openWebgpu({ gpu });
  const tensor = backend.alloc({ name: "x", type: "i8", dims: [6] });
  backend.write(tensor, Uint8Array.of(1, 2, 3, 4, 5, 6));
  assert.deepEqual(await backend.read(tensor), Uint8Array.of(1, 2, 3, 4, 5, 6));
  assert.throws(() => backend.write(tensor, new Uint8Array(7)), RangeError);
  assert.throws(() => backend.write(tensor, new Uint8Array(2), 1), RangeError);
  backend.release(tensor);
  assert.throws(() => backend.write(tensor, new Uint8Array(4)), TypeError);
  await assert.rejects(backend.read({ name: "other", type: "f32", dims: [1], bytes: 4 }), TypeError);
  backend.dispose();
});
