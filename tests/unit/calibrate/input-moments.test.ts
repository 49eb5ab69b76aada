/** Calibration: synthetic and given images, and the measured moments. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { digestOf } from "../../../ts-api/src/core/numerics.js";
import { openOracle } from "../../../ts-api/src/backends/oracle/oracle.js";
import { IJepaConfig } from "../../../ts-api/src/config/config.js";
import { lookedAt, MAX_IMAGES } from "../../../ts-api/src/calibrate/calibration-images.js";
import { PRODUCTS } from "../../../ts-api/src/packing/matrix-reader.js";
import { MomentSource, type LayerMoments, type MomentOptions } from "../../../ts-api/src/calibrate/input-moments.js";
import { packParts, type TensorReader } from "../../../ts-api/src/loading/pack-checkpoint.js";
import { drawPatches, syntheticImages } from "../../../ts-api/src/calibrate/synthetic-images.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { encodeOn, MODELS, pixelsOf, readTensors } from "../../support/models.js";

const TINY = `${MODELS}/tiny`;
const checkpoint = await openCheckpoint(TINY);
const tensors = new Map<string, Float32Array>();
for (const name of checkpoint.tensors.keys()) tensors.set(name, await checkpoint.tensor(name));
await checkpoint.close();
const { config } = checkpoint;
const golden = await readTensors(`${TINY}/cases/plain.safetensors`);
const images = pixelsOf(golden.get("in.pixel_values")!);

function reader(): { read: TensorReader; reads: Map<string, number> } {
  const reads = new Map<string, number>();
  const read: TensorReader = async (name) => {
    reads.set(name, (reads.get(name) ?? 0) + 1);
    return tensors.get(name)!;
  };
  return { read, reads };
}

function source(options: MomentOptions = {}, read = reader().read): MomentSource {
  const { layers, embedding, positions, layer } = packParts(config, "bf16", read);
  return new MomentSource(config, { layers, embedding, positions, norms: layer, matrix: async (index, product) => (await layer(index))[product] }, options);
}

test("synthetic images are the same everywhere, with mean about 0 and variance about 1", async () => {
  const { data, images: count, height, width } = syntheticImages(IJepaConfig.fromJSON({ ...config.toJSON(), image_size: 128, patch_size: 16 }));
  assert.deepEqual([count, height, width], [4, 128, 128]);
  const mean = data.reduce((sum, v) => sum + v, 0) / data.length, square = data.reduce((sum, v) => sum + v * v, 0) / data.length;
  assert.ok(Math.abs(mean) < 0.5, `mean ${mean}`);
  assert.ok(square > 0.5 && square < 2, `mean square ${square}`);
  assert.equal(await digestOf(data), "167b067978b6fd2bbefd94cd0ebc1827ee4490ecb846d67d61f4821e3615b60e");
});

test("patches are drawn without repeats, each image its own", () => {
  const drawn = drawPatches(196, 4, 32), rows = Array.from({ length: 4 }, (_, i) => [...drawn.subarray(i * 32, (i + 1) * 32)]);
  for (const row of rows) {
    assert.equal(new Set(row).size, 32);
    assert.ok(row.every((patch) => patch >= 0 && patch < 196));
  }
  assert.equal(new Set(rows.map(String)).size, 4);
});

test("the moments of given images are those of the inputs of each matrix", async () => {
  const { hiddenStates } = await encodeOn(openOracle(), TINY, "bf16", golden.get("in.pixel_values")!, { outputHiddenStates: true });
  const gamma = tensors.get("encoder.layer.1.layernorm_before.weight")!, beta = tensors.get("encoder.layer.1.layernorm_before.bias")!;
  const hidden = hiddenStates![1], cols = config.hiddenSize, rows = hidden.length / cols;
  const mean = new Float64Array(cols), square = new Float64Array(cols);
  for (let r = 0; r < rows; r++) {
    const row = hidden.subarray(r * cols, (r + 1) * cols), middle = row.reduce((a, b) => a + b, 0) / cols;
    const variance = row.reduce((sum, v) => sum + (v - middle) ** 2, 0) / cols;
    row.forEach((v, k) => {
      const normed = ((v - middle) / Math.sqrt(variance + config.layerNormEps)) * gamma[k] + beta[k];
      mean[k] += normed / rows;
      square[k] += (normed * normed) / rows;
    });
  }
  const { qkv } = await source({ images }).layer(1);
  for (let k = 0; k < cols; k++) {
    const size = Math.sqrt(square[k]) + 0.01;
    assert.ok(Math.abs(qkv.mean[k] - mean[k]) < 0.01 * size, `mean ${k}: ${qkv.mean[k]}, expected ${mean[k]}`);
    assert.ok(Math.abs(qkv.variance[k] - (square[k] - mean[k] ** 2)) < 0.03 * size * size, `variance ${k}`);
  }
});

test("many images, in several passes, one at a time: the moments are those of the few that they repeat", async () => {
  const repeats = 15, size = images.data.length, data = new Float32Array(repeats * size);
  for (let i = 0; i < repeats; i++) data.set(images.data, i * size);
  const many = { ...images, data, images: repeats * images.images }, perImage = size / images.images;
  assert.ok(many.images * config.numPatches > 256 && many.images <= MAX_IMAGES && (many.images * config.numPatches) % 256 !== 0);
  const one = (index: number) => ({ ...images, data: data.subarray(index * perImage, (index + 1) * perImage), images: 1 });
  const list = { count: many.images, read: async (index: number) => one(index) };
  const [few, all] = [await source({ images }).layer(1), await source({ images: many }).layer(1)];
  assert.deepEqual(await source({ images: list }).layer(1), all);
  for (const product of PRODUCTS) {
    for (const part of ["mean", "variance"] as const) {
      const scale = few[product].variance.reduce((a, b) => Math.max(a, b)), tolerance = 0.01 * (part === "mean" ? Math.sqrt(scale) : scale);
      few[product][part].forEach((value, k) => assert.ok(Math.abs(all[product][part][k] - value) < tolerance, `${product} ${part} ${k}`));
    }
  }
});

test("of very many images some are looked at, at equal distances", async () => {
  assert.deepEqual(lookedAt(3), [0, 1, 2]);
  const numbers = lookedAt(1000);
  assert.equal(numbers.length, MAX_IMAGES);
  assert.deepEqual([numbers[0], numbers[1], numbers.at(-1)], [0, 31, 968]);
  const read: number[] = [], first = { ...images, data: images.data.subarray(0, images.data.length / images.images), images: 1 };
  await source({ images: { count: 1000, read: async (index) => (read.push(index), first) } }).layer(0);
  assert.deepEqual(read, numbers);
});

test("the same moments on the oracle and the CPU, with any threads, asked in any order", async () => {
  const inOrder = source(), last = config.numHiddenLayers - 1, layers: LayerMoments[] = [];
  for (let i = 0; i <= last; i++) layers.push(await inOrder.layer(i));
  assert.deepEqual(await source().layer(last), layers[last]);
  assert.deepEqual(await source({ threads: 2 }).layer(last), layers[last]);
  const oracle = source({ backend: openOracle() });
  assert.deepEqual(await oracle.layer(last), layers[last]);
  assert.deepEqual(await oracle.layer(0), layers[0]);
  for (const product of PRODUCTS) {
    const { mean, variance } = layers[last][product];
    assert.ok(variance.some((v) => v > 0) && variance.every((v) => v < 1e3) && mean.every((v) => Math.abs(v) < 1e2), product);
  }
});

test("packing in int4 reads every tensor once", async () => {
  const { read, reads } = reader(), parts = packParts(config, "int4", read);
  await parts.embedding();
  await parts.positions();
  for (let i = 0; i < parts.layers; i++) await parts.layer(i);
  await parts.final();
  assert.ok(reads.size > 30);
  assert.deepEqual([...reads].filter(([, count]) => count !== 1), []);
});

test("after a failed read the layer can be asked for again", async () => {
  let failing = true;
  const { read } = reader();
  const parts = packParts(config, "int4", async (name) => {
    if (failing && name.startsWith("encoder.layer.1")) throw new Error("cut");
    return read(name);
  });
  const whole = packParts(config, "int4", read);
  await parts.layer(0);
  await assert.rejects(parts.layer(1), /cut/);
  failing = false;
  await whole.layer(0);
  assert.deepEqual(await parts.layer(1), await whole.layer(1));
});

test("images of another size, or none, are refused", async () => {
  for (const wrong of [{ ...images, width: images.width * 2 }, { ...images, images: 0, data: new Float32Array(0) }]) {
    await assert.rejects(source({ images: wrong }).layer(0), (error) => isIJepaError(error) && error.code === "input/shape");
  }
});
