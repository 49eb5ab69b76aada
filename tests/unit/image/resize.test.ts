/** Resizing: Pillow's bytes, by plain loops and by the kernels. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import type { RawImage } from "../../../ts-api/src/image/raw-image.js";
import { resize } from "../../../ts-api/src/image/resize.js";
import type { Resample } from "../../../ts-api/src/image/resize.js";
import { axisTable } from "../../../ts-api/src/image/resample-table.js";
import { openedResizer, openResizer, Resizer } from "../../../ts-api/src/image/resizer.js";
import { runtime } from "../../../ts-api/src/runtime/node.js";
import { xoshiro128 } from "../../../ts-api/src/weights/random-numbers.js";
import { sha256 } from "../../support/sha256.js";
import { fails, readBytes, readJson } from "./helpers.js";

/** The bytes that make_extra.py makes, too. */
function noise(width: number, height: number, channels: number): RawImage {
  const data = new Uint8Array(width * height * channels);
  let state = width * 1000 + height;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 69069) + 1) >>> 0;
    data[i] = state >>> 24;
  }
  return { data, width, height, channels };
}

type ResizeCase = [
  channels: number,
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
  resample: Resample,
  digest: string,
];

test("the plain loops resize noise of all sizes to Pillow's bytes by all six filters", () => {
  assert.equal(openedResizer(), undefined);
  checkNoise();
});

test("the kernels do so too", async () => {
  await openResizer();
  assert.ok(openedResizer() !== undefined);
  checkNoise();
});

function checkNoise(): void {
  const cases = readJson<ResizeCase[]>("resize.json");
  for (const [channels, width, height, toWidth, toHeight, resample, digest] of cases) {
    const out = resize(noise(width, height, channels), toWidth, toHeight, resample);
    assert.deepEqual([out.width, out.height, out.channels], [toWidth, toHeight, channels]);
    const name = `${width} x ${height} x ${channels} to ${toWidth} x ${toHeight}, resample ${resample}`;
    assert.equal(sha256(out.data).slice(0, 16), digest, name);
  }
  assert.equal(cases.length, 2 * 7 * 6 * 6);
}

/** Sizes around the kernels' vectors, groups of taps and bands, and the sums that are clamped or come near 2^31. */
test("kernels and plain loops give the same bytes, whatever the sizes and values", async () => {
  const words = xoshiro128(7), random = () => words() / 2 ** 32, pick = (most: number) => 1 + Math.floor(random() * most);
  const module = await runtime.wasmModule("resizer"), resizer = new Resizer(module);
  for (let i = 0; i < 300; i++) {
    const [width, height, toWidth, toHeight] = i % 30 === 0 ? [pick(5000), pick(300), pick(40), pick(40)] : [pick(90), pick(90), pick(90), pick(90)];
    const resample = ([1, 2, 3, 4, 5] as const)[i % 5], data = Uint8Array.from({ length: width * height * 3 }, () => (i % 3 === 0 ? random() * 256 : random() < 0.5 ? 0 : 255));
    if (width === toWidth || height === toHeight) continue;
    const across = axisTable(width, toWidth, resample), down = axisTable(height, toHeight, resample);
    const planes = [0, 1, 2].map((c) => resize({ data: data.filter((_, at) => at % 3 === c), width, height, channels: 1 }, toWidth, toHeight, resample).data);
    const expected = Uint8Array.from({ length: toWidth * toHeight * 3 }, (_, at) => planes[at % 3][Math.floor(at / 3)]);
    assert.deepEqual(resizer.resample({ data, width, height }, across, down), expected, `${width} x ${height} to ${toWidth} x ${toHeight}, resample ${resample}`);
  }
});

interface ProcessorCase {
  case: string;
  file: string;
  processor: { do_resize?: boolean; size?: { width: number; height: number }; resample?: Resample };
  resized_sha256: string;
}

test("photos are resized to the bytes of the reference", async () => {
  const { cases } = readJson<{ cases: ProcessorCase[] }>("images.json");
  for (const { case: name, file, processor, resized_sha256 } of cases) {
    const image = await decodeImage(readBytes(`files/${file}`));
    const { width, height } = processor.do_resize === false ? image : (processor.size ?? { width: 224, height: 224 });
    assert.equal(sha256(resize(image, width, height, processor.resample ?? 2).data), resized_sha256, name);
  }
  assert.equal(cases.length, 17);
});

test("channels do not mix: RGBA is resized as four grey images", () => {
  const rgba = noise(31, 17, 4);
  for (const resample of [0, 1, 2] as const) {
    const out = resize(rgba, 12, 40, resample);
    for (let c = 0; c < 4; c++) {
      const plane = (image: RawImage) => Uint8Array.from({ length: image.width * image.height }, (_, i) => image.data[i * 4 + c]);
      const alone = resize({ ...rgba, data: plane(rgba), channels: 1 }, 12, 40, resample);
      assert.deepEqual(plane(out), alone.data);
    }
  }
});

test("the input is left as it was, also when the size stays", () => {
  const image = noise(8, 8, 3);
  const before = image.data.slice();
  const same = resize(image, 8, 8, 2);
  assert.deepEqual(same.data, before);
  same.data.fill(0);
  resize(image, 3, 5, 1).data.fill(0);
  assert.deepEqual(image.data, before);
});

test("a clamped array gives the same bytes", () => {
  const image = noise(20, 10, 3);
  const clamped = { ...image, data: new Uint8ClampedArray(image.data) };
  assert.deepEqual([...resize(clamped, 7, 7, 3).data], [...resize(image, 7, 7, 3).data]);
});

test("wrong sizes, filters and images are refused", async () => {
  const image = noise(4, 4, 3);
  for (const size of [0, -1, 2.5, Number.NaN, Infinity]) {
    await fails(() => resize(image, size, 4, 2), "input/value", /width/);
    await fails(() => resize(image, 4, size, 2), "input/value", /height/);
  }
  for (const filter of [6, -1, 1.5, "bilinear"]) {
    await fails(() => resize(image, 2, 2, filter as Resample), "input/value", /resample must be one of/);
  }
  await fails(() => resize({ ...image, width: 5 }, 2, 2, 2), "input/shape", /needs 60 bytes, but has 48/);
  await fails(() => resize({ ...image, data: new Uint8Array(0), width: 0 }, 2, 2, 2), "image/empty");
  await fails(() => resize({ ...image, channels: 5 }, 2, 2, 2), "input/value", /5 channels/);
  assert.throws(() => resize({ ...image, data: [1, 2, 3] as unknown as Uint8Array }, 2, 2, 2), TypeError);
  assert.throws(() => resize(null as unknown as RawImage, 2, 2, 2), TypeError);
});
