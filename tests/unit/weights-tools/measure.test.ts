/** `inspectModel` and `compareModels`: estimates and errors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DTYPES } from "../../../ts-api/src/core/numerics.js";
import { openWasm } from "../../../ts-api/src/backends/wasm/wasm.js";
import { loadEncoder } from "../../../ts-api/src/encoder/place-weights.js";
import { partsOf } from "../../../ts-api/src/loading/pack-checkpoint.js";
import { Encoder } from "../../../ts-api/src/encoder/encoder.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { packMatrix } from "../../../ts-api/src/packing/pack.js";
import { compareModels, convertModel, inspectModel } from "../../../weights-tools/index.js";
import { unpackMatrix } from "../../../weights-tools/unpack.js";
import { DEMO_MODEL, MODELS } from "../../support/models.js";
import { gaussArray } from "../../support/random.js";
import { modulesHere } from "../../support/modules.js";
import { inNewFolder } from "./helpers.js";

const PHOTO = "examples/photos/chelsea.png";

test("unpacked matrices are the weights, as far from them as their format is", () => {
  const cols = 11, inputs = 64, data = gaussArray("matrix", cols * inputs);
  const most = { fp32: 0, bf16: 2 ** -8, int8: 0.04, int4: 0.6, nf4: 0.6, fp4: 0.8 };
  for (const dtype of DTYPES) {
    for (const group of [32, 64] as const) {
      const values = unpackMatrix(packMatrix("w", dtype, data, cols, inputs, group));
      assert.equal(values.length, 16 * inputs);
      for (let c = 0; c < 16; c++) {
        for (let k = 0; k < inputs; k++) {
          const value = values[(Math.floor(c / 8) * inputs + k) * 8 + (c % 8)], weight = c < cols ? data[c * inputs + k] : 0;
          assert.ok(Math.abs(value - weight) <= most[dtype] * (dtype === "bf16" ? Math.abs(weight) : 1), `${dtype} column ${c} input ${k}: ${value} for ${weight}`);
        }
      }
    }
  }
});

test("inspect: tensors as they are stored, and the same estimates packed or not", () =>
  inNewFolder(async (folder) => {
    await convertModel(DEMO_MODEL, folder, { dtype: "int4" });
    const [packed, original] = [await inspectModel(folder), await inspectModel(DEMO_MODEL, { dtype: "int4" })];
    assert.deepEqual([packed.packed?.dtype, original.packed], ["int4", undefined]);
    assert.equal(packed.bitsPerWeight, 4.5);
    for (const key of ["bitsPerWeight", "estimate", "parameters", "dtype", "imageSize"] as const) assert.deepEqual(packed[key], original[key], key);
    assert.equal(original.tensors.reduce((sum, { bytes }) => sum + bytes, 0), original.bytes);
    assert.equal(original.tensors.find(({ name }) => name === "encoder.layer.0.output.dense.weight")?.dtype, "F32");
    assert.equal((await inspectModel(DEMO_MODEL, { dtype: "int4", groupSize: 64 })).bitsPerWeight, 4.25);
    await assert.rejects(inspectModel(folder, { imageSize: 0 }), TypeError);
  }));

test("inspect: int8 beside its source, without the powers of two that went from the norms into the matrices", () =>
  inNewFolder(async (folder) => {
    const model = "tests/goldens/models/tiny";
    await convertModel(model, folder, { dtype: "int8" });
    const { bitsPerWeight, packed, layers } = await inspectModel(folder, { source: model });
    assert.deepEqual([bitsPerWeight, packed?.dtype, packed?.groupSize], [8.5, "int8", undefined]);
    for (const { qkv, projection, up, down, sqnr } of layers!) {
      assert.ok([qkv, projection, up, down].every((error) => error > 0.002 && error < 0.012), `${qkv} ${projection} ${up} ${down}`);
      assert.ok(sqnr > 40);
    }
  }));

test("inspect: the memory of a run, and operations that grow with the image", async () => {
  const [{ module }] = await modulesHere();
  const checkpoint = await openCheckpoint(DEMO_MODEL), { config } = checkpoint;
  for (const dtype of DTYPES) {
    const { estimate } = await inspectModel(DEMO_MODEL, { dtype }), layer = (estimate.resident - estimate.streamed) / (config.numHiddenLayers - 2);
    // As a GPU, which only enqueues, and as the CPU, where the next layer waits in memory of the host.
    for (const [resident, synchronous, expected] of [[true, true, estimate.resident], [false, false, estimate.streamed], [false, true, estimate.streamed - layer]] as const) {
      const backend = await openWasm({ module, device: "test" });
      let bytes = 0;
      const counted = { ...backend, synchronous, alloc: (desc: Parameters<typeof backend.alloc>[0]) => {
        const tensor = backend.alloc(desc);
        bytes += tensor.bytes;
        return tensor;
      } };
      const encoder = new Encoder(counted, config, dtype, await loadEncoder(counted, partsOf(checkpoint, { dtype }), { resident }), async () => {});
      const { numChannels, imageHeight: height, imageWidth: width } = config;
      await encoder.encode({ data: new Float32Array(numChannels * height * width), images: 1, height, width });
      assert.equal(bytes, expected, `${dtype} ${resident ? "resident" : "streamed"}, ${synchronous ? "at once" : "enqueued"}`);
    }
  }
  await checkpoint.close();
  const [small, large] = [await inspectModel(DEMO_MODEL), await inspectModel(DEMO_MODEL, { imageSize: [2 * config.imageHeight, config.imageWidth] })];
  assert.equal(large.estimate.tokens, 2 * small.estimate.tokens);
  assert.ok(large.estimate.flop > 2 * small.estimate.flop && large.estimate.flop < 3 * small.estimate.flop);
});

test("inspect with the source: the error of every layer", () =>
  inNewFolder(async (folder) => {
    await convertModel(DEMO_MODEL, folder, { dtype: "int4" });
    const { layers } = await inspectModel(folder, { source: DEMO_MODEL }), exact = await inspectModel(DEMO_MODEL, { dtype: "fp32", source: DEMO_MODEL });
    assert.deepEqual(layers!.map(({ layer }) => layer), layers!.map((_, i) => i));
    assert.ok(layers!.length > 1);
    for (const { sqnr, ...errors } of layers!) {
      assert.ok(sqnr > 15 && sqnr < 30, `${sqnr} dB`);
      for (const name of ["qkv", "projection", "up", "down"] as const) assert.ok(errors[name] > 0.03 && errors[name] < 0.2, `${name} ${errors[name]}`);
    }
    for (const { sqnr, qkv } of exact.layers!) assert.deepEqual([sqnr, qkv], [Infinity, 0]);
    await assert.rejects(inspectModel(folder, { source: `${MODELS}/tiny` }), { code: "weights/shape", message: /another model: its hiddenSize/ });
  }));

test("compare: nothing differs from itself; bf16 is closer than int4", async () => {
  const same = await compareModels(DEMO_MODEL, DEMO_MODEL, [PHOTO], { dtypeA: "int4", dtypeB: "int4" });
  assert.ok(same.sqnr.every((value) => value === Infinity));
  assert.equal(same.a.digest, same.b.digest);
  assert.ok(same.tokens.minimum > 1 - 1e-9 && same.pooled.minimum > 1 - 1e-6);
  const bf16 = await compareModels(DEMO_MODEL, DEMO_MODEL, [PHOTO, "examples/photos/rocket.jpg"]);
  const int4 = await compareModels(DEMO_MODEL, DEMO_MODEL, [PHOTO], { dtypeB: "int4" });
  assert.deepEqual([bf16.a.dtype, bf16.b.dtype, bf16.images], ["fp32", "bf16", 2]);
  for (const { tokens, sqnr } of [bf16, int4]) {
    assert.ok(tokens.minimum <= tokens.percentile1 && tokens.percentile1 <= tokens.mean && tokens.mean < 1);
    assert.ok(sqnr.length === same.sqnr.length && sqnr.length > 5);
  }
  assert.ok(bf16.tokens.mean > int4.tokens.mean);
  for (const i of [1, 2, 3, 4, 5]) assert.ok(bf16.sqnr[i] > int4.sqnr[i]);
  await assert.rejects(compareModels(DEMO_MODEL, `${MODELS}/tiny`, [PHOTO]), { code: "weights/shape" });
  await assert.rejects(compareModels(DEMO_MODEL, DEMO_MODEL, []), TypeError);
});
