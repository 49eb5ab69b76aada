/** Models with random weights, and models that are saved: in Hugging Face's layout, with the bits they were made of. */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runtime } from "#runtime";
import { IJepaConfig, IJepaForImageClassification, IJepaModel, isIJepaError, Tensor } from "../../../ts-api/src/index.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { openSafetensors } from "../../../ts-api/src/weights/safetensors/reader.js";
import { gaussArray } from "../../support/random.js";
import { MODELS } from "../../support/models.js";
import { inFolder } from "../weights/helpers.js";

const CLASSIFIER = "tests/goldens/classifiers/classify-single";
const SMALL = new IJepaConfig({ hiddenSize: 32, numHiddenLayers: 2, numAttentionHeads: 4, intermediateSize: 37, imageSize: 30, patchSize: 2 });

type Model = IJepaModel | IJepaForImageClassification;

async function digest(model: Model): Promise<string> {
  const { numChannels, imageHeight, imageWidth } = model.config;
  const pixelValues = new Tensor("float32", gaussArray("saved", numChannels * imageHeight * imageWidth), [1, numChannels, imageHeight, imageWidth]);
  return (await model.forward({ pixelValues })).numerics.digest;
}

/** Names, dtypes and shapes of all weights of a folder, in the names of the files, and what their metadata say. */
async function layoutOf(folder: string): Promise<{ tensors: Record<string, string>; formats: unknown[] }> {
  const tensors: Record<string, string> = {}, formats: unknown[] = [];
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".safetensors"))) {
    const file = await openSafetensors(await runtime.openFile(join(folder, name)));
    for (const info of file.tensors.values()) tensors[info.name] = `${info.dtype} [${info.shape.join()}]`;
    formats.push(file.metadata.format);
    await file.close();
  }
  return { tensors: Object.fromEntries(Object.entries(tensors).sort()), formats };
}

const json = (folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown>;

test("new IJepaModel(config): nothing is open before ready, and forward opens it", async () => {
  const model = new IJepaModel(SMALL, { seed: 3, dtype: "fp32", device: "wasm" });
  assert.equal(model.config, SMALL);
  assert.equal(model.dtype, "fp32");
  assert.throws(() => model.device, /await model\.ready/);
  const first = await digest(model);
  assert.equal(model.device, "wasm");
  await model.ready;
  assert.equal(await digest(new IJepaModel(SMALL, { seed: 3, dtype: "fp32", threads: 2 })), first, "the same seed, the same model");
  assert.notEqual(await digest(new IJepaModel(SMALL, { seed: 4, dtype: "fp32" })), first);
  assert.equal(await digest(new IJepaModel(SMALL)), await digest(new IJepaModel(SMALL, { seed: 0 })));
  await model.dispose();
  await assert.rejects(model.ready, /disposed/);
});

test("the first example of the documentation: a default configuration, a model, its configuration", () => {
  const model = new IJepaModel(new IJepaConfig());
  assert.deepEqual([model.config.hiddenSize, model.config.numHiddenLayers], [768, 12]);
  assert.equal(new IJepaModel().config.patchSize, 16);
});

test("weights are of Hugging Face's distributions", async () => {
  await inFolder({}, async (folder) => {
    const config = new IJepaConfig({ ...SMALL, initializerRange: 0.05 });
    await new IJepaModel(config, { useMaskToken: true, addPoolingLayer: true }).savePretrained(folder);
    const checkpoint = await openCheckpoint(folder);
    for (const name of checkpoint.tensors.keys()) {
      const data = await checkpoint.tensor(name), deviation = Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);
      if (name.endsWith(".bias") || name.endsWith("mask_token")) assert.ok(data.every((v) => v === 0), name);
      else if (name.includes("layernorm")) assert.ok(data.every((v) => v === 1), name);
      else assert.ok(Math.abs(deviation - 0.05) < 0.01, `${name}: ${deviation}`);
    }
    await checkpoint.close();
  });
});

test("saved and loaded again: the same bits, in every dtype; from one file, from shards, from another precision", async () => {
  for (const source of ["tiny", "like-vith14", "odd"]) {
    const model = await IJepaModel.fromPretrained(`${MODELS}/${source}`, { dtype: "int4" });
    for (const max_shard_size of [undefined, "50KB"]) {
      await inFolder({}, async (folder) => {
        await model.savePretrained(`${folder}/new/folder`, { max_shard_size });
        const files = readdirSync(`${folder}/new/folder`);
        if (max_shard_size !== undefined) assert.ok(files.some((name) => /^model-00002-of-000\d\d\.safetensors$/.test(name)), files.join());
        else assert.deepEqual(files.sort(), ["config.json", "model.safetensors", "preprocessor_config.json"]);
        for (const dtype of ["int4", "fp32"] as const) {
          const again = await IJepaModel.fromPretrained(`${folder}/new/folder`, { dtype });
          assert.equal(await digest(again), await digest(await IJepaModel.fromPretrained(`${MODELS}/${source}`, { dtype })));
        }
      });
    }
  }
});

test("the layout is the reference's: names, dtypes, shapes, metadata, configuration", async () => {
  await inFolder({}, async (folder) => {
    const model = await IJepaModel.fromPretrained(`${MODELS}/tiny`, { useMaskToken: true, addPoolingLayer: true });
    await model.savePretrained(folder);
    assert.deepEqual(await layoutOf(folder), await layoutOf(`${MODELS}/tiny`));
    assert.deepEqual(json(folder, "config.json"), json(`${MODELS}/tiny`, "config.json"));
    assert.deepEqual(json(folder, "preprocessor_config.json"), json(`${MODELS}/tiny`, "preprocessor_config.json"));
  });
  await inFolder({}, async (folder) => {
    const classifier = await IJepaForImageClassification.fromPretrained(CLASSIFIER, { dtype: "bf16" });
    await classifier.savePretrained(folder);
    assert.deepEqual(await layoutOf(folder), await layoutOf(CLASSIFIER));
    assert.deepEqual(json(folder, "config.json"), json(CLASSIFIER, "config.json"));
    assert.equal(await digest(await IJepaForImageClassification.fromPretrained(folder)), await digest(classifier));
    await (await IJepaModel.fromPretrained(folder)).savePretrained(`${folder}/base`);
    assert.ok(Object.keys((await layoutOf(`${folder}/base`)).tensors).every((name) => !/^(ijepa|classifier)\./.test(name)));
    assert.deepEqual(json(`${folder}/base`, "config.json").architectures, ["IJepaModel"]);
  });
});

test("a bitsandbytes checkpoint is saved as it is, also when it runs in another dtype", async () => {
  for (const name of ["like-vith14-nf4-dq", "like-vith14-fp4"]) {
    const source = `tests/goldens/bitsandbytes/${name}`;
    for (const dtype of [undefined, "bf16"] as const) {
      await inFolder({}, async (folder) => {
        const model = await IJepaModel.fromPretrained(source, { dtype });
        await model.savePretrained(folder);
        assert.deepEqual((await layoutOf(folder)).tensors, (await layoutOf(source)).tensors);
        assert.deepEqual(json(folder, "config.json").quantization_config, json(source, "config.json").quantization_config);
        assert.equal(await digest(await IJepaModel.fromPretrained(folder, { dtype })), await digest(model));
      });
    }
  }
});

test("shards are full but not larger, and the index names every tensor", async () => {
  await inFolder({}, async (folder) => {
    await new IJepaModel(SMALL).savePretrained(folder, { max_shard_size: 30_000 });
    const { metadata, weight_map: map } = json(folder, "model.safetensors.index.json") as { metadata: { total_size: number }; weight_map: Record<string, string> };
    assert.deepEqual(Object.keys(map).sort(), Object.keys((await layoutOf(folder)).tensors));
    const sizes = [...new Set(Object.values(map))].map((name) => readFileSync(join(folder, name)).length);
    assert.ok(sizes.length > 2 && sizes.every((size) => size < 30_000 + 4000), sizes.join());
    assert.ok(metadata.total_size < sizes.reduce((a, b) => a + b));
    assert.equal(await digest(await IJepaModel.fromPretrained(folder)), await digest(new IJepaModel(SMALL)));
    assert.equal(json(folder, "config.json").dtype, "float32");
  });
});

test("random classifiers: a head for every label, and the mean where there are none", async () => {
  const config = IJepaConfig.fromJSON({ ...SMALL.toJSON(), id2label: { 0: "cat", 1: "dog", 2: "rocket" } });
  const classifier = new IJepaForImageClassification(config, { seed: 1 });
  await inFolder({}, async (folder) => {
    await classifier.savePretrained(folder);
    const again = await IJepaForImageClassification.fromPretrained(folder);
    assert.equal(await digest(again), await digest(classifier));
    assert.deepEqual(again.config.toJSON().id2label, { 0: "cat", 1: "dog", 2: "rocket" });
  });
  const none = new IJepaForImageClassification(IJepaConfig.fromJSON({ ...SMALL.toJSON(), num_labels: 0 }));
  const pixelValues = new Tensor("float32", gaussArray("saved", 3 * 900), [1, 3, 30, 30]);
  assert.deepEqual((await none.forward({ pixelValues })).logits.dims, [1, 32]);
});

test("a source that is gone or changed is an error, never rounded weights", async () => {
  await inFolder({}, async (folder) => {
    cpSync(`${MODELS}/tiny`, `${folder}/source`, { recursive: true });
    const model = await IJepaModel.fromPretrained(`${folder}/source`, { dtype: "int4" });
    const config = json(`${folder}/source`, "config.json");
    const refused = (message: RegExp) =>
      assert.rejects(model.savePretrained(`${folder}/copy`), (error) => isIJepaError(error, "weights/missing") && message.test(error.message));
    writeFileSync(`${folder}/source/config.json`, JSON.stringify({ ...config, hidden_act: "relu" }));
    await refused(/has changed its configuration/);
    rmSync(`${folder}/source`, { recursive: true });
    await refused(/rounded to int4\. They cannot be read again: There is no .*config\.json/);
    assert.ok(await digest(model), "it still runs");
  });
});

test("what cannot be is refused", async () => {
  assert.throws(() => new IJepaModel({ hiddenSize: 32 } as unknown as IJepaConfig), TypeError);
  for (const seed of [-1, 0.5, NaN, 2 ** 53, "1"]) assert.throws(() => new IJepaModel(SMALL, { seed: seed as number }), TypeError);
  assert.throws(() => new IJepaModel(SMALL, { dtype: "int3" as "int4" }), TypeError);
  await assert.rejects(new IJepaModel(SMALL, { device: "npu" as "wasm" }).ready, TypeError);
  const model = new IJepaModel(SMALL), code = (expected: string) => (error: unknown) => isIJepaError(error) && error.code === expected;
  for (const max_shard_size of [0, -1, NaN, "5", "5 parsecs", "0GB"]) await assert.rejects(model.savePretrained("no/where", { max_shard_size }), code("input/value"));
  await assert.rejects(model.savePretrained("https://example.org/model"), code("input/value"));
  await assert.rejects(model.savePretrained("package.json/model"), code("io/write"));
  await inFolder({}, async (folder) => {
    await assert.rejects(model.savePretrained(folder, { signal: AbortSignal.abort() }), code("aborted"));
    assert.deepEqual(readdirSync(folder), [], "nothing half-written is left");
    await model.savePretrained(folder);
    await assert.rejects(model.savePretrained(folder, { max_shard_size: "20KB" }), code("io/write"));
  });
});
