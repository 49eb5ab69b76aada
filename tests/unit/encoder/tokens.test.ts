/** Which tokens are encoded (keepPatches) and which are attended to (attentionMask): against double precision, and bit for bit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IJepaForImageClassification, IJepaModel, isIJepaError, Tensor, type ModelInputs } from "../../../ts-api/src/index.js";
import { DTYPES } from "../../../ts-api/src/core/numerics.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { encodeDouble, type DoubleOptions } from "../../support/encoder-f64.js";
import { MODELS, pixelsOf, readTensors, relativeError } from "../../support/models.js";
import { gaussArray } from "../../support/random.js";

const TINY = `${MODELS}/tiny`;
/** Norm of the difference over norm, as for the goldens. */
const FP32_BOUND = 2e-5;
const checkpoint = await openCheckpoint(TINY);
const { numPatches, hiddenSize, numChannels, imageHeight, imageWidth } = checkpoint.config;
const model = await IJepaModel.fromPretrained(TINY, { dtype: "fp32", useMaskToken: true });
const all = Array.from({ length: numPatches }, (_, i) => i);
const MASK = all.map((i) => (i === 0 || i % 5 === 2 ? 0 : 1));
const KEEP = [3, 15, 0, 7, 8, 4];

function images(count: number): Tensor<"float32"> {
  const dims = [count, numChannels, imageHeight, imageWidth];
  return new Tensor("float32", gaussArray("tokens", count * numChannels * imageHeight * imageWidth), dims);
}

const bits = (...rows: number[][]) => new Tensor("bool", Uint8Array.from(rows.flat()), [rows.length, rows[0].length]);
const numbers = (...rows: number[][]) => new Tensor("int32", Int32Array.from(rows.flat()), [rows.length, rows[0].length]);
const forward = (inputs: Omit<ModelInputs, "pixelValues">, count = 1) => model.forward({ pixelValues: images(count), ...inputs });

async function truth(options: DoubleOptions): Promise<Float32Array> {
  return Float32Array.from((await encodeDouble(checkpoint, pixelsOf(images(1)), options)).flat());
}

test("the encoder in double precision is the reference's", async () => {
  const golden = await readTensors(`${TINY}/cases/plain.safetensors`);
  const result = (await encodeDouble(checkpoint, pixelsOf(golden.get("in.pixel_values")!))).flat();
  // Its softmax is in f32 even there.
  assert.ok(relativeError(Float32Array.from(result), golden.get("f64.last_hidden_state")!.data.subarray(0, result.length)) < 1e-6);
});

for (const [name, options] of Object.entries<DoubleOptions>({
  "an attention mask": { attentionMask: MASK },
  "a mask over everything, which leaves all alike": { attentionMask: all.map(() => 0) },
  "some patches": { keep: KEEP },
  "one patch": { keep: [9] },
  "some patches and a mask of them": { keep: KEEP, attentionMask: [1, 0, 1, 1, 0, 1] },
})) {
  test(`${name}: as in double precision`, async () => {
    const { keep, attentionMask } = options;
    const { lastHiddenState } = await forward({
      keepPatches: keep && numbers([...keep]),
      attentionMask: attentionMask && bits([...attentionMask]),
    });
    assert.deepEqual(lastHiddenState.dims, [1, (keep ?? all).length, hiddenSize]);
    const error = relativeError(lastHiddenState.data, await truth(options));
    assert.ok(error < FP32_BOUND, `relative error ${error}`);
    const plain = keep === undefined ? (await forward({})).lastHiddenState.data : undefined;
    if (plain !== undefined) assert.ok(relativeError(lastHiddenState.data, plain) > 0.01, "the mask changed something");
  });
}

test("all patches, and a mask of ones, change no bit", async () => {
  for (const dtype of DTYPES) {
    const other = await IJepaModel.fromPretrained(TINY, { dtype });
    const expected = await other.forward({ pixelValues: images(3) }, { outputHiddenStates: true });
    for (const inputs of [{ keepPatches: numbers(all, all, all) }, { attentionMask: bits(...[all, all, all].map((row) => row.map(() => 1))) }]) {
      const { lastHiddenState, hiddenStates } = await other.forward({ pixelValues: images(3), ...inputs }, { outputHiddenStates: true });
      assert.deepEqual([lastHiddenState, hiddenStates], [expected.lastHiddenState, expected.hiddenStates]);
    }
    await other.dispose();
  }
});

test("a padded place that nobody attends to leaves the others' bits as they are", async () => {
  const plain = await forward({ keepPatches: numbers(KEEP) });
  const padded = await forward({ keepPatches: numbers([...KEEP, 0, 0]), attentionMask: bits([...KEEP.map(() => 1), 0, 0]) });
  assert.deepEqual(padded.lastHiddenState.data.subarray(0, plain.lastHiddenState.size), plain.lastHiddenState.data);
});

test("each image has its own patches and mask, also over several passes, and with everything else that forward takes", async () => {
  const count = 400, batch = images(count);
  const keep = Array.from({ length: count }, (_, image) => KEEP.map((patch) => (patch + image) % numPatches));
  const mask = keep.map((row, image) => row.map((_, i) => Number((i + image) % 3 !== 0)));
  const tokens = keep.map((row, image) => row.map((_, i) => Number((i + image) % 4 === 1)));
  const headMask = new Tensor("float32", gaussArray("heads", 4), [4]);
  const options = { outputAttentions: true, outputHiddenStates: true };
  const inputs = (pixelValues: Tensor<"float32">, from: number, to: number) => ({
    pixelValues, headMask, keepPatches: numbers(...keep.slice(from, to)), attentionMask: bits(...mask.slice(from, to)), boolMaskedPos: bits(...tokens.slice(from, to)),
  });
  const together = await model.forward(inputs(batch, 0, count), options);
  const length = batch.size / count;
  for (const i of [0, 1, count - 1]) {
    const single = new Tensor("float32", batch.data.subarray(i * length, (i + 1) * length), [1, ...batch.dims.slice(1)]);
    const alone = await model.forward(inputs(single, i, i + 1), options);
    const of = (tensor: Tensor<"float32">) => tensor.data.subarray((i * tensor.size) / count, ((i + 1) * tensor.size) / count);
    assert.deepEqual(of(together.lastHiddenState), alone.lastHiddenState.data);
    assert.deepEqual(together.attentions!.map(of), alone.attentions!.map(({ data }) => data));
    assert.deepEqual(together.hiddenStates!.map(of), alone.hiddenStates!.map(({ data }) => data));
    for (const map of alone.attentions!) mask[i].forEach((bit, j) => bit === 0 && assert.equal(map.data[j], 0, "a masked key has probability 0"));
  }
});

test("kept patches of an image of another size have the interpolated positions of its own grid", async () => {
  const dims = [1, numChannels, 48, imageWidth], pixelValues = new Tensor("float32", gaussArray("tall", numChannels * 48 * imageWidth), dims);
  const whole = await model.forward({ pixelValues, interpolatePosEncoding: true }, { outputHiddenStates: true });
  const kept = await model.forward({ pixelValues, interpolatePosEncoding: true, keepPatches: numbers([23, 5]) }, { outputHiddenStates: true });
  const row = (patch: number) => whole.hiddenStates![0].data.slice(patch * hiddenSize, (patch + 1) * hiddenSize);
  assert.deepEqual(kept.hiddenStates![0].data, Float32Array.from([...row(23), ...row(5)]));
});

test("the classifier takes both, and means over the tokens that were encoded", async () => {
  const classifier = await IJepaForImageClassification.fromPretrained("tests/goldens/classifiers/classify-single", { dtype: "fp32" });
  const { config } = classifier, size = config.numChannels * config.imageHeight * config.imageWidth;
  const pixelValues = new Tensor("float32", gaussArray("classes", size), [1, config.numChannels, config.imageHeight, config.imageWidth]);
  const every = Array.from({ length: config.numPatches }, (_, i) => i);
  const plain = await classifier.forward({ pixelValues });
  assert.equal((await classifier.forward({ pixelValues, keepPatches: numbers(every) })).numerics.digest, plain.numerics.digest);
  assert.notEqual((await classifier.forward({ pixelValues, keepPatches: numbers([0, 1]) })).numerics.digest, plain.numerics.digest);
  assert.notEqual((await classifier.forward({ pixelValues, attentionMask: bits(every.map((i) => i % 2)) })).numerics.digest, plain.numerics.digest);
});

test("patches and masks that cannot be are refused", async () => {
  const refused = (inputs: Omit<ModelInputs, "pixelValues">, code: string, message: RegExp) =>
    assert.rejects(forward(inputs, 2), (error) => isIJepaError(error) && error.code === code && message.test(error.message));
  await refused({ keepPatches: numbers([0, 1]) }, "input/shape", /keepPatches must be \[2, kept\]/);
  await refused({ keepPatches: numbers([], []) }, "input/shape", /at least one patch/);
  await refused({ keepPatches: new Tensor("int32", new Int32Array(2), [2]) }, "input/shape", /not \[2\]/);
  await refused({ keepPatches: numbers([0, 1], [2, numPatches]) }, "input/value", /holds 16 at index 3; patches go from 0 to 15/);
  await refused({ keepPatches: numbers([0, -1], [2, 3]) }, "input/value", /holds -1/);
  await refused({ attentionMask: bits(MASK) }, "input/shape", /attentionMask must be \[2, 16\]/);
  await refused({ attentionMask: bits(MASK, MASK), keepPatches: numbers([1], [2]) }, "input/shape", /attentionMask must be \[2, 1\]/);
  await refused({ attentionMask: numbers(MASK, MASK.map(() => 2)) }, "input/value", /attentionMask holds 2 at index 16/);
  await assert.rejects(forward({ keepPatches: bits([1]) as unknown as Tensor<"int32"> }), TypeError);
  await assert.rejects(forward({ attentionMask: images(1) }), TypeError);
});
