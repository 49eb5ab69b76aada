/** `tokenSimilarity` and `attentionRollout`, beside results by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attentionRollout, IJepaModel, isIJepaError, Tensor, tokenSimilarity } from "../../../ts-api/src/index.js";
import { MODELS, readTensors } from "../../support/models.js";

const f32 = (values: number[], ...dims: number[]) => new Tensor("float32", Float32Array.from(values), dims);
const code = (expected: string) => (error: unknown) => isIJepaError(error) && error.code === expected;

test("token similarity: itself, parallel, orthogonal, opposite, zero; image by image", () => {
  const hidden = f32([1, 2, 2, 4, -2, 1, -1, -2, 0, 0, /* second image */ 3, 4, 4, 3, 0, 5, 1, 0, -3, -4], 2, 5, 2);
  const { dims, data } = tokenSimilarity(hidden, 0);
  assert.deepEqual(dims, [2, 5]);
  assert.deepEqual([...data], [1, 1, 0, -1, 0, 1, 0.96, 0.8, 0.6, -1].map(Math.fround));
  assert.deepEqual([...tokenSimilarity(hidden, 4).data.subarray(0, 5)], [0, 0, 0, 0, 0]);
});

test("rollout by hand: one layer, and two", () => {
  const first = f32([1, 0, 0.5, 0.5, /* head 2 */ 0, 1, 0.5, 0.5], 1, 2, 2, 2), second = f32([0, 1, 0, 1, /* head 2 */ 0, 1, 0, 1], 1, 2, 2, 2);
  // Heads averaged: [[.5 .5] [.5 .5]]; with the residual: [[.75 .25] [.25 .75]].
  assert.deepEqual([...attentionRollout([first]).data], [0.75, 0.25, 0.25, 0.75]);
  // [[.5 .5] [0 1]] times the first.
  assert.deepEqual([...attentionRollout([first, second]).data], [0.5, 0.5, 0.25, 0.75]);
});

test("rows of a model's rollout sum to 1, also under a head mask; images keep to themselves", async () => {
  const model = await IJepaModel.fromPretrained(`${MODELS}/tiny`, { dtype: "fp32" });
  const { data, dims } = (await readTensors(`${MODELS}/tiny/cases/plain.safetensors`)).get("in.pixel_values")!;
  const run = (pixelValues: Tensor<"float32">) => model.forward({ pixelValues, headMask: f32([1, 0.5, 0, 1], 4) }, { outputAttentions: true });
  const rollout = attentionRollout((await run(new Tensor("float32", data, dims))).attentions!), [images, tokens] = rollout.dims;
  assert.deepEqual(rollout.dims, [dims[0], 16, 16]);
  for (let row = 0; row < images * tokens; row++) {
    const sum = rollout.data.subarray(row * tokens, (row + 1) * tokens).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - 1) < 1e-6, `row ${row}: ${sum}`);
  }
  const last = data.subarray(data.length - data.length / images);
  const alone = attentionRollout((await run(new Tensor("float32", last, [1, ...dims.slice(1)]))).attentions!);
  assert.deepEqual(alone.data, rollout.data.subarray(rollout.size - alone.size));
});

test("what cannot be is refused", () => {
  assert.throws(() => tokenSimilarity(f32([1, 2], 1, 2), 0), code("input/shape"));
  for (const token of [-1, 2, 0.5, NaN]) assert.throws(() => tokenSimilarity(f32([1, 2], 1, 2, 1), token), code("input/value"));
  assert.throws(() => attentionRollout([]), code("input/missing"));
  assert.throws(() => attentionRollout([f32([1, 2], 1, 1, 1, 2)]), code("input/shape"));
  assert.throws(() => attentionRollout([f32([1], 1, 1, 1, 1), f32([1, 0, 0, 1], 1, 1, 2, 2)]), code("input/shape"));
});
