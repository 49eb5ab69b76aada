/** Tensors larger than a binding, and batches larger than a buffer: the same words, in more dispatches. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import type { Backend } from "../../ts-api/src/backends/backend.js";
import { openBackend } from "../../ts-api/src/backends/open.js";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { openWebgpu, type WebgpuBackend } from "../../ts-api/src/backends/webgpu/webgpu.js";
import type { IJepaError } from "../../ts-api/src/core/errors.js";
import { IJepaConfig } from "../../ts-api/src/config/config.js";
import { bufferDescs, passSize } from "../../ts-api/src/encoder/plan.js";
import { bytesOf } from "../../ts-api/src/ops/contract.js";
import { encodeOn, MODELS } from "../support/models.js";
import { gaussArray } from "../support/random.js";
import { gpuHere } from "../support/webgpu.js";
import { ALL_CASES, CHAINS } from "./cases.js";
import { assertSameWords, runCase } from "./run.js";

const { gpu, reason } = await gpuHere();
const skip = gpu === undefined ? `not run: ${reason}` : false;

/** Cases, by how their ids start, and a binding that holds the least part of their tensors and not all. */
const SPLIT: readonly (readonly [string, number])[] = [
  ["layer-norm/130x68", 34_000],
  ...(["fp32", "bf16", "nf4", "int4"] as const).flatMap((format) => {
    const panel = 544 * (format === "fp32" ? 32 : format === "bf16" ? 16 : 4);
    return [
      [`linear/${format}/130x300x64`, 64 * 320 * 4],
      [`linear/${format}/130x130x32`, 34_000],
      [`linear/${format}/3x300x544`, 16 * panel],
    ] as const;
  }),
];
const opened: WebgpuBackend[] = [];
const open = async (maxBufferSize: number, maxStorageBufferBindingSize: number) => {
  opened.push(await openWebgpu({ gpu, sizes: { maxBufferSize, maxStorageBufferBindingSize } }));
  return opened.at(-1)!;
};
after(() => opened.forEach((backend) => backend.dispose()));

for (const [start, binding] of SPLIT) {
  test(`in bindings of ${binding} bytes: ${start}`, { skip }, async () => {
    const backend = await open(2 ** 20, binding);
    const cases = [...ALL_CASES, ...CHAINS].filter(({ id }) => id.startsWith(start));
    assert.ok(cases.length > 0);
    for (const testCase of cases) {
      let more = 0;
      const counting: Backend = {
        ...backend,
        async compile(calls) {
          const program = await backend.compile(calls);
          more += backend.stepsOf(program).length - calls.length;
          return program;
        },
      };
      assertSameWords(testCase, "webgpu in pieces", await runCase(counting, testCase), await runCase(openOracle(), testCase));
      assert.ok(more >= 2, `${testCase.id}: ${more} dispatches more than calls`);
    }
  });
}

test("batches split until each tensor fits a binding", { skip }, async () => {
  const folder = `${MODELS}/tiny`, config = IJepaConfig.fromJSON(JSON.parse(readFileSync(`${folder}/config.json`, "utf8")), folder);
  const { numChannels, imageHeight, imageWidth, numHiddenLayers } = config, images = 5;
  const data = gaussArray("five images", images * numChannels * imageHeight * imageWidth);
  const pixels = { dims: [images, numChannels, imageHeight, imageWidth], data };
  for (const dtype of ["bf16", "int4"] as const) {
    const sizes = Object.values(bufferDescs(config, dtype, passSize(config, 1, imageHeight, imageWidth)));
    const largest = Math.max(...sizes.map((desc) => (desc === undefined ? 0 : bytesOf(desc))));
    const cpu = await openBackend("wasm"), backend = await open(2 ** 20, 2 * largest);
    let runs = 0;
    const counting: Backend = { ...backend, run: (program) => (runs++, backend.run(program)) };
    assert.deepEqual(await encodeOn(counting, folder, dtype, pixels), await encodeOn(cpu, folder, dtype, pixels));
    assert.equal(runs, Math.ceil(images / 2) * (numHiddenLayers + 2));
    cpu.dispose();
  }
});

test("attention that does not fit is backend/memory", { skip }, async () => {
  const backend = await open(2 ** 20, 40_000);
  const x = backend.alloc({ name: "x", type: "f32", dims: [1, 60, 3, 2, 32] }), y = backend.alloc({ name: "y", type: "f32", dims: [1, 60, 2, 32] });
  await assert.rejects(
    backend.compile([{ op: "attention", format: "bf16", batch: 1, tokens: 60, heads: 2, headDim: 32, x, y }]),
    (error: IJepaError) => error.code === "backend/memory" && /attention needs 46080 bytes/.test(error.message),
  );
});
