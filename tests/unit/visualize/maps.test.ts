/** Maps of similarity, attention and components, and drawing them over a photo. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attentionMap, drawMap, encodePng, isIJepaError, loadImage, pcaMap, similarityMap, Tensor, type RawImage } from "../../../ts-api/src/index.js";

const floats = (values: number[], dims: number[]) => new Tensor("float32", Float32Array.from(values), dims);
/** Two rows of three patches, two numbers each. */
const features = floats([1, 0, 0, 1, 1, 0, -1, 0, 1, 1, 0, 1], [1, 6, 2]);

function wrong(work: () => unknown, code: "input/shape" | "input/value", text: RegExp): void {
  assert.throws(work, (error) => isIJepaError(error, code) && text.test(error.message));
}

test("similarity: cosines from the least (0) to the greatest (255)", () => {
  const { data, width, height, channels } = similarityMap(features, 3, [0, 0]);
  assert.deepEqual([width, height, channels], [3, 2, 1]);
  // Cosines 1, 0, 1, -1, 0.7071, 0.
  assert.deepEqual([...data], [255, 128, 255, 0, 218, 128]);
  assert.deepEqual(similarityMap(new Tensor("float32", features.data, [6, 2]), 3, [0, 0]).data, data);
  assert.deepEqual([...similarityMap(floats([1, 1, 1, 1], [2, 2]), 2, [1, 0]).data], [128, 128]);
});

test("attention: how much each patch is attended to, of one head or all, or what one patch attends to", () => {
  // Two heads, two patches: rows are queries.
  const attention = floats([0.9, 0.1, 0.5, 0.5, 0, 1, 0.25, 0.75], [1, 2, 2, 2]);
  assert.deepEqual([...attentionMap(attention, 2).data], [0, 255]); // 1.65, 2.35
  assert.deepEqual([...attentionMap(attention, 2, { head: 0 }).data], [255, 0]); // 1.4, 0.6
  assert.deepEqual([...attentionMap(attention, 1, { head: 1, patch: [0, 1] }).data], [0, 255]); // 0.25, 0.75
  assert.deepEqual(attentionMap(attention, 1).height, 2);
  wrong(() => attentionMap(attention, 2, { head: 2 }), "input/value", /head must be a whole number from 0 to 1, not 2/);
  wrong(() => attentionMap(floats([1, 2], [1, 1, 2]), 2), "input/shape", /attention must be/);
});

test("what black and white stand for: cosines, and parts of all attention", () => {
  const { least, greatest } = similarityMap(features, 3, [0, 0]);
  assert.deepEqual([least, greatest], [-1, 1]);
  const attention = floats([0.75, 0.25, 0.5, 0.5, 0, 1, 0.25, 0.75], [1, 2, 2, 2]);
  const all = attentionMap(attention, 2), one = attentionMap(attention, 2, { head: 1, patch: [1, 0] });
  assert.deepEqual([all.least, all.greatest, one.least, one.greatest], [0.375, 0.625, 0.25, 0.75]);
});

test("principal components: patches alike have one colour, others another", () => {
  const { data, width, height } = pcaMap(features, 3);
  const colour = (patch: number) => [...data.subarray(patch * 3, patch * 3 + 3)].join();
  assert.deepEqual([width, height, data.length], [3, 2, 18]);
  assert.equal(colour(0), colour(2));
  assert.equal(colour(1), colour(5));
  assert.equal(new Set([0, 1, 3, 4].map(colour)).size, 4);
  assert.deepEqual([...pcaMap(floats([5, 5], [2, 1]), 2).data], new Array(6).fill(128));
});

test("what there is not is refused", () => {
  for (const patch of [[3, 0], [0, 2], [-1, 0], [0.5, 0]] as const) wrong(() => similarityMap(features, 3, patch), "input/value", /column from 0 to 2 and a row from 0 to 1/);
  wrong(() => pcaMap(features, 4), "input/shape", /multiple of 4 tokens/);
  wrong(() => pcaMap(floats([1, 2], [2, 1, 1]), 1), "input/shape", /not \[2, 1, 1\]/);
});

test("drawing: the photo's grey under the map, a frame around the patch, long photos smaller", () => {
  const photo: RawImage = { data: new Uint8Array(40 * 20 * 3).fill(100), width: 40, height: 20, channels: 3 };
  const map: RawImage = { data: Uint8Array.from([255, 0, 255, 0]), width: 4, height: 1, channels: 1 };
  const only = drawMap(photo, map, { opacity: 1 });
  assert.deepEqual([only.width, only.height], [40, 20]);
  assert.deepEqual([...only.data.subarray(0, 3)], [0xfd, 0xe7, 0x25]);
  assert.deepEqual([...drawMap(photo, map, { opacity: 0 }).data], [...photo.data]);
  const framed = drawMap(photo, map, { opacity: 0, patch: [1, 0] });
  const at = (x: number, y: number) => framed.data[(y * 40 + x) * 3];
  assert.deepEqual([at(9, 0), at(10, 0), at(19, 19), at(20, 19), at(10, 10), at(15, 10)], [100, 255, 255, 100, 255, 100]);
  const small = drawMap(photo, map, { maxSide: 10 });
  assert.deepEqual([small.width, small.height], [10, 5]);
  const large = drawMap(photo, map, { side: 80, maxSide: 10 });
  assert.deepEqual([large.width, large.height], [80, 40]);
  for (const options of [{ opacity: 1.1 }, { opacity: NaN }, { maxSide: 0 }, { side: 0 }, { side: 20000 }, { patch: [4, 0] as const }]) assert.throws(() => drawMap(photo, map, options), (error) => isIJepaError(error, "input/value"));
});

test("PNG: what is written is read again, whatever the channels", async () => {
  for (const channels of [1, 2, 3, 4]) {
    const data = Uint8Array.from({ length: 13 * 7 * channels }, (_, i) => (i * i * 31 + (i >> 3)) & 255);
    const read = await loadImage(await encodePng({ data, width: 13, height: 7, channels }));
    assert.deepEqual([read.width, read.height, read.channels], [13, 7, 3]);
    const colours = channels < 3 ? 1 : 3;
    for (let pixel = 0; pixel < 13 * 7; pixel++) {
      for (let c = 0; c < 3; c++) assert.equal(read.data[pixel * 3 + c], data[pixel * channels + (colours === 1 ? 0 : c)]);
    }
  }
  await assert.rejects(encodePng({ data: new Uint8Array(3), width: 2, height: 1, channels: 3 }), (error) => isIJepaError(error, "input/shape"));
});
