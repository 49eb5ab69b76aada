/** Programs for transformers.js with another line of import and another model. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as ijepa from "../../../ts-api/src/index.js";
import {
  AutoImageProcessor, AutoModel, AutoModelForImageClassification, AutoProcessor, AutoTokenizer, cat, cos_sim, env, load_image, pipeline, RawImage, softmax, stack, Tensor, type ProgressEvent,
} from "../../../ts-api/src/transformers/index.js";

const MODEL = "models/demo";
const CLASSIFIER = "tests/goldens/classifiers/classify-single";
const CHELSEA = "examples/photos/chelsea.png", ROCKET = "examples/photos/rocket.jpg";
const digests = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const isRefused = (pattern: RegExp) => (error: ijepa.IJepaError) => error.code === "input/value" && pattern.test(error.message);

test("the documented pipeline of image feature extraction", async () => {
  const image_feature_extractor = await pipeline("image-feature-extraction", MODEL);
  const features = await image_feature_extractor(CHELSEA);
  assert.deepEqual([features.dims, features.type, features.size, features.data.length], [[1, 64, 192], "float32", 64 * 192, 64 * 192]);
  assert.equal(features.numerics?.digest, digests["bf16 chelsea.png"]);

  // A list is one tensor, with the bits of each image.
  const both = await image_feature_extractor([CHELSEA, await RawImage.read(ROCKET)]);
  assert.deepEqual(both.dims, [2, 64, 192]);
  assert.deepEqual(both[0].data, features.data.subarray(0, 64 * 192));
  await image_feature_extractor.dispose();
});

test("the documented model and processor", async () => {
  const processor = await AutoProcessor.from_pretrained(MODEL);
  const vision_model = await AutoModel.from_pretrained(MODEL, { dtype: "q4", device: "wasm" });
  const image = await RawImage.read(ROCKET);
  const image_inputs = await processor(image);
  assert.deepEqual([image_inputs.pixel_values.dims, image_inputs.original_sizes, image_inputs.reshaped_input_sizes], [[1, 3, 128, 128], [[427, 640]], [[128, 128]]]);
  const { last_hidden_state, numerics } = await vision_model(image_inputs);
  assert.deepEqual(last_hidden_state.dims, [1, 64, 192]);
  assert.deepEqual([numerics.dtype, numerics.digest], ["int4", digests["int4 rocket.jpg"]]);
  assert.equal(vision_model.config["hidden_size"], 192);
  const { hidden_states, attentions } = await vision_model({ ...image_inputs, output_hidden_states: true, output_attentions: true });
  assert.deepEqual([hidden_states?.length, attentions?.[0].dims], [9, [1, 3, 64, 64]]);
  await assert.rejects(vision_model({ ...image_inputs, input_ids: [] } as never), isRefused(/no input "input_ids"/));
  await vision_model.dispose();
});

test("likeness of two photos, as programs compute it", async () => {
  const extractor = await pipeline("image-feature-extraction", MODEL, { dtype: "fp32" });
  const [cat, rocket] = await Promise.all([CHELSEA, ROCKET].map(async (photo) => (await extractor(photo)).mean(1).normalize()));
  const expected = ijepa.cosineSimilarity(await own(CHELSEA), await own(ROCKET));
  assert.equal(cos_sim((cat.tolist() as number[][])[0], (rocket.tolist() as number[][])[0]), cos_sim(cat[0].data, rocket[0].data));
  assert.ok(Math.abs(cos_sim(cat[0].data, rocket[0].data) - expected) < 1e-6);
  await extractor.dispose();

  async function own(photo: string): Promise<ijepa.Tensor<"float32">> {
    const extract = await ijepa.pipeline("image-feature-extraction", MODEL, { dtype: "fp32" });
    const features = await extract(photo, { pool: "mean" });
    await extract.dispose();
    return features;
  }
});

test("classification: top_k, and a model that is called", async () => {
  const classifier = await pipeline("image-classification", CLASSIFIER);
  const one = await classifier(ROCKET, { top_k: 2 });
  assert.equal(one.length, 2);
  assert.deepEqual((await classifier([ROCKET], { top_k: 2 }))[0], one);
  await classifier.dispose();
  const model = await AutoModelForImageClassification.from_pretrained(CLASSIFIER);
  const { logits } = await model(await (await AutoImageProcessor.from_pretrained(CLASSIFIER))(ROCKET));
  assert.equal(logits?.dims[0], 1);
  await model.dispose();
});

test("progress_callback: initiate, progress, done of every file, then ready with the task", async () => {
  const events: ProgressEvent[] = [];
  const extractor = await pipeline("image-feature-extraction", MODEL, { progress_callback: (event) => void events.push(event) });
  await extractor.dispose();
  assert.deepEqual(events[0], { status: "initiate", name: MODEL, file: "model" });
  assert.ok(events.some(({ status, progress = 0 }) => status === "progress" && progress > 0 && progress <= 100));
  assert.deepEqual(events.slice(-2), [{ status: "done", name: MODEL, file: "model" }, { status: "ready", task: "image-feature-extraction", model: MODEL }]);
});

test("formats and devices are mapped, or refused by name", async () => {
  const names = { fp32: "fp32", fp16: "bf16", bf16: "bf16", q4: "int4", q4f16: "int4", int4: "int4", q8: "int8", int8: "int8", quantized: "int8", bnb4: "nf4", nf4: "nf4", fp4: "fp4", auto: "bf16" };
  for (const [name, dtype] of Object.entries(names)) {
    const { model, dispose } = await AutoModel.from_pretrained(MODEL, { dtype: name, device: "cpu" });
    assert.equal(model.dtype, dtype, name);
    await dispose();
  }
  await assert.rejects(AutoModel.from_pretrained(MODEL, { dtype: "uint8" }), isRefused(/dtype "uint8"/));
  await assert.rejects(AutoModel.from_pretrained(MODEL, { device: "cuda" }), isRefused(/device "cuda" is not supported; the names are auto, cpu, wasm, gpu, webgpu/));
  await assert.rejects(AutoModel.from_pretrained(MODEL, { session_options: {} }), isRefused(/ONNX/));
  await assert.rejects(AutoModel.from_pretrained(MODEL, { quantised: true }), isRefused(/no option "quantised"/));
  await assert.rejects(pipeline("feature-extraction" as never, MODEL), isRefused(/no pipeline "feature-extraction"/));
  await assert.rejects(AutoTokenizer.from_pretrained(), isRefused(/no tokenizer/));
});

test("env: threads, and models without the Hub", async () => {
  env.backends.onnx.wasm.numThreads = 2;
  env.allowRemoteModels = false;
  env.cacheDir = "build/no-cache";
  try {
    const { model, dispose } = await AutoModel.from_pretrained(MODEL);
    assert.match(model.deviceDescription, /2 threads/);
    await dispose();
    await assert.rejects(AutoModel.from_pretrained("nobody/nothing"), { code: "hub/offline" });
    env.localModelPath = "models";
    await (await AutoModel.from_pretrained("demo")).dispose();
    env.allowLocalModels = false;
    await (await AutoModel.from_pretrained(MODEL)).dispose();
    env.remoteHost = "https://mirror.example";
    await assert.rejects(AutoModel.from_pretrained(MODEL), isRefused(/HF_ENDPOINT/));
  } finally {
    Object.assign(env, { allowRemoteModels: true, allowLocalModels: true, remoteHost: undefined, cacheDir: undefined, localModelPath: undefined });
    delete env.backends.onnx.wasm.numThreads;
  }
});

test("env.localModelPath: what is not there comes from the Hub, unless it may not be asked", async () => {
  const asked: string[] = [];
  const fetch = ((input: URL | string) => {
    asked.push(String(input));
    return Promise.resolve(new Response("", { status: 404 }));
  }) as typeof globalThis.fetch;
  const options = { fetch, cache_dir: "build/no-cache" };
  env.localModelPath = "models/";
  try {
    const [model, processor] = await Promise.all([AutoModel.from_pretrained("demo", options), AutoProcessor.from_pretrained("demo", options)]);
    assert.equal(model.model.dtype, "bf16");
    assert.deepEqual([(await processor(ROCKET)).pixel_values.dims, asked], [[1, 3, 128, 128], []]);
    await model.dispose();

    for (const load of [() => AutoModel.from_pretrained("nobody/nothing", options), () => AutoProcessor.from_pretrained("nobody/nothing", options), () => pipeline("image-feature-extraction", "nobody/nothing", options)]) {
      asked.length = 0;
      await assert.rejects(load(), (error: ijepa.IJepaError) => error.code.startsWith("hub/"));
      assert.ok(asked.length > 0 && asked.every((address) => address.includes("/nobody/nothing/")), asked.join());
    }
    // "models/nothing" alone would be a name of the Hub.
    env.allowRemoteModels = false;
    await assert.rejects(AutoModel.from_pretrained("nothing", options), (error: ijepa.IJepaError) => error.code === "config/missing" && error.message.includes("models/nothing/config.json"));
    // A model that is there and cannot be used is told of.
    env.allowRemoteModels = true;
    env.localModelPath = mkdtempSync(join(tmpdir(), "ijepa-models-"));
    mkdirSync(join(env.localModelPath, "own/model"), { recursive: true });
    writeFileSync(join(env.localModelPath, "own/model/config.json"), '{"model_type": "bert"}');
    asked.length = 0;
    await assert.rejects(AutoModel.from_pretrained("own/model", options), { code: "config/field" });
    assert.deepEqual(asked, []);
    rmSync(env.localModelPath, { recursive: true });
  } finally {
    env.localModelPath = undefined;
    env.allowRemoteModels = true;
  }
});

test("the program on the card of an I-JEPA model: two addresses, q8, the mean of the tokens", async () => {
  const server = createServer((request, response) => response.end(readFileSync(`examples/photos${request.url!}`)));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const extractor = await pipeline("image-feature-extraction", MODEL, { dtype: "q8" });
    const url_1 = `${address}/chelsea.png`, url_2 = `${address}/rocket.jpg`;
    const output = await extractor([url_1, url_2]);
    const pooled_output = output.mean(1);
    const similarity = cos_sim(pooled_output[0].data, pooled_output[1].data);
    assert.deepEqual([output.dims, pooled_output.dims], [[2, 64, 192], [2, 192]]);
    const own = await ijepa.pipeline("image-feature-extraction", MODEL, { dtype: "int8" });
    const [cat, rocket] = await Promise.all([CHELSEA, ROCKET].map((photo) => own(photo, { pool: "mean" })));
    assert.ok(Math.abs(similarity - ijepa.cosineSimilarity(cat, rocket)) < 1e-6);
    await own.dispose();
    await extractor.dispose();

    // The same with a model that is called.
    const processor = await AutoProcessor.from_pretrained(MODEL), model = await AutoModel.from_pretrained(MODEL, { dtype: "q8" });
    const image = await load_image(url_2);
    const inputs = await processor(image);
    const { last_hidden_state: features } = await model(inputs);
    assert.deepEqual(features[0].data, output[1].data);
    await model.dispose();
  } finally {
    server.close();
  }
});

test("RawImage", async () => {
  const bytes = readFileSync(ROCKET);
  const image = await RawImage.read(ROCKET);
  assert.deepEqual([image.size, image.channels], [[640, 427], 3]);
  for (const other of [await RawImage.fromBlob(new Blob([bytes])), await load_image(new Uint8Array(bytes)), await RawImage.read(image)]) assert.deepEqual(other.data, image.data);
  assert.deepEqual(image.clone().rgba().rgb().data, image.data);
  assert.equal(image.clone().grayscale().channels, 1);
  const small = await image.resize(64, 32);
  assert.deepEqual([small.size, small.data.length], [[64, 32], 64 * 32 * 3]);
  assert.deepEqual([(await image.resize(320, null)).size, (await image.resize(-1, 100)).size], [[320, 214], [150, 100]]);
  const planes = image.toTensor(), pixels = image.toTensor("HWC");
  assert.deepEqual([planes.dims, pixels.dims, planes.data[427 * 640], pixels.data[1]], [[3, 427, 640], [427, 640, 3], image.data[1], image.data[1]]);
  assert.deepEqual([1, 3, 4].map((channels) => image.clone().convert(channels).channels), [1, 3, 4]);
  assert.throws(() => image.convert(2), isRefused(/not 2/));
  const cut = await image.crop([10, 20, 19, 24]);
  assert.deepEqual([cut.size, cut.data[0]], [[10, 5], image.data[(20 * 640 + 10) * 3]]);
  assert.deepEqual((await image.center_crop(100, 50)).size, [100, 50]);
  const again = await RawImage.fromBlob(await small.toBlob());
  assert.deepEqual(again.data, small.data);
  await assert.rejects(image.center_crop(1000, 1000), isRefused(/cannot be cut/));
});

test("Tensor", () => {
  const tensor = new Tensor("float32", [1, 2, 3, 4, 5, 6], [2, 3]);
  assert.deepEqual([...tensor].map((row) => row.tolist()), [[1, 2, 3], [4, 5, 6]]);
  assert.deepEqual(tensor[1].tolist(), [4, 5, 6]);
  assert.deepEqual(tensor.mean(0).tolist(), [2.5, 3.5, 4.5]);
  assert.deepEqual([tensor.mean(-1, true).dims, tensor.mean().item()], [[2, 1], 3.5]);
  assert.deepEqual(tensor.slice(null, [1, 3]).tolist(), [[2, 3], [5, 6]]);
  assert.deepEqual(tensor.slice(0).dims, [3]);
  assert.deepEqual(tensor.slice(1, -1).item(), 6);
  assert.deepEqual([tensor.view(3, -1).dims, tensor.flatten().dims, tensor.unsqueeze(0).dims, tensor.unsqueeze(-1).squeeze().dims], [[3, 2], [6], [1, 2, 3], [2, 3]]);
  assert.ok((tensor.normalize(2, 1).tolist() as number[][]).every((row) => Math.abs(Math.hypot(...row) - 1) < 1e-6));
  assert.deepEqual([tensor.sum(1).tolist(), tensor.max(0).tolist(), tensor.min().item()], [[6, 15], [4, 5, 6], 1]);
  assert.deepEqual([tensor.add(1).sub(tensor).tolist(), tensor.mul(2).div(2).neg().tolist()], [[[1, 1, 1], [1, 1, 1]], [[-1, -2, -3], [-4, -5, -6]]]);
  assert.ok(Math.abs(tensor.norm().item() - Math.sqrt(91)) < 1e-6);
  assert.deepEqual(tensor.transpose(0, 1).tolist(), [[1, 4], [2, 5], [3, 6]]);
  assert.deepEqual(new Tensor("float32", [0, 1, 2, 3, 4, 5], [1, 2, 3]).permute(2, 0, 1).tolist(), [[[0, 3]], [[1, 4]], [[2, 5]]]);
  assert.deepEqual([tensor.to("int32").type, tensor.to("int32").data], ["int32", Int32Array.of(1, 2, 3, 4, 5, 6)]);
  const same = tensor;
  assert.deepEqual([cat([same, same]).dims, cat([same, same], 1).tolist(), stack([same, same]).dims, stack([same, same], 1)[0].tolist()], [[4, 3], [[1, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]], [2, 2, 3], [[1, 2, 3], [1, 2, 3]]]);
  assert.deepEqual(softmax([0, 0]), [0.5, 0.5]);
  assert.throws(() => cat([same, same.slice(null, [0, 2])]), isRefused(/cannot be joined/));
  assert.throws(() => tensor.add(same.slice([0, 1])), isRefused(/no broadcasting/));
  assert.throws(() => tensor.permute(0, 0), isRefused(/once/));
  assert.throws(() => tensor.item(), isRefused(/6/));
  assert.throws(() => tensor.mean(2), isRefused(/no axis 2/));
});
