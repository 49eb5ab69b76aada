/** Whole models on WebGPU: the digests that the CPU has. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openBackend } from "../../ts-api/src/backends/open.js";
import { openWebgpu } from "../../ts-api/src/backends/webgpu/webgpu.js";
import { DTYPES, digestOf } from "../../ts-api/src/core/numerics.js";
import { IJepaImageProcessor, loadImage } from "../../ts-api/src/index.js";
import { DEMO_MODEL, encodeOn, loadOn, MODELS, readTensors } from "../support/models.js";
import { gpuHere } from "../support/webgpu.js";

const { gpu, reason } = await gpuHere();
const skip = gpu === undefined ? `NOT RUN: ${reason}` : false;
const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const goldens = readdirSync(MODELS).flatMap((folder) => readdirSync(`${MODELS}/${folder}/cases`).map((file) => [folder, file] as const));

for (const dtype of DTYPES) {
  test(`webgpu: digests of the demo model, ${dtype}`, { skip }, async (t) => {
    const processor = IJepaImageProcessor.fromConfig(JSON.parse(readFileSync(`${DEMO_MODEL}/preprocessor_config.json`, "utf8")));
    const backend = await openWebgpu({ gpu });
    const { encoder } = await loadOn(backend, DEMO_MODEL, dtype);
    for (const photo of ["chelsea.png", "rocket.jpg"]) {
      const { pixelValues } = processor.preprocess(await loadImage(`examples/photos/${photo}`));
      const { lastHiddenState } = await encoder.encode(pixelValues.data, 1);
      const digest = await digestOf(lastHiddenState);
      t.diagnostic(`${photo} ${digest} on ${backend.device}`);
      assert.equal(digest, stored[`${dtype} ${photo}`]);
    }
    backend.dispose();
  });

  for (const [folder, file] of goldens) {
    test(`webgpu: ${folder} ${file} ${dtype} has the CPU's words`, { skip }, async () => {
      const pixels = (await readTensors(`${MODELS}/${folder}/cases/${file}`)).get("in.pixel_values")!;
      const backend = await openWebgpu({ gpu });
      const result = await encodeOn(backend, `${MODELS}/${folder}`, dtype, pixels, true);
      const cpu = await openBackend("wasm");
      assert.deepEqual(result, await encodeOn(cpu, `${MODELS}/${folder}`, dtype, pixels, true));
      backend.dispose();
      cpu.dispose();
    });
  }
}
