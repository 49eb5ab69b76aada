/** Finer patches of the demo model: how like they are to patches as trained, and to crops of their own. The figures are those of docs/page.md. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { IJepaImageProcessor, IJepaModel, loadImage, Tensor } from "../../ts-api/src/index.js";
import { DEMO_MODEL } from "../support/models.js";

const PHOTOS = ["chelsea.png", "rocket.jpg"];
const model = await IJepaModel.fromPretrained(DEMO_MODEL), processor = await IJepaImageProcessor.fromPretrained(DEMO_MODEL);
const { gridWidth: GRID, imageWidth: SIDE } = model.config;

/** The features of the patches of a square grid, row by row. */
type Features = Float64Array[];

/** @param pixels [3, side, side] */
async function encode(pixels: Float32Array, side: number): Promise<Features> {
  const { lastHiddenState: { data, dims: [, tokens, width] } } = await model.forward({ pixelValues: new Tensor("float32", pixels, [1, 3, side, side]), interpolatePosEncoding: side !== SIDE });
  return Array.from({ length: tokens }, (_, token) => Float64Array.from(data.subarray(token * width, (token + 1) * width)));
}

/** The square of the model's own size in this column and row of a picture. */
function crop(pixels: Float32Array, side: number, column: number, row: number): Float32Array {
  return Float32Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
    const x = i % SIDE, y = Math.floor(i / SIDE) % SIDE, channel = Math.floor(i / (SIDE * SIDE));
    return pixels[(channel * side + row * SIDE + y) * side + column * SIDE + x];
  });
}

/** One photo cut into times x times crops, each encoded alone, with positions as trained. */
async function encodeCrops(pixels: Float32Array, times: number): Promise<Features> {
  const all: Features = [];
  for (let row = 0; row < times; row++) {
    for (let column = 0; column < times; column++) {
      const features = await encode(crop(pixels, times * SIDE, column, row), SIDE);
      features.forEach((feature, i) => (all[(row * GRID + Math.floor(i / GRID)) * times * GRID + column * GRID + (i % GRID)] = feature));
    }
  }
  return all;
}

const meanOf = (features: Features) => features[0].map((_, i) => features.reduce((sum, feature) => sum + feature[i], 0) / features.length);

/** The means of squares of times x times patches. */
function averaged(features: Features, times: number): Features {
  return Array.from({ length: GRID * GRID }, (_, i) => {
    const first = Math.floor(i / GRID) * times * GRID * times + (i % GRID) * times;
    return meanOf(Array.from({ length: times * times }, (__, j) => features[first + Math.floor(j / times) * times * GRID + (j % times)]));
  });
}

/** The mean cosine of patches of the same place, each set without its mean. */
function likeness(a: Features, b: Features): number {
  const [left, right] = [a, b].map((features) => {
    const mean = meanOf(features);
    return features.map((feature) => feature.map((value, i) => value - mean[i]));
  });
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return left.reduce((sum, feature, i) => sum + dot(feature, right[i]) / Math.sqrt(dot(feature, feature) * dot(right[i], right[i])), 0) / left.length;
}

test("finer patches are as like to patches as trained, and to crops, as docs/page.md says", async (t) => {
  const page = readFileSync("docs/page.md", "utf8");
  for (const [times, words] of [[2, "twice as fine"], [4, "four times as fine"]] as const) {
    const side = times * SIDE, coarse: string[] = [], cropped: string[] = [];
    for (const photo of PHOTOS) {
      const image = await loadImage(`examples/photos/${photo}`), finer = processor.preprocess(image, { size: { height: side, width: side } }).pixelValues.data;
      const features = await encode(finer, side), asTrained = await encode(processor.preprocess(image).pixelValues.data, SIDE);
      coarse.push(likeness(averaged(features, times), asTrained).toFixed(2));
      cropped.push(likeness(features, await encodeCrops(finer, times)).toFixed(2));
    }
    const row = `| ${words} | ${coarse.join(", ")} | ${cropped.join(", ")} |`;
    t.diagnostic(row);
    assert.ok(page.includes(row), `docs/page.md does not have ${row}`);
  }
});
