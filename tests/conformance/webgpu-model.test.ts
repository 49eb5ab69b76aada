/** Whole models on WebGPU: the digests and the words that the CPU has. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { openBackend } from "../../ts-api/src/backends/open.js";
import { openWebgpu, type WebgpuBackend } from "../../ts-api/src/backends/webgpu/webgpu.js";
import { isCodebook } from "../../ts-api/src/core/codebooks.js";
import { DTYPES, digestOf } from "../../ts-api/src/core/numerics.js";
import { IJepaForImageClassification, IJepaImageProcessor, loadImage, Tensor, type LoadOptions } from "../../ts-api/src/index.js";
import { BITSANDBYTES, DEMO_MODEL, encodeOn, goldenOptions, MODELS, readTensors } from "../support/models.js";
import { gpuHere } from "../support/webgpu.js";

const { gpu, reason } = await gpuHere();
const skip = gpu === undefined ? `not run: ${reason}` : false;
const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const goldens = readdirSync(MODELS).flatMap((folder) => readdirSync(`${MODELS}/${folder}/cases`).map((file) => [folder, file] as const));

let opened: WebgpuBackend | undefined;
const open = async () => (opened ??= await openWebgpu({ gpu }));
after(() => opened?.dispose());

for (const dtype of DTYPES) {
  test(`webgpu: digests of the demo model, ${dtype}`, { skip }, async (t) => {
    const processor = IJepaImageProcessor.fromConfig(JSON.parse(readFileSync(`${DEMO_MODEL}/preprocessor_config.json`, "utf8")));
    const backend = await open();
    for (const photo of ["chelsea.png", "rocket.jpg"]) {
      const { pixelValues } = processor.preprocess(await loadImage(`examples/photos/${photo}`));
      const { lastHiddenState } = await encodeOn(backend, DEMO_MODEL, dtype, pixelValues);
      const digest = await digestOf(lastHiddenState);
      t.diagnostic(`${photo} ${digest} on ${backend.device}`);
      assert.equal(digest, stored[`${dtype} ${photo}`]);
    }
  });

  // nf4 and fp4 run below, on checkpoints of their own.
  if (isCodebook(dtype)) continue;
  for (const [folder, file] of goldens) {
    test(`webgpu: ${folder} ${file} ${dtype} has the CPU's words`, { skip }, async () => {
      const golden = await readTensors(`${MODELS}/${folder}/cases/${file}`), pixels = golden.get("in.pixel_values")!;
      const options = await goldenOptions(folder, file, golden);
      const cpu = await openBackend("wasm");
      const expected = await encodeOn(cpu, `${MODELS}/${folder}`, dtype, pixels, options);
      cpu.dispose();
      assert.deepEqual(await encodeOn(await open(), `${MODELS}/${folder}`, dtype, pixels, options), expected);
    });
  }
}

for (const dtype of DTYPES) {
  test(`webgpu: kept patches and attention masks have the CPU's words, ${dtype}`, { skip }, async () => {
    const folder = `${MODELS}/odd`, pixels = (await readTensors(`${folder}/cases/plain.safetensors`)).get("in.pixel_values")!;
    const images = pixels.dims[0], keep = Int32Array.from({ length: images * 6 }, (_, i) => (5 * i + 1) % 7);
    const options = { keep, attentionMask: Uint8Array.from(keep, (_, i) => Number(i % 3 !== 1)), outputAttentions: true };
    const cpu = await openBackend("wasm");
    const expected = await encodeOn(cpu, folder, dtype, pixels, options);
    cpu.dispose();
    assert.deepEqual(await encodeOn(await open(), folder, dtype, pixels, options), expected);
  });
}

for (const folder of ["like-vith14-nf4-dq", "like-vitg16-nf4-dq", "like-vith14-fp4", "like-vitg16-fp4"]) {
  const dtype = folder.includes("fp4") ? "fp4" : "nf4", path = `${BITSANDBYTES}/${folder}`;
  test(`webgpu: ${folder} has the CPU's words`, { skip }, async () => {
    const pixels = (await readTensors(`${path}/cases/plain.safetensors`)).get("in.pixel_values")!;
    const cpu = await openBackend("wasm");
    const expected = await encodeOn(cpu, path, dtype, pixels);
    cpu.dispose();
    assert.deepEqual(await encodeOn(await open(), path, dtype, pixels), expected);
  });
}

/** One weight format each: the head itself is fp32 in all of them. */
for (const [folder, dtype] of [["classify-single", "fp32"], ["classify-multi", "bf16"], ["classify-regression", "int4"]] as const) {
  test(`webgpu: ${folder} ${dtype} has the CPU's logits`, { skip }, async () => {
    const path = `tests/goldens/classifiers/${folder}`, [file] = readdirSync(`${path}/cases`);
    const { data, dims } = (await readTensors(`${path}/cases/${file}`)).get("in.pixel_values")!;
    const logitsOn = async (options: LoadOptions) => {
      const model = await IJepaForImageClassification.fromPretrained(path, { dtype, ...options });
      const { logits } = await model.forward({ pixelValues: new Tensor("float32", data, dims) });
      await model.dispose();
      return logits;
    };
    const gpuDevice = await (await gpu!.requestAdapter())!.requestDevice();
    assert.deepEqual(await logitsOn({ device: "webgpu", gpuDevice }), await logitsOn({ device: "wasm" }));
    gpuDevice.destroy();
  });
}

test("webgpu: there are goldens to compare", { skip }, () => {
  assert.ok(goldens.length >= 10, `${goldens.length} goldens`);
});
