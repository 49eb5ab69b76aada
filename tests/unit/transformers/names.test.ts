/** What programs for transformers.js call beside pipelines: functions on tensors, settings of a processor, names of its older versions. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { IJepaError } from "../../../ts-api/src/index.js";
import * as transformers from "../../../ts-api/src/transformers/index.js";
import { AutoModelForImageFeatureExtraction, env, matmul, pipeline, RawImage, Tensor, topk } from "../../../ts-api/src/transformers/index.js";

const MODEL = "models/demo", ROCKET = "examples/photos/rocket.jpg";
const isRefused = (pattern: RegExp) => (error: IJepaError) => error.code === "input/value" && pattern.test(error.message);
const row = (...values: number[]) => new Tensor("float32", values, [values.length]);
const close = (actual: ArrayLike<number>, expected: readonly number[]) => assert.ok(actual.length === expected.length && expected.every((value, i) => Math.abs(actual[i] - value) < 1e-6), `${Array.from(actual).join()} is not ${expected.join()}`);

test("a program for dense features: patches, their likeness, the most alike", async () => {
  const extractor = await pipeline("image-feature-extraction", MODEL, { dtype: "fp32" });
  const { patch_size, num_register_tokens = 0 } = extractor.model.config as { patch_size: number; num_register_tokens?: number };
  assert.deepEqual([patch_size, extractor.model.config["hidden_size"]], [16, 192]);
  const features = await extractor(await RawImage.read(ROCKET));
  const patches = features.slice(null, [num_register_tokens, null]);
  assert.deepEqual(patches.dims, [1, 64, 192]);
  const normalized = patches.normalize(2, -1), likeness = await matmul(normalized, normalized.permute(0, 2, 1));
  assert.deepEqual(likeness.dims, [1, 64, 64]);
  assert.ok(Math.abs(likeness[0][5][5].item() - 1) < 1e-6);
  const [values, indices] = await topk(likeness[0], 3);
  assert.deepEqual([values.dims, indices.dims, indices[5].data[0]], [[64, 3], [64, 3], 5]);
  assert.ok(values[5].data[1] >= values[5].data[2]);

  // The model of a pipeline is called like any other.
  const { last_hidden_state } = await extractor.model(await extractor.processor(ROCKET));
  assert.deepEqual(last_hidden_state.data, features.data);
  await extractor.dispose();
});

test("a processor's settings by their names in snake_case hold from then on; one that cannot be is refused", async () => {
  const { processor, model } = { processor: await transformers.AutoFeatureExtractor.from_pretrained(MODEL), model: await AutoModelForImageFeatureExtraction.from_pretrained(MODEL) };
  const { image_processor } = processor;
  assert.deepEqual([image_processor["size"], image_processor["do_resize"], image_processor["image_mean"]], [{ height: 128, width: 128 }, true, image_processor.imageMean]);
  image_processor["size"] = { height: 96, width: 160 };
  const { pixel_values } = await processor(ROCKET);
  assert.deepEqual(pixel_values.dims, [1, 3, 96, 160]);
  assert.deepEqual((await model({ pixel_values, interpolate_pos_encoding: true })).last_hidden_state.dims, [1, 60, 192]);
  assert.throws(() => (image_processor["size"] = "large" as never), { code: "input/value" });
  assert.throws(() => (image_processor["do_resise"] = false), { code: "input/value" });
  // An image processor of transformers.js has them itself.
  assert.deepEqual([processor["size"], processor["do_rescale"], processor.feature_extractor], [{ height: 96, width: 160 }, true, image_processor]);
  processor["size"] = { height: 64, width: 64 };
  assert.deepEqual((await processor(ROCKET)).pixel_values.dims, [1, 3, 64, 64]);
  assert.throws(() => (processor["do_resise"] = false), { code: "input/value" });
  await model.dispose();
});

test("options of older versions, and of the pipeline for text", async () => {
  for (const [quantized, dtype] of [[true, "int8"], [false, "fp32"]] as const) {
    const { model, dispose } = await transformers.AutoModel.from_pretrained(MODEL, { quantized });
    assert.equal(model.dtype, dtype);
    await dispose();
  }
  const extractor = await pipeline("image-feature-extraction", MODEL);
  const mean = await extractor(ROCKET, { pooling: "mean", normalize: true });
  assert.deepEqual([mean.dims, mean.data], [[1, 192], (await extractor(ROCKET, { pool: "mean", normalize: true })).data]);
  await assert.rejects(extractor(ROCKET, { pooling: "cls" }), isRefused(/no token for the whole image/));
  await assert.rejects(extractor(ROCKET, { pol: true } as never), isRefused(/"pol"/));
  await extractor.dispose();
  const classifier = await pipeline("image-classification", "tests/goldens/classifiers/classify-single");
  assert.deepEqual(await classifier(ROCKET, { topk: 2 }), await classifier(ROCKET, { top_k: 2 }));
  await classifier.dispose();
});

test("what is not there says so", async () => {
  for (const name of ["AutoTokenizer", "CLIPTextModelWithProjection", "CLIPVisionModelWithProjection", "SiglipTextModel", "SiglipVisionModel", "AutoConfig"] as const) {
    await assert.rejects(transformers[name].from_pretrained("Xenova/clip-vit-base-patch32"), isRefused(new RegExp(`no ${name} in ijepa`)));
  }
  assert.throws(() => transformers.interpolate(), isRefused(/similarityMap/));
  await assert.rejects(transformers.interpolate_4d(), isRefused(/similarityMap/));
  assert.throws(() => transformers.quantize_embeddings(new Tensor("float32", [1, 1, 1, 1, 1, 1, 1, 1], [1, 8]), "binary"), isRefused(/ubinary/));
  env.remotePathTemplate = "{model}/{revision}";
  try {
    await assert.rejects(transformers.AutoModel.from_pretrained("nobody/nothing"), isRefused(/remotePathTemplate/));
  } finally {
    env.remotePathTemplate = "{model}/resolve/{revision}/";
  }
  env.logLevel = transformers.LogLevel.ERROR;
});

test("functions on tensors", async () => {
  const tensor = new Tensor("float32", [1, 2, 3, 4, 5, 7], [2, 3]);
  const [deviation, mean] = transformers.std_mean(tensor, 1);
  close(deviation.data, [1, Math.sqrt(7 / 3)]);
  close(mean.data, [2, 16 / 3]);
  assert.deepEqual([transformers.mean(tensor, 0, true).dims, transformers.permute(tensor, [1, 0]).tolist()], [[1, 3], [[1, 4], [2, 5], [3, 7]]]);
  assert.deepEqual((await matmul(tensor, transformers.permute(tensor, [1, 0]))).tolist(), [[14, 35], [35, 90]]);
  const batches = new Tensor("float32", [1, 0, 0, 1, 2, 0, 0, 2], [2, 2, 2]);
  assert.deepEqual((await matmul(batches, new Tensor("float32", [1, 2, 3, 4], [2, 2]))).tolist(), [[[1, 2], [3, 4]], [[2, 4], [6, 8]]]);
  assert.deepEqual((await matmul(batches, batches)).tolist(), [[[1, 0], [0, 1]], [[4, 0], [0, 4]]]);
  await assert.rejects(matmul(tensor, tensor), isRefused(/cannot be multiplied/));
  assert.deepEqual((await topk(row(3, 1, 4, 1, 5), 2)).map((one) => one.tolist()), [[5, 4], [4, 2]]);
  assert.deepEqual((await topk(row(1, 1, 2)))[1].tolist(), [2, 0, 1]);
  assert.deepEqual((await transformers.slice(tensor, [1], [3], [1])).tolist(), [[2, 3], [5, 7]]);
  await assert.rejects(transformers.slice(tensor, [0], [3], [1], [2]), isRefused(/steps of 1/));
  assert.deepEqual(transformers.mean_pooling(new Tensor("float32", [1, 2, 3, 4, 9, 9], [1, 3, 2]), new Tensor("int32", [1, 1, 0], [1, 3])).tolist(), [[2, 3]]);
  close(transformers.layer_norm(row(1, 2, 3), [3], { eps: 0 }).data, [-Math.sqrt(1.5), 0, Math.sqrt(1.5)]);
  assert.throws(() => transformers.layer_norm(tensor, [2, 3]), isRefused(/last axis/));
  assert.deepEqual([transformers.ones([2]), transformers.zeros_like(tensor).flatten(), transformers.full_like(row(1), 7), transformers.ones_like(row(0)), transformers.zeros([1])].map((one) => one.tolist()), [[1, 1], [0, 0, 0, 0, 0, 0], [7], [1], [0]]);
  assert.deepEqual(transformers.quantize_embeddings(new Tensor("float32", [1, -1, 1, -1, 0, 1, 1, 1], [1, 8]), "ubinary").data, Uint8Array.of(0b10100111));
  assert.deepEqual(transformers.cat([batches, batches], -1).dims, [2, 2, 4]);
  assert.deepEqual(transformers.cat([batches, batches], 2)[1].tolist(), [[2, 0, 2, 0], [0, 2, 0, 2]]);
});

test("functions on numbers", () => {
  close(transformers.log_softmax([0, 0]), [-Math.LN2, -Math.LN2]);
  close(transformers.log_softmax([0, 1000]), [-1000, 0]);
  assert.ok(transformers.softmax(Float32Array.of(1, 2)) instanceof Float32Array);
  assert.deepEqual([transformers.max([1, 5, 2]), transformers.min(Float32Array.of(3, 1)), transformers.dot([1, 2], [3, 4]), transformers.magnitude([3, 4])], [[5, 1], [1, 1], 11, 5]);
});

test("tensors: parts, shapes, and what changes them in place", () => {
  const tensor = new Tensor("float32", [1, 2, 3, 4, 5, 6], [2, 3]);
  assert.deepEqual([tensor.slice(null, [1, null]).tolist(), tensor.slice([null, 1]).tolist(), tensor.slice(-1).tolist()], [[[2, 3], [5, 6]], [[1, 2, 3]], [4, 5, 6]]);
  assert.throws(() => tensor.slice(2), isRefused(/no index 2/));
  assert.throws(() => tensor.slice(0, 0, 0), isRefused(/has 2 axes/));
  assert.deepEqual([tensor.transpose(1, 0).dims, tensor.unsqueeze(0).transpose(0, 2, 1).dims, tensor.unsqueeze(0).transpose(1, 2).dims], [[3, 2], [1, 3, 2], [1, 3, 2]]);
  assert.deepEqual([tensor.argmax(1).tolist(), tensor.argmin().item(), tensor.argmax(0, true).dims], [[2, 2], 0, [1, 3]]);
  assert.deepEqual([row(1, 2).repeat(2, 2).tolist(), row(1, 2).tile(3).tolist(), tensor.stride(), tensor.location], [[[1, 2, 1, 2], [1, 2, 1, 2]], [1, 2, 1, 2, 1, 2], [3, 1], "cpu"]);
  assert.deepEqual([tensor.unsqueeze(0).flatten(1).dims, tensor.unsqueeze(2).squeeze([2]).dims, tensor.unsqueeze(0).flatten(0, 1).dims], [[1, 6], [2, 3], [2, 3]]);
  assert.deepEqual([row(-2, 0.5, 2).clamp(-1, 1).tolist(), (row(0.5, 1.5, 2.5, -0.5, -1.2).round().tolist() as number[]).map((value) => value + 0), row(1, 3).gt(2).tolist(), row(1, 3).lt(2).tolist()], [[-1, 0.5, 1], [0, 2, 2, 0, -1], [0, 1], [1, 0]]);
  close(row(0).sigmoid().data, [0.5]);
  const changed = tensor.clone();
  assert.equal(changed.mul_(2).add_(1).sub_(1).div_(2).neg_().neg_().map_((value) => value), changed);
  assert.deepEqual(changed.tolist(), tensor.tolist());
  assert.deepEqual([changed.unsqueeze_(0).dims, changed.squeeze_().dims, changed.flatten_().dims], [[1, 2, 3], [2, 3], [6]]);
  close(row(3, 4).normalize_(2, 0).data, [0.6, 0.8]);
  assert.deepEqual([row(-3).clamp_(0, 1).item(), row(1.4).round_().item(), row(0).sigmoid_().item()], [0, 1, 0.5]);
});

test("tensors: numbers of one axis, indices from the end, long rows", () => {
  const tensor = new Tensor("float32", [1, 2, 3, 4, 5, 6], [2, 3]);
  assert.deepEqual([[...tensor[-1]], Math.max(...row(1, 3, 2)), tensor[-2][-1].item()], [[4, 5, 6], 3, 3]);
  assert.throws(() => tensor[-3], isRefused(/no part -3/));
  assert.throws(() => tensor[2], isRefused(/no part 2/));
  assert.deepEqual([tensor.indexOf(5), tensor.indexOf(7), new Tensor("int32", [4, 9], [2]).indexOf(9n)], [4, -1, 1]);
  const long = transformers.ones([1, 400_000]).normalize();
  assert.equal(long.data[399_999], Math.fround(1 / Math.sqrt(400_000)));
});

test("progress_total follows each progress; env.fetch makes the requests", async () => {
  const events: transformers.ProgressInfo[] = [], asked: string[] = [];
  await (await transformers.AutoModel.from_pretrained(MODEL, { progress_callback: (event) => void events.push(event) })).dispose();
  const totals = events.filter(({ status }) => status === "progress_total");
  assert.equal(totals.length, events.filter(({ status }) => status === "progress").length);
  const last = totals.at(-1)!;
  assert.deepEqual([last.progress, last.loaded, last.files], [100, last.total, { model: { loaded: last.total, total: last.total } }]);
  env.fetch = ((input: URL | string) => {
    asked.push(String(input));
    return Promise.resolve(new Response("", { status: 404 }));
  }) as typeof globalThis.fetch;
  try {
    await assert.rejects(transformers.AutoModel.from_pretrained("nobody/nothing", { cache_dir: "build/no-cache" }), (error: IJepaError) => error.code.startsWith("hub/"));
    assert.ok(asked.length > 0);
  } finally {
    env.fetch = undefined;
  }
});

test("images with alpha, and grey ones, are made RGB, as its image processors do", async () => {
  const rocket = await RawImage.read(ROCKET), processor = await transformers.AutoProcessor.from_pretrained();
  const { data } = (await processor(rocket)).pixel_values, withAlpha = rocket.clone().rgba(), grey = rocket.clone().grayscale();
  assert.deepEqual((await processor(withAlpha)).pixel_values.data, data);
  assert.equal(withAlpha.channels, 4);
  const extractor = await pipeline("image-feature-extraction", null, { device: { model: "wasm" } });
  assert.deepEqual((await extractor(grey)).data, (await extractor(grey.clone().rgb())).data);
  assert.deepEqual((await extractor([withAlpha])).data, (await extractor(rocket)).data);
  await extractor.dispose();
});

test("a folder of ONNX files: the message says what to name in its place", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-onnx-"));
  copyFileSync(join(MODEL, "config.json"), join(folder, "config.json"));
  try {
    await assert.rejects(transformers.AutoModel.from_pretrained(folder), (error: IJepaError) => error.code === "weights/missing" && /ONNX files are not read here/.test(error.message));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("images: channels in place, alpha, padding, files", async () => {
  const image = new RawImage(Uint8Array.of(1, 2, 3, 4, 5, 6), 2, 1, 3);
  assert.equal(image.rgba(), image);
  assert.deepEqual([image.channels, [...image.data]], [4, [1, 2, 3, 255, 4, 5, 6, 255]]);
  assert.deepEqual([...image.putAlpha(new RawImage(Uint8Array.of(7, 8), 2, 1, 1)).data], [1, 2, 3, 7, 4, 5, 6, 8]);
  assert.throws(() => image.putAlpha(image), isRefused(/mask/));
  assert.deepEqual(image.split().map(({ data }) => [...data]), [[1, 4], [2, 5], [3, 6], [7, 8]]);
  assert.deepEqual([image.rgb().channels, image.grayscale().channels, [...image.data]], [3, 1, [2, 5]]);
  const padded = await image.pad([1, 0, 0, 1]);
  assert.deepEqual([padded.size, [...padded.data]], [[3, 2], [0, 2, 5, 0, 0, 0]]);
  const again = RawImage.fromTensor(padded.toTensor());
  assert.deepEqual([again.size, again.channels, [...again.data]], [[3, 2], 1, [...padded.data]]);
  assert.throws(() => RawImage.fromTensor(row(1)), isRefused(/uint8 tensor with three axes/));
  assert.throws(() => image.toSharp(), isRefused(/sharp/));
  assert.throws(() => image.toCanvas(), isRefused(/OffscreenCanvas/));
  const folder = mkdtempSync(join(tmpdir(), "ijepa-image-"));
  try {
    await padded.save(join(folder, "padded.png"));
    assert.deepEqual([...(await RawImage.fromBlob(new Blob([readFileSync(join(folder, "padded.png"))]))).grayscale().data], [...padded.data]);
    await assert.rejects(padded.save(join(folder, "padded.jpg")), isRefused(/\.png only/));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
