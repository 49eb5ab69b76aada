/** Canonical names, and the tensors that a configuration asks for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IJepaConfig } from "../../../ts-api/src/config/config.js";
import { canonicalName, expectedTensors, isOptionalTensor } from "../../../ts-api/src/weights/tensor-names.js";
import { SMALL } from "./helpers.js";

const NAMES: [published: string, inMemory: string][] = [
  ["embeddings.position_embeddings", "embeddings.position_embeddings"],
  ["embeddings.patch_embeddings.projection.weight", "embeddings.patch_embeddings.projection.weight"],
  ["encoder.layer.0.layernorm_before.weight", "layers.0.layernorm_before.weight"],
  ["encoder.layer.0.layernorm_after.bias", "layers.0.layernorm_after.bias"],
  ["encoder.layer.31.attention.attention.query.weight", "layers.31.attention.q_proj.weight"],
  ["encoder.layer.31.attention.attention.key.bias", "layers.31.attention.k_proj.bias"],
  ["encoder.layer.31.attention.attention.value.weight", "layers.31.attention.v_proj.weight"],
  ["encoder.layer.7.attention.output.dense.weight", "layers.7.attention.o_proj.weight"],
  ["encoder.layer.7.intermediate.dense.bias", "layers.7.mlp.fc1.bias"],
  ["encoder.layer.7.output.dense.weight", "layers.7.mlp.fc2.weight"],
  ["layernorm.weight", "layernorm.weight"],
  ["pooler.dense.weight", "pooler.dense.weight"],
];

test("all four namings have one canonical name", () => {
  for (const [published, inMemory] of NAMES) {
    for (const key of [published, inMemory, `ijepa.${published}`, `ijepa.${inMemory}`]) assert.equal(canonicalName(key), published);
  }
});

test("other names pass unchanged", () => {
  for (const key of ["classifier.weight", "layers", "encoder.layer.x.mlp.fc1.weight", "module.layers.0.mlp.fc1.weight", "toString", ""]) {
    assert.equal(canonicalName(key), key);
  }
});

test("the encoder's tensors and their shapes", () => {
  const shapes = expectedTensors(SMALL);
  assert.equal(shapes.size, 3 + 16 + 2);
  assert.deepEqual(shapes.get("embeddings.patch_embeddings.projection.weight"), [8, 1, 4, 4]);
  assert.deepEqual(shapes.get("embeddings.position_embeddings"), [1, 4, 8]);
  assert.deepEqual(shapes.get("encoder.layer.0.intermediate.dense.weight"), [16, 8]);
  assert.deepEqual(shapes.get("encoder.layer.0.output.dense.weight"), [8, 16]);
  assert.deepEqual(shapes.get("encoder.layer.0.intermediate.dense.bias"), [16]);
  assert.deepEqual(shapes.get("encoder.layer.0.attention.attention.key.bias"), [8]);
  for (const name of shapes.keys()) assert.equal(canonicalName(name), name);
});

test("without qkv bias, query, key and value have none", () => {
  const names = [...expectedTensors(new IJepaConfig({ qkvBias: false, numHiddenLayers: 2 })).keys()];
  assert.equal(names.length, 3 + 2 * 13 + 2);
  assert.ok(names.includes("encoder.layer.1.attention.output.dense.bias"));
});

test("optional parts are asked for one by one", () => {
  const config = IJepaConfig.fromJSON({ ...SMALL.toJSON(), num_labels: 5, pooler_output_size: 3 });
  const base = [...expectedTensors(config).keys()];
  const extras = (parts: object): [string, readonly number[]][] => [...expectedTensors(config, parts)].filter(([name]) => !base.includes(name));
  assert.deepEqual(extras({ maskToken: true }), [["embeddings.mask_token", [1, 1, 8]]]);
  assert.deepEqual(extras({ pooler: true }), [["pooler.dense.weight", [3, 8]], ["pooler.dense.bias", [3]]]);
  assert.deepEqual(extras({ classifier: true }), [["classifier.weight", [5, 8]], ["classifier.bias", [5]]]);
  const none = IJepaConfig.fromJSON({ ...SMALL.toJSON(), num_labels: 0 });
  assert.equal(expectedTensors(none, { classifier: true }).size, base.length);
  for (const [name] of extras({ maskToken: true, pooler: true, classifier: true })) assert.ok(isOptionalTensor(name));
  assert.ok(!base.some(isOptionalTensor));
  assert.ok(!isOptionalTensor("embeddings.cls_token"));
});
