/** `IJepaModel`: batches, hidden states, pooler, masks, aborts, order of calls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IJepaModel, isIJepaError, Tensor, type ProgressInfo } from "../../../ts-api/src/index.js";
import { MODELS, readTensors, relativeError, type Golden } from "../../support/models.js";
import { gaussArray } from "../../support/random.js";

const TINY = `${MODELS}/tiny`;
const { config } = await IJepaModel.fromPretrained(TINY);
const imageSize = [config.numChannels, config.imageHeight, config.imageWidth];
const imageLength = imageSize.reduce((a, b) => a * b);

function images(count: number): Tensor<"float32"> {
  return new Tensor("float32", gaussArray("images", count * imageLength), [count, ...imageSize]);
}

function imageOf(batch: Tensor<"float32">, index: number): Tensor<"float32"> {
  return new Tensor("float32", batch.data.subarray(index * imageLength, (index + 1) * imageLength), [1, ...imageSize]);
}

test("a batch has the bits of its images one by one, also when it takes several passes", async () => {
  const count = Math.ceil(1024 / config.numPatches) * 2 + 3;
  for (const dtype of ["fp32", "bf16", "int4"] as const) {
    const model = await IJepaModel.fromPretrained(TINY, { dtype });
    const batch = images(count);
    const { lastHiddenState } = await model.forward({ pixelValues: batch });
    assert.deepEqual(lastHiddenState.dims, [count, config.numPatches, config.hiddenSize]);
    const perImage = config.numPatches * config.hiddenSize;
    for (const index of [0, 1, count - 1]) {
      const single = await model.forward({ pixelValues: imageOf(batch, index) });
      assert.deepEqual(lastHiddenState.data.subarray(index * perImage, (index + 1) * perImage), single.lastHiddenState.data);
    }
    await model.dispose();
  }
});

test("numerics say how the result was made, and the digest is of its bits", async () => {
  const model = await IJepaModel.fromPretrained(TINY, { dtype: "int4" });
  const first = await model.forward({ pixelValues: images(1) });
  const again = await model.forward({ pixelValues: images(1) });
  const other = await model.forward({ pixelValues: new Tensor("float32", new Float32Array(imageLength), [1, ...imageSize]) });
  assert.deepEqual({ ...first.numerics, digest: "" }, { version: "1", dtype: "int4", device: "wasm", digest: "" });
  assert.match(first.numerics.digest, /^[0-9a-f]{64}$/);
  assert.equal(first.numerics.digest, again.numerics.digest);
  assert.notEqual(first.numerics.digest, other.numerics.digest);
});

test("hidden states: the embedding and each layer, before the final norm", async () => {
  const model = await IJepaModel.fromPretrained(TINY, { dtype: "fp32" });
  const golden = await readTensors(`${TINY}/cases/plain.safetensors`);
  const pixels = golden.get("in.pixel_values")!;
  const { hiddenStates } = await model.forward({ pixelValues: new Tensor("float32", pixels.data, pixels.dims) }, { outputHiddenStates: true });
  assert.equal(hiddenStates!.length, config.numHiddenLayers + 1);
  for (const [i, { data, dims }] of hiddenStates!.entries()) {
    const expected = golden.get(`f64.hidden_states.${i}`)!;
    assert.deepEqual(dims, expected.dims);
    assert.ok(relativeError(data, expected.data) < 2e-6, `state ${i}`);
  }
  const without = await model.forward({ pixelValues: images(1) });
  assert.equal("hiddenStates" in without, false);
});

test("the pooler's output, with every option of the documentation, is the reference's", async () => {
  const model = await IJepaModel.fromPretrained(TINY, { dtype: "fp32", addPoolingLayer: true, useMaskToken: true });
  const tensor = ({ data, dims }: Golden) => new Tensor("float32", data, dims);
  for (const file of ["plain", "masked", "interpolate-24x56"]) {
    const golden = await readTensors(`${TINY}/cases/${file}.safetensors`);
    const mask = golden.get("in.bool_masked_pos");
    const output = await model.forward({
      pixelValues: tensor(golden.get("in.pixel_values")!),
      boolMaskedPos: mask && new Tensor("bool", Uint8Array.from(mask.data), mask.dims),
      interpolatePosEncoding: file.startsWith("interpolate"),
    });
    for (const [got, name] of [[output.poolerOutput!, "pooler_output"], [output.lastHiddenState, "last_hidden_state"]] as const) {
      const truth = golden.get(`f64.${name}`)!;
      assert.deepEqual(got.dims, truth.dims);
      assert.ok(relativeError(got.data, truth.data) < 2e-5, `${file} ${name}`);
    }
  }
  assert.equal("poolerOutput" in (await (await IJepaModel.fromPretrained(TINY)).forward({ pixelValues: images(1) })), false);
});

test("masks that cannot be are refused", async () => {
  const model = await IJepaModel.fromPretrained(TINY, { useMaskToken: true });
  const bool = (...dims: number[]) => new Tensor("bool", new Uint8Array(dims.reduce((a, b) => a * b)), dims);
  const forward = (boolMaskedPos: Tensor) => model.forward({ pixelValues: images(2), boolMaskedPos });
  await assert.rejects(forward(bool(2, config.numPatches - 1)), (error) => isIJepaError(error, "input/shape"));
  await assert.rejects(forward(bool(1, config.numPatches)), (error) => isIJepaError(error, "input/shape"));
  await assert.rejects(forward(new Tensor("int32", new Int32Array(2 * config.numPatches).fill(2), [2, config.numPatches])), (error) => isIJepaError(error, "input/value"));
  await assert.rejects(forward(new Tensor("float32", new Float32Array(2 * config.numPatches), [2, config.numPatches])), TypeError);
  const without = await IJepaModel.fromPretrained(TINY);
  await assert.rejects(without.forward({ pixelValues: images(1), boolMaskedPos: bool(1, config.numPatches) }), (error) => isIJepaError(error, "input/missing"));
});

test("calls on one model wait for each other and keep their results apart", async () => {
  const model = await IJepaModel.fromPretrained(TINY);
  const batch = images(3);
  const together = await Promise.all([0, 1, 2].map((i) => model.forward({ pixelValues: imageOf(batch, i) })));
  const digests = new Set(together.map(({ numerics }) => numerics.digest));
  assert.equal(digests.size, 3);
  for (const [i, { numerics }] of together.entries()) {
    assert.equal((await model.forward({ pixelValues: imageOf(batch, i) })).numerics.digest, numerics.digest);
  }
});

test("progress: initiate, every part once, ready", async () => {
  const seen: ProgressInfo[] = [];
  await IJepaModel.fromPretrained(TINY, { progress_callback: (info) => seen.push(info) });
  assert.deepEqual([seen[0].status, seen.at(-1)!.status], ["initiate", "ready"]);
  const parts = seen.filter((info) => info.status === "progress");
  assert.equal(parts.length, config.numHiddenLayers + 2);
  assert.deepEqual(parts.map((info) => info.loaded), parts.map((_, i) => i + 1));
  assert.equal(parts.at(-1)!.progress, 100);
});

test("an aborted signal stops loading, waiting and running; the model works afterwards", async () => {
  await assert.rejects(IJepaModel.fromPretrained(TINY, { signal: AbortSignal.abort() }), (error) => isIJepaError(error, "aborted"));
  const during = new AbortController();
  const loading = IJepaModel.fromPretrained(TINY, { signal: during.signal, progress_callback: ({ loaded }) => loaded === 1 && during.abort() });
  await assert.rejects(loading, (error) => isIJepaError(error, "aborted"));

  const model = await IJepaModel.fromPretrained(TINY);
  const expected = (await model.forward({ pixelValues: images(1) })).numerics.digest;
  const controller = new AbortController();
  const many = model.forward({ pixelValues: images(500) }, { signal: controller.signal });
  const waiting = model.forward({ pixelValues: images(1) }, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 1);
  await assert.rejects(many, (error) => isIJepaError(error, "aborted") && (error.cause as Error).message === "enough");
  await assert.rejects(waiting, (error) => isIJepaError(error, "aborted"));
  assert.equal((await model.forward({ pixelValues: images(1) })).numerics.digest, expected);
});

test("pixel values that cannot be are refused before anything runs", async () => {
  const model = await IJepaModel.fromPretrained(TINY);
  const [channels, height, width] = imageSize;
  const zeros = (...dims: number[]) => new Tensor("float32", new Float32Array(dims.reduce((a, b) => a * b)), dims);
  const refused = (inputs: unknown, code: string, message: RegExp) =>
    assert.rejects(model.forward(inputs as Parameters<typeof model.forward>[0]), (error) => isIJepaError(error) && error.code === code && message.test(error.message));
  await refused({}, "input/missing", /You have to specify pixelValues/);
  await refused(undefined, "input/missing", /pixelValues/);
  await refused({ pixelValues: zeros(channels, height, width) }, "input/shape", /pixelValues must be/);
  await refused({ pixelValues: zeros(0, channels, height, width) }, "input/shape", /pixelValues must be/);
  await refused({ pixelValues: zeros(1, channels + 1, height, width) }, "input/shape", /channel dimension .* Expected 3 but got 4/);
  await refused({ pixelValues: zeros(1, channels, height + 1, width) }, "input/shape", /Input image size \(\d+\*\d+\) doesn't match model/);
  const spoiled = images(1);
  spoiled.data[17] = NaN;
  await refused({ pixelValues: spoiled }, "input/value", /NaN at index 17/);
  spoiled.data[17] = Infinity;
  await refused({ pixelValues: spoiled }, "input/value", /Infinity at index 17/);
  await assert.rejects(model.forward({ pixelValues: [1, 2, 3] as unknown as Tensor<"float32"> }), TypeError);
});

test("options that cannot be are refused", async () => {
  const load = (options: object) => IJepaModel.fromPretrained(TINY, options);
  await assert.rejects(load({ dtype: "int3" }), TypeError);
  await assert.rejects(load({ device: "npu" }), TypeError);
  await assert.rejects(load({ threads: 0 }), TypeError);
  await assert.rejects(load({ threads: 1.5 }), TypeError);
});

test("a disposed model says so; disposing twice is fine", async () => {
  const model = await IJepaModel.fromPretrained(TINY, { threads: 2 });
  const last = model.forward({ pixelValues: images(2) });
  await model.dispose();
  assert.ok((await last).lastHiddenState.data.some((v) => v !== 0), "the call under way ended first");
  await model.dispose();
  await assert.rejects(model.forward({ pixelValues: images(1) }), /disposed/);
});
