/** The public functions by their options: unknown ones are refused by name, null is absent, wrong types are TypeErrors that say what came in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attentionMap, attentionRollout, chunksOfFile, cosineSimilarity, drawMap, drawSheet, encodePng, findImages, firstToken, IJepaConfig, IJepaForImageClassification,
  IJepaImageProcessor, IJepaModel, imagesOfLines, isAddress, isIJepaError, isPattern, linesOf, loadImage, meanPool, normalizeRows, pcaMap, pipeline, setWasmModules, similarityMap, Tensor, tokenSimilarity, verify, type ModelInputs,
} from "../../../ts-api/src/index.js";
import { Collection } from "../../../ts-api/src/collections/index.js";
import { compareModels, convertModel, inspectModel } from "../../../weights-tools/index.js";

const TINY = "tests/goldens/models/tiny", HEAD = "tests/goldens/classifiers/classify-single", PHOTO = "tests/goldens/images/files/jpeg-1x1.jpg";
const extract = await pipeline("image-feature-extraction", TINY, { dtype: "fp32" });
const classify = await pipeline("image-classification", HEAD, { dtype: "fp32" });
const { model, processor } = extract;
const inputs = processor.preprocess(await loadImage(PHOTO));
const { lastHiddenState: hidden, attentions } = await model.forward(inputs, { outputAttentions: true });
const columns = model.config.gridWidth, map = pcaMap(hidden, columns), [attention] = attentions!;
/** As users of plain JavaScript call it. */
const any = (value: unknown) => value as never;

const OPTIONED: Record<string, { good: string; misspelt: string; call(options: unknown): unknown }> = {
  "IJepaModel.fromPretrained": { good: "dtype", misspelt: "dtpye", call: (o) => IJepaModel.fromPretrained(TINY, any(o)) },
  "IJepaForImageClassification.fromPretrained": { good: "revision", misspelt: "revison", call: (o) => IJepaForImageClassification.fromPretrained(HEAD, any(o)) },
  "new IJepaModel": { good: "useMaskToken", misspelt: "use_mask_token", call: (o) => new IJepaModel(new IJepaConfig(), any(o)) },
  "new IJepaForImageClassification": { good: "seed", misspelt: "seeds", call: (o) => new IJepaForImageClassification(new IJepaConfig(), any(o)) },
  "IJepaImageProcessor.fromPretrained": { good: "cache_dir", misspelt: "cacheDir", call: (o) => IJepaImageProcessor.fromPretrained(TINY, any(o)) },
  "new IJepaImageProcessor": { good: "doResize", misspelt: "do_resize", call: (o) => new IJepaImageProcessor(any(o)) },
  preprocess: { good: "imageMean", misspelt: "image_mean", call: async (o) => processor.preprocess(await loadImage(PHOTO), any(o)) },
  pipeline: { good: "local_files_only", misspelt: "localFilesOnly", call: (o) => pipeline("image-feature-extraction", TINY, any(o)) },
  extract: { good: "pool", misspelt: "pooling", call: (o) => extract(PHOTO, any(o)) },
  classify: { good: "top_k", misspelt: "topk", call: (o) => classify(PHOTO, any(o)) },
  forward: { good: "outputHiddenStates", misspelt: "output_hidden_states", call: (o) => model.forward(inputs, any(o)) },
  "classifier.forward": { good: "outputAttentions", misspelt: "outputAttention", call: (o) => classify.model.forward(classify.processor.preprocess({ data: new Uint8Array(3), width: 1, height: 1, channels: 3 }), any(o)) },
  savePretrained: { good: "max_shard_size", misspelt: "maxShardSize", call: (o) => model.savePretrained("/dev/null/x", any(o)) },
  loadImage: { good: "maxPixels", misspelt: "maxpixel", call: (o) => loadImage(PHOTO, any(o)) },
  verify: { good: "dtypes", misspelt: "dtype", call: (o) => verify(TINY, any(o)) },
  attentionMap: { good: "head", misspelt: "heads", call: (o) => attentionMap(attention, columns, any(o)) },
  drawMap: { good: "opacity", misspelt: "opacty", call: (o) => drawMap(map, map, any(o)) },
  drawSheet: { good: "columns", misspelt: "column", call: (o) => drawSheet([{ picture: map }], any(o)) },
  convertModel: { good: "shardSize", misspelt: "shard_size", call: (o) => convertModel(TINY, "/dev/null/x", any(o)) },
  inspectModel: { good: "imageSize", misspelt: "image_size", call: (o) => inspectModel(TINY, any(o)) },
  compareModels: { good: "dtypeB", misspelt: "dtype_b", call: (o) => compareModels(TINY, TINY, [PHOTO], any(o)) },
};

for (const [name, { good, misspelt, call }] of Object.entries(OPTIONED)) {
  test(`${name}: an unknown option`, async () => {
    await assert.rejects(async () => call({ [misspelt]: 1 }), (error) => {
      assert.ok(isIJepaError(error, "input/value"), String(error));
      assert.ok(error.message.includes(`"${misspelt}"; did you mean "${good}"?`), error.message);
      return true;
    });
    for (const options of [7, "mean", ["mean"], Promise.resolve({}), new Map()]) {
      await assert.rejects(async () => call(options), (error) => error instanceof TypeError && /must be an object, not /.test(error.message), name);
    }
  });
}

test("null among the options, and in the place of them, is as good as absent", async () => {
  const expected = (await extract(PHOTO)).numerics.digest;
  for (const options of [null, { pool: null, normalize: null, return_tensors: null, signal: null, maxPixels: null }]) {
    assert.equal((await extract(PHOTO, options as unknown as { pool: "none" })).numerics.digest, expected);
  }
  assert.equal((await model.forward(any({ ...inputs, keepPatches: null, headMask: null, outputHiddenStates: null }), any({ signal: null }))).numerics.digest, expected);
  assert.equal(new IJepaConfig(any({ hiddenSize: null })).hiddenSize, 768);
  assert.equal((await classify(PHOTO, { top_k: null })).length, classify.model.config.numLabels);
  const loaded = await pipeline("image-feature-extraction", TINY, any({ dtype: "fp32", device: null, revision: null, threads: null }));
  assert.equal((await loaded(PHOTO)).numerics.digest, expected);
  await loaded.dispose();
});

test("pipeline(task, options): the model of the package", async () => {
  const demo = await pipeline("image-feature-extraction", { dtype: "int4" }), same = await pipeline("image-feature-extraction", null, { dtype: "int4" });
  assert.deepEqual([demo.model.dtype, same.model.dtype, demo.model.config.hiddenSize], ["int4", "int4", 192]);
  const loaded = await IJepaModel.fromPretrained({ dtype: "int4" });
  assert.equal((await loaded.forward(demo.processor.preprocess(await loadImage(PHOTO)))).numerics.digest, (await same(PHOTO)).numerics.digest);
  for (const one of [demo, same, loaded]) await one.dispose();
  await assert.rejects(pipeline("image-feature-extraction", any({ dtypes: "int4" })), { code: "input/value" });
  await assert.rejects(pipeline("image-feature-extraction", any({ dtype: "int4" }), {}), TypeError);
  await assert.rejects(pipeline(any("image-feature-extract")), { code: "input/value", message: /did you mean "image-feature-extraction"/ });
  await assert.rejects(pipeline(any(7)), { name: "TypeError", message: "The task of a pipeline must be a string, not 7." });
});

test("outputHiddenStates and outputAttentions stand with the inputs or among the options; options win", async () => {
  const head = classify.processor.preprocess(await loadImage(PHOTO));
  for (const run of [(i: object, o?: object) => model.forward({ ...inputs, ...i }, o), (i: object, o?: object) => classify.model.forward({ ...head, ...i }, o)]) {
    const has = async (i: object, o?: object) => {
      const { hiddenStates, attentions: maps } = await run(i, o);
      return [hiddenStates !== undefined, maps !== undefined];
    };
    assert.deepEqual(await has({}), [false, false]);
    assert.deepEqual(await has({ outputHiddenStates: true }), [true, false]);
    assert.deepEqual(await has({ outputAttentions: true }, { outputHiddenStates: true }), [true, true]);
    assert.deepEqual(await has({ outputAttentions: true }, { outputAttentions: false }), [false, false]);
    await assert.rejects(run({ outputHiddenStates: 1 }), { name: "TypeError", message: "outputHiddenStates must be true or false, not 1." });
  }
  for (const [name, meant] of [["output_hidden_states", "outputHiddenStates"], ["pixel_values", "pixelValues"], ["attention_mask", "attentionMask"]]) {
    await assert.rejects(model.forward({ ...inputs, [name]: 1 }), { code: "input/value", message: new RegExp(`"${name}"; did you mean "${meant}"`) });
  }
  for (const wrong of [inputs.pixelValues, [inputs], Promise.resolve(inputs), "photo.jpg", new Float32Array(3)] as unknown[]) {
    await assert.rejects(model.forward(wrong as ModelInputs), { name: "TypeError", message: /The inputs of forward must be an object such as \{ pixelValues \}, not / });
  }
});

test("wrong types in place of features are TypeErrors, never a number", async () => {
  const wrong = [Promise.resolve(hidden), "abc", "", undefined, null, 7, {}, { data: [1] }, [["1"]], ["1", "2"], [1, undefined], [1n], new BigInt64Array(2), new DataView(new ArrayBuffer(8)),
    new Set([1]), () => 1, { length: 2 }, new Tensor("int32", new Int32Array(2), [2])];
  for (const value of wrong) {
    for (const call of [() => cosineSimilarity(any(value), any(value)), () => cosineSimilarity(hidden, any(value))]) {
      assert.throws(call, (error) => error instanceof TypeError && /^[ab] must be a float32 Tensor/.test(error.message), String(call));
    }
  }
  assert.throws(() => cosineSimilarity(any(Promise.resolve(hidden)), hidden), { message: "a must be a float32 Tensor or a list of numbers, not a Promise." });
  assert.throws(() => cosineSimilarity([1, 2], any(["1", 2])), { message: 'b must be a float32 Tensor or a list of numbers, but holds "1" at index 0.' });
  assert.equal(cosineSimilarity([1, 0], new Int8Array([2, 0])), 1);

  const functions: ((value: never) => unknown)[] = [
    meanPool, firstToken, normalizeRows, (v) => tokenSimilarity(v, 0), (v) => pcaMap(v, columns), (v) => similarityMap(v, columns, [0, 0]), (v) => attentionMap(v, columns),
    attentionRollout, (v) => attentionRollout(any([v])), (v) => drawMap(v, map), (v) => drawMap(map, v), (v) => drawSheet(v), (v) => encodePng(v), (v) => loadImage(v), (v) => setWasmModules(v),
    (v) => new Tensor("float32", v, [1]), (v) => new Tensor(v, any(new Float32Array(1)), [1]), (v) => new Tensor("float32", new Float32Array(1), v), (v) => new IJepaConfig(v),
    (v) => new IJepaModel(v), (v) => processor.preprocess(v), (v) => model.savePretrained(v), (v) => IJepaModel.fromPretrained(v), (v) => similarityMap(hidden, columns, v),
    (v) => convertModel(TINY, v), (v) => compareModels(TINY, TINY, v),
  ];
  await Promise.all(
    functions.flatMap((call) =>
      [Promise.resolve(hidden), 7, true, Symbol("x")].map((value) =>
        assert.rejects(async () => call(any(value)), (error) => {
          assert.ok(error instanceof TypeError && /not |must be|needs/.test(error.message), `${String(call)}: ${String(error)}`);
          return true;
        }),
      ),
    ),
  );
});

test("fields of a configuration, modules and numbers that there are not", () => {
  assert.throws(() => new IJepaConfig(any({ hidden_size: 32 })), { code: "config/field", message: /"hidden_size"; did you mean "hiddenSize"/ });
  assert.throws(() => setWasmModules(any({ "kernels-simd": "x" })), { name: "TypeError", message: /did you mean "kernels-simd128/ });
  assert.throws(() => setWasmModules(any({ quantizer: 7 })), { name: "TypeError", message: "The module quantizer must be a WebAssembly.Module or the URL of one, not 7." });
  for (const bad of [0, -1, 1.5, NaN]) assert.throws(() => pcaMap(hidden, bad), { code: "input/value" }, String(bad));
});

test.after(async () => {
  await extract.dispose();
  await classify.dispose();
});

test("what lists and names of images are made of: a TypeError that says what came in", async () => {
  const drain = async (items: AsyncIterable<unknown>) => {
    for await (const _ of items);
  };
  for (const wrong of [null, 7, Symbol("s"), [[]]].map(any)) {
    const calls = [
      () => drain(findImages(wrong)), () => drain(linesOf(any(null))), () => drain(imagesOfLines(wrong)), () => drain(chunksOfFile(wrong)), async () => isPattern(wrong),
      async () => isAddress(wrong), () => IJepaModel.fromPretrained(wrong ?? any([])), async () => new IJepaConfig({}, any(null)),
    ];
    for (const call of calls) await assert.rejects(call, (error) => error instanceof TypeError && / must be .*, not /.test(error.message), call.toString());
  }
});

test("names that are too long are not repeated in full", async () => {
  const long = "A".repeat(200_000);
  const calls = [
    ...[long, `./${long}`, `file:///${long}`, `http://127.0.0.1:9/${long}`, `owner/${long}`, `${long}.pth.tar`].map((name) => () => IJepaModel.fromPretrained(name)),
    () => loadImage(`http://${long} x`), () => Collection.open(long), () => pipeline("image-feature-extraction", "owner/name", { cache_dir: long }),
  ];
  for (const call of calls) await assert.rejects(call, (error: Error) => isIJepaError(error) && error.message.length < 1500, call.toString());
});
