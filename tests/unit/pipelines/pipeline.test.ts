/** `pipeline`: features and labels of every kind of source, pooling, options. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as ijepa from "../../../ts-api/src/index.js";
import { cosineSimilarity, isIJepaError, loadImage, meanPool, normalizeRows, pipeline, Tensor } from "../../../ts-api/src/index.js";
import { readTensors, relativeError } from "../../support/models.js";

const CHELSEA = "examples/photos/chelsea.png";
const ROCKET = "examples/photos/rocket.jpg";
const extract = await pipeline("image-feature-extraction", undefined, { dtype: "fp32", device: "wasm" });

test("a photo in, the reference's features out", async () => {
  const golden = await readTensors("tests/goldens/demo/photos.safetensors");
  for (const [photo, file] of [["chelsea", CHELSEA], ["rocket", ROCKET]]) {
    const features = await extract(file);
    assert.deepEqual(features.dims, [1, 64, 192]);
    assert.ok(relativeError(features.data, golden.get(`${photo}.f64.last_hidden_state`)!.data) < 2e-6, photo);
  }
});

test("a path, the bytes of a file, a data: URL and raw pixels give the same bits", async () => {
  const bytes = new Uint8Array(readFileSync(CHELSEA));
  const raw = await loadImage(CHELSEA);
  const url = `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;
  const expected = (await extract(CHELSEA)).numerics.digest;
  for (const source of [bytes, url, raw, new URL(CHELSEA, `file://${process.cwd()}/`)]) {
    assert.equal((await extract(source)).numerics.digest, expected);
  }
});

test("a list gives a list", async () => {
  const both = await extract([CHELSEA, ROCKET], { pool: "mean" });
  assert.equal(both.length, 2);
  assert.deepEqual(both.map(({ dims }) => dims), [[1, 192], [1, 192]]);
  // The README of the demo model gives 0.6125 for the reference.
  assert.ok(Math.abs(cosineSimilarity(both[0], both[1]) - 0.6125) < 1e-4);
});

test("mean pooling is last_hidden_state.mean(dim=1), and its digest is of the pooled bits", async () => {
  const tokens = await extract(CHELSEA), pooled = await extract(CHELSEA, { pool: "mean" });
  assert.deepEqual(pooled.data, meanPool(tokens).data);
  const column = Array.from({ length: 64 }, (_, token) => tokens.data[token * 192 + 5]);
  assert.ok(Math.abs(pooled.data[5] - column.reduce((a, b) => a + b) / 64) < 1e-6);
  assert.notEqual(pooled.numerics.digest, tokens.numerics.digest);
});

test("return_tensors: false gives Hugging Face's nested arrays, of one image and of a list", async () => {
  const tensor = await extract(CHELSEA), arrays = await extract(CHELSEA, { return_tensors: false });
  assert.deepEqual(arrays, tensor.tolist());
  assert.deepEqual(await extract(CHELSEA, { return_tensors: true }), tensor);
  const list = await extract([CHELSEA, ROCKET], { return_tensors: false, pool: "mean" });
  assert.deepEqual(list.map((rows) => [rows.length, rows[0].length]), [[1, 192], [1, 192]]);
  await assert.rejects(extract(CHELSEA, { return_tensors: "pt" as unknown as true }), TypeError);
});

test("first token, pooler and normalize", async () => {
  const tokens = await extract(CHELSEA), first = await extract(CHELSEA, { pool: "first" });
  assert.deepEqual([first.dims, first.data], [[1, 192], tokens.data.slice(0, 192)]);
  assert.deepEqual((await extract(CHELSEA, { pool: false })).data, tokens.data);
  const unit = await extract(CHELSEA, { pool: "mean", normalize: true });
  assert.ok(Math.abs(unit.data.reduce((sum, v) => sum + v * v, 0) - 1) < 1e-6);
  assert.ok(cosineSimilarity(unit, await extract(CHELSEA, { pool: "mean" })) > 1 - 1e-6);
  assert.notEqual(unit.numerics.digest, (await extract(CHELSEA, { pool: "mean" })).numerics.digest);
  await assert.rejects(extract(CHELSEA, { pool: true }), /No pooled output was returned/);
  const withPooler = await pipeline("image-feature-extraction", "tests/goldens/models/tiny", { addPoolingLayer: true });
  assert.deepEqual((await withPooler(CHELSEA, { pool: true })).dims, [1, 64]);
  assert.deepEqual([...normalizeRows(new Tensor("float32", new Float32Array([3, 4, 0, 0]), [2, 2])).data], [Math.fround(0.6), Math.fround(0.8), 0, 0]);
});

test("the Auto names", async () => {
  const { AutoImageProcessor, AutoModel, AutoModelForImageClassification } = ijepa;
  assert.equal(AutoModel, ijepa.IJepaModel);
  assert.equal(ijepa.AutoProcessor, AutoImageProcessor);
  assert.equal(AutoModelForImageClassification, ijepa.IJepaForImageClassification);
  const processor = await AutoImageProcessor.fromPretrained("models/demo");
  assert.deepEqual(processor.toConfig(), extract.processor.toConfig());
  assert.deepEqual((await AutoImageProcessor.fromPretrained()).toConfig(), processor.toConfig());
  assert.deepEqual((await AutoImageProcessor.fromPretrained({ local_files_only: true })).toConfig(), processor.toConfig());
  assert.throws(() => processor.preprocess(ijepa.loadImage(CHELSEA) as never), /images\[0\] must be \{ data, width, height, channels \}, as loadImage gives it, not a Promise/);
  await assert.rejects(AutoImageProcessor.fromPretrained("tests/goldens/full/vitb16"), (error) => isIJepaError(error, "config/missing"));
});

test("what cannot be is refused", async () => {
  const code = (expected: string) => (error: unknown) => isIJepaError(error) && error.code === expected;
  await assert.rejects(pipeline("text-generation" as "image-feature-extraction"), code("input/value"));
  await assert.rejects(extract(CHELSEA, { pool: "max" as "mean" }), code("input/value"));
  await assert.rejects(extract("no/such/photo.jpg"), code("io/read"));
  await assert.rejects(extract(CHELSEA, { maxPixels: 1000 }), code("image/too-large"));
  await assert.rejects(extract(CHELSEA, { signal: AbortSignal.abort() }), code("aborted"));
});

test("cosine similarity: parallel, orthogonal, opposite, zero; lengths must agree", () => {
  assert.equal(cosineSimilarity([1, 2, 2], [2, 4, 4]), 1);
  assert.equal(cosineSimilarity([1, 0], [0, 1]), 0);
  assert.equal(cosineSimilarity([1, -1], [-1, 1]), -1);
  assert.equal(cosineSimilarity([0, 0], [1, 1]), 0);
  assert.equal(cosineSimilarity(new Tensor("float32", new Float32Array([3, 4]), [1, 2]), [3, 4]), 1);
  assert.throws(() => cosineSimilarity([1], [1, 2]), (error) => isIJepaError(error, "input/shape"));
  assert.throws(() => meanPool(new Tensor("float32", new Float32Array(4), [2, 2])), (error) => isIJepaError(error, "input/shape"));
});

test("classification: labels by score, the function of the problem type, top_k", async () => {
  const classify = await pipeline("image-classification", "tests/goldens/classifiers/classify-single", { dtype: "fp32" });
  const best = await classify(CHELSEA), all = await classify(CHELSEA, { top_k: null });
  assert.deepEqual([best.length, all.length], [5, 10]);
  assert.deepEqual(all.slice(0, 5), best);
  assert.ok(all.every(({ score }, i) => i === 0 || score <= all[i - 1].score));
  assert.ok(Math.abs(all.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-6);
  assert.match(all[0].label, /^class \d$/);
  const raw = await classify(CHELSEA, { function_to_apply: "none", top_k: 1 }), sigmoid = await classify(CHELSEA, { function_to_apply: "sigmoid", top_k: 1 });
  assert.equal(raw[0].label, all[0].label);
  assert.ok(Math.abs(sigmoid[0].score - 1 / (1 + Math.exp(-raw[0].score))) < 1e-7);
  assert.deepEqual((await classify([CHELSEA, ROCKET])).map((list) => list.length), [5, 5]);
  const severalAtOnce = await pipeline("image-classification", "tests/goldens/classifiers/classify-multi");
  assert.ok((await severalAtOnce(CHELSEA)).reduce((sum, { score }) => sum + score, 0) > 1.01, "sigmoid does not sum to 1");
  await assert.rejects(classify(CHELSEA, { function_to_apply: "log" as "none" }), (error) => isIJepaError(error, "input/value"));
  await assert.rejects(classify(CHELSEA, { top_k: -1 }), (error) => isIJepaError(error, "input/value"));
});
