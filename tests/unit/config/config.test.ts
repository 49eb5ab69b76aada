/** `IJepaConfig`: defaults, derived sizes, config.json and back, refused values. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { IJepaConfig } from "../../../ts-api/src/config/config.js";
import { ACTIVATION_NAMES } from "../../../ts-api/src/ops/activation.js";
import { failure, GOLDENS, MODELS } from "../weights/helpers.js";

test("the defaults are Hugging Face's", () => {
  const config = new IJepaConfig();
  assert.deepEqual(config.toJSON(), {
    architectures: ["IJepaModel"],
    model_type: "ijepa",
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    hidden_act: "gelu",
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.02,
    layer_norm_eps: 1e-12,
    image_size: 224,
    patch_size: 16,
    num_channels: 3,
    qkv_bias: true,
    pooler_output_size: 768,
    pooler_act: "tanh",
  });
  assert.equal(config.numLabels, 2);
  assert.deepEqual(IJepaConfig.fromJSON({}).toJSON(), config.toJSON());
});

test("derived sizes", () => {
  const square = new IJepaConfig({ hiddenSize: 1280, numAttentionHeads: 16, patchSize: 14 });
  const { imageHeight, imageWidth, patchHeight, patchWidth, gridHeight, gridWidth, numPatches, patchInputs, headDim } = square;
  assert.deepEqual(
    [imageHeight, imageWidth, patchHeight, patchWidth, gridHeight, gridWidth, numPatches, patchInputs, headDim],
    [224, 224, 14, 14, 16, 16, 256, 588, 80],
  );
  const wide = new IJepaConfig({ imageSize: [65, 100], patchSize: [16, 8], numChannels: 1 });
  assert.deepEqual([wide.gridHeight, wide.gridWidth, wide.numPatches, wide.patchInputs], [4, 12, 48, 128]);
});

test("the golden configurations come back as they were, keys in order", async () => {
  for (const name of GOLDENS) {
    const json: unknown = JSON.parse(await readFile(`${MODELS}/${name}/config.json`, "utf8"));
    assert.equal(JSON.stringify(IJepaConfig.fromJSON(json)), JSON.stringify(json), name);
  }
});

test("unknown keys are kept in order, whatever their name", () => {
  const text = '{"zeta":{"a":[1,null]},"hidden_size":48,"__proto__":{"hidden_size":1},"mlp_ratio":4,"model_type":"ijepa","architectures":["X"]}';
  const config = IJepaConfig.fromJSON(JSON.parse(text));
  assert.equal(config.hiddenSize, 48);
  const json = JSON.stringify(config);
  assert.equal(json.slice(0, text.length - 1), text.slice(0, -1));
  assert.equal(JSON.stringify(IJepaConfig.fromJSON(JSON.parse(json))), json);
});

test("a pooler size of null is the hidden size", () => {
  assert.equal(IJepaConfig.fromJSON({ hidden_size: 96, pooler_output_size: null }).poolerOutputSize, 96);
  assert.equal(IJepaConfig.fromJSON({ hidden_size: 96, pooler_output_size: 7 }).poolerOutputSize, 7);
});

test("labels: id2label wins over num_labels", () => {
  assert.equal(IJepaConfig.fromJSON({ num_labels: 5 }).numLabels, 5);
  const five = new IJepaConfig({ hiddenSize: 24, numLabels: 5 });
  assert.deepEqual([five.numLabels, five.toJSON()["num_labels"], IJepaConfig.fromJSON(five.toJSON()).numLabels], [5, 5, 5]);
  assert.deepEqual([new IJepaConfig({ ...five }).numLabels, "num_labels" in new IJepaConfig({ ...new IJepaConfig() }).toJSON()], [5, false]);
  assert.throws(() => new IJepaConfig({ numLabels: -1 }), { code: "config/field" });
  assert.throws(() => new IJepaConfig({ numLabels: 5 }, { id2label: { 0: "cat" } }), { code: "config/field" });
  assert.equal(IJepaConfig.fromJSON({ num_labels: 5, id2label: { 0: "cat", 1: "dog", 2: "owl" } }).numLabels, 3);
});

test("every known activation is accepted", () => {
  for (const name of ACTIVATION_NAMES) assert.equal(IJepaConfig.fromJSON({ hidden_act: name, pooler_act: name }).hiddenAct, name);
});

test("a hidden size that the heads do not divide is refused in Hugging Face's words", async () => {
  const error = await failure("config/field", () => new IJepaConfig({ hiddenSize: 770 }));
  assert.equal(error.message, "The hidden size 770 is not a multiple of the number of attention heads 12.");
  assert.deepEqual(error.details, { field: "hidden_size", value: 770 });
});

const deep: unknown = JSON.parse("[".repeat(20000) + "]".repeat(20000));

const HOSTILE: [json: unknown, field: string][] = [
  [null, "config"],
  [[], "config"],
  ["ijepa", "config"],
  [3, "config"],
  [undefined, "config"],
  [{ model_type: "vit" }, "model_type"],
  [{ model_type: null }, "model_type"],
  [{ model_type: deep }, "model_type"],
  [{ hidden_size: "768" }, "hidden_size"],
  [{ hidden_size: 768.5 }, "hidden_size"],
  [{ hidden_size: 0 }, "hidden_size"],
  [{ hidden_size: -12 }, "hidden_size"],
  [{ hidden_size: 1e9 }, "hidden_size"],
  [{ hidden_size: 1e400 }, "hidden_size"],
  [{ hidden_size: null }, "hidden_size"],
  [{ hidden_size: deep }, "hidden_size"],
  [{ num_hidden_layers: 0 }, "num_hidden_layers"],
  [{ num_hidden_layers: 257 }, "num_hidden_layers"],
  [{ num_hidden_layers: 2.5 }, "num_hidden_layers"],
  [{ image_size: 224.5 }, "image_size"],
  [{ num_attention_heads: 0 }, "num_attention_heads"],
  [{ num_attention_heads: true }, "num_attention_heads"],
  [{ num_attention_heads: 7 }, "hidden_size"],
  [{ intermediate_size: 40000 }, "intermediate_size"],
  [{ hidden_act: "laplace2" }, "hidden_act"],
  [{ hidden_act: "gelu_accurate" }, "hidden_act"],
  [{ hidden_act: "toString" }, "hidden_act"],
  [{ hidden_act: 1 }, "hidden_act"],
  [{ pooler_act: {} }, "pooler_act"],
  [{ hidden_dropout_prob: 1.5 }, "hidden_dropout_prob"],
  [{ attention_probs_dropout_prob: "0" }, "attention_probs_dropout_prob"],
  [{ initializer_range: -1 }, "initializer_range"],
  [{ layer_norm_eps: 0 }, "layer_norm_eps"],
  [{ layer_norm_eps: 1e-300 }, "layer_norm_eps"],
  [{ layer_norm_eps: "1e-6" }, "layer_norm_eps"],
  [{ image_size: [224] }, "image_size"],
  [{ image_size: [224, 224, 3] }, "image_size"],
  [{ image_size: [224, "224"] }, "image_size"],
  [{ image_size: { height: 224, width: 224 } }, "image_size"],
  [{ image_size: 20000 }, "image_size"],
  [{ image_size: 16384 }, "image_size"],
  [{ image_size: 4096, patch_size: 1 }, "image_size"],
  [{ image_size: 16 * 180, intermediate_size: 32768 }, "image_size"],
  [{ patch_size: 0 }, "patch_size"],
  [{ patch_size: 225 }, "patch_size"],
  [{ patch_size: [16, 300] }, "patch_size"],
  [{ image_size: 1024, patch_size: 1024 }, "patch_size"],
  [{ num_channels: 0 }, "num_channels"],
  [{ num_channels: 1025 }, "num_channels"],
  [{ qkv_bias: "false" }, "qkv_bias"],
  [{ qkv_bias: 1 }, "qkv_bias"],
  [{ pooler_output_size: 0 }, "pooler_output_size"],
  [{ num_labels: -1 }, "num_labels"],
  [{ num_labels: 2 ** 20 }, "num_labels"],
  [{ id2label: ["cat"] }, "id2label"],
  [{ id2label: "cat" }, "id2label"],
];

test("hostile configurations are refused, field and value named", async () => {
  for (const [json, field] of HOSTILE) {
    const error = await failure("config/field", () => IJepaConfig.fromJSON(json, "folder/config.json"));
    assert.equal(error.details.field, field, error.message);
    assert.ok(error.message.startsWith("folder/config.json"), error.message);
    assert.ok(error.message.length < 400, error.message);
  }
});

test("fields that are no object are a TypeError", () => {
  assert.throws(() => new IJepaConfig(null as never), TypeError);
  assert.throws(() => new IJepaConfig(768 as never), TypeError);
});
