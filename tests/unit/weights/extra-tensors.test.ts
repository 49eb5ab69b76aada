/** Tensors that the encoder has no place for: left unused where they cannot be weights of it, refused where they may be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IJepaModel, Tensor } from "../../../ts-api/src/index.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import type { TensorBytes } from "../../../ts-api/src/weights/safetensors/writer.js";
import { canonicalName } from "../../../ts-api/src/weights/tensor-names.js";
import { f32, failure, inFolder, SMALL, smallModel, withTensors } from "./helpers.js";

test("tensors that an encoder may need are named together, and refused", async () => {
  const names = [
    "embeddings.cls_token", "encoder.layer.1.layernorm_before.bias", "encoder.layer.0.layer_scale1.lambda1", "encoder.layernorm.weight",
    "embeddings.mask_tokens", "embeddings.patch_embeddings.projection.wieght", "layers.1.mlp.fc1.weight",
    "register_tokens", "reg_token", "norm_pre.weight", "pos_embed_spatial",
  ];
  await withTensors((tensors) => names.forEach((name) => tensors.set(name, f32([1], [0]))), async (folder) => {
    const error = await failure("weights/unexpected", () => openCheckpoint(folder));
    assert.deepEqual([...error.details.names].sort(), names.map((name) => canonicalName(name)).sort());
  });
  // Biases that the configuration says are not there.
  const { "model.safetensors": weights } = smallModel();
  const json = JSON.stringify({ ...SMALL.toJSON(), qkv_bias: false });
  await inFolder({ "config.json": json, "model.safetensors": weights }, async (folder) => {
    assert.equal((await failure("weights/unexpected", () => openCheckpoint(folder))).details.names.length, 3);
  });
});

test("other tensors are left unused, and named", async () => {
  const whole = (shape: number[]): TensorBytes => ({ dtype: "I64", shape, bytes: new Uint8Array(8 * shape.reduce((a, b) => a * b, 1)) });
  const extra: Record<string, TensorBytes> = {
    "embeddings.position_ids": whole([1, 4]),
    "encoder.layer.0.attention.attention.relative_position_index": whole([2, 2]),
    "encoder.layer.0.steps": whole([]),
    "encoder.layer.0.attention.temperature": f32([], [1]),
    "embeddings.marker": f32([0], []),
    "embeddings.marker.2": f32([3, 0], []),
    "head.weight": f32([2, 8], new Array(16).fill(NaN)),
    "ijepa.head.bias": f32([2], [0, 0]),
    "predictor.blocks.0.norm1.weight": f32([3], [1, 1, 1]),
    "classifier.weight": f32([2, 8], new Array(16).fill(0)),
    "embeddings.mask_token": f32([1, 1, 8], new Array(8).fill(0)),
    "fp8_amax_history": { dtype: "F8_E4M3", shape: [2], bytes: new Uint8Array(2) },
  };
  await withTensors((tensors) => Object.entries(extra).forEach(([name, tensor]) => tensors.set(name, tensor)), async (folder) => {
    const model = await IJepaModel.fromPretrained(folder, { dtype: "fp32" });
    assert.deepEqual([...model.unusedTensors].sort(), Object.keys(extra).sort());
    const inputs = { pixelValues: new Tensor("float32", new Float32Array(64).fill(0.5), [1, 1, 8, 8]) };
    const { numerics } = await model.forward(inputs);
    await model.dispose();
    const masked = await IJepaModel.fromPretrained(folder, { useMaskToken: true });
    assert.ok(!masked.unusedTensors.includes("embeddings.mask_token") && masked.unusedTensors.includes("classifier.weight"));
    await masked.dispose();
    await inFolder(smallModel(), async (plain) => {
      const without = await IJepaModel.fromPretrained(plain, { dtype: "fp32" });
      assert.deepEqual(without.unusedTensors, []);
      assert.equal((await without.forward(inputs)).numerics.digest, numerics.digest);
      await without.dispose();
    });
  });
  assert.deepEqual(new IJepaModel(SMALL).unusedTensors, []);
});

test("weights that other libraries have quantized are named for what they are", async () => {
  const weight = "encoder.layer.0.intermediate.dense.weight", module = weight.slice(0, -".weight".length);
  const bytes = (dtype: string): TensorBytes => ({ dtype: dtype as "I8", shape: [16, 8], bytes: new Uint8Array(128) });
  const kinds: [what: RegExp, tensors: Record<string, TensorBytes | undefined>][] = [
    [/8-bit weights of bitsandbytes/, { [weight]: bytes("I8"), [`${module}.SCB`]: f32([16], new Array(16).fill(1)) }],
    [/8-bit weights of bitsandbytes/, { [`${module}.SCB`]: f32([16], new Array(16).fill(1)) }],
    [/8-bit weights of bitsandbytes/, { [`${module}.weight_format`]: { dtype: "U8", shape: [], bytes: new Uint8Array(1) } }],
    [/8-bit weights \(I8\)/, { [weight]: bytes("I8") }],
    [/float8 weights \(F8_E4M3\)/, { [weight]: bytes("F8_E4M3") }],
    [/float8 weights \(F8_E5M2\)/, { [weight]: bytes("F8_E5M2") }],
    [/float8 weights \(F8_E4M3FNUZ\)/, { [weight]: bytes("F8_E4M3FNUZ") }],
    [/float8 or whole numbers, with scales/, { [`${module}.weight_scale_inv`]: f32([1, 1], [1]) }],
    [/float8 or whole numbers, with scales/, { [`${module}.weight_scale`]: f32([], [1]) }],
    [/float8 or whole numbers, with scales/, { [`${module}.input_scale`]: f32([1], [1]) }],
    [/GPTQ or AWQ/, { [weight]: undefined, [`${module}.qweight`]: { dtype: "I32", shape: [1, 16], bytes: new Uint8Array(64) } }],
    [/HQQ/, { [weight]: undefined, [`${module}.W_q`]: bytes("U8") }],
    [/Quanto/, { [weight]: undefined, [`${module}.weight._data`]: bytes("I8") }],
  ];
  for (const [what, changes] of kinds) {
    const change = (tensors: Map<string, TensorBytes>) => {
      for (const [name, tensor] of Object.entries(changes)) if (tensor === undefined) tensors.delete(name); else tensors.set(name, tensor);
    };
    await withTensors(change, async (folder) => {
      const { message } = await failure("weights/dtype", () => openCheckpoint(folder));
      assert.match(message, what);
      assert.doesNotMatch(message, /config\.json/);
    });
  }
});
