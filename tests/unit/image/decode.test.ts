/** `decodeImage`: Pillow's pixels for every golden file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateRawSync, deflateSync } from "node:zlib";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { sha256 } from "../../support/sha256.js";
import { concat, fails, png, readBytes, readJson } from "./helpers.js";
import type { DecodedGolden } from "./helpers.js";

const REFUSED = ["gif.gif", "bmp.bmp"];

async function checkDecoded(path: string, golden: DecodedGolden): Promise<void> {
  const image = await decodeImage(readBytes(path), { source: path });
  assert.deepEqual([image.width, image.height, image.channels], [golden.width, golden.height, 3], path);
  assert.equal(image.data.length, golden.width * golden.height * 3, path);
  assert.equal(sha256(image.data), golden.rgb_sha256, path);
}

test("every file decodes to Pillow's pixels", async () => {
  const { files } = readJson<{ files: Record<string, DecodedGolden> }>("images.json");
  for (const [name, golden] of Object.entries(files)) {
    if (REFUSED.includes(name)) await fails(() => decodeImage(readBytes(`files/${name}`)), "image/unsupported");
    else await checkDecoded(`files/${name}`, golden);
  }
  assert.equal(Object.keys(files).length, 35);
});

test("rare PNG, JPEG and WebP files decode to Pillow's pixels", async () => {
  const files = readJson<Record<string, DecodedGolden>>("extra.json");
  for (const [name, golden] of Object.entries(files)) await checkDecoded(`extra/${name}`, golden);
  assert.equal(Object.keys(files).length, 58);
});

test("a view into a larger buffer decodes as the file alone", async () => {
  for (const name of ["jpeg-420.jpg", "png-palette.png", "webp-lossy.webp"]) {
    const file = readBytes(`files/${name}`);
    const view = concat(new Uint8Array(5).fill(0xff), file, new Uint8Array(3)).subarray(5, 5 + file.length);
    assert.equal(sha256((await decodeImage(view)).data), sha256((await decodeImage(file)).data), name);
  }
});

test("the codecs leave no global behind, and put back one that was there", async () => {
  const own = Object.getOwnPropertyNames(globalThis);
  await decodeImage(readBytes("files/jpeg-1x1.jpg"));
  await decodeImage(readBytes("files/webp-lossy.webp"));
  assert.deepEqual(Object.getOwnPropertyNames(globalThis), own);

  class HostImageData {}
  Object.defineProperty(globalThis, "ImageData", { value: HostImageData, configurable: true, writable: false });
  try {
    await decodeImage(readBytes("files/jpeg-1x1.jpg"));
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, "ImageData");
    assert.deepEqual([descriptor?.value, descriptor?.writable], [HostImageData, false]);
  } finally {
    Reflect.deleteProperty(globalThis, "ImageData");
  }
});

test("images decoded at the same time do not disturb each other", async () => {
  const { files } = readJson<{ files: Record<string, DecodedGolden> }>("images.json");
  const names = ["jpeg-420.jpg", "jpeg-exif6.jpg", "webp-lossy.webp", "webp-alpha.webp", "png-rgba.png"];
  const good = names.map((name) => decodeImage(readBytes(`files/${name}`)));
  const bad = fails(() => decodeImage(readBytes("files/jpeg-420.jpg").fill(0x17, 160, 170)), "image/corrupt");
  for (const [i, image] of (await Promise.all(good)).entries()) {
    assert.equal(sha256(image.data), files[names[i]].rgb_sha256, names[i]);
  }
  await bad;
});

test("a PNG that would inflate to gigabytes gives its one pixel", async () => {
  const mebibyteOfZeros = deflateRawSync(new Uint8Array(2 ** 20), { finishFlush: constants.Z_FULL_FLUSH });
  const zlib = concat(Uint8Array.of(0x78, 0x9c), ...new Array<Uint8Array>(6000).fill(mebibyteOfZeros));
  const image = await decodeImage(png(1, 1, 8, 0, zlib));
  assert.deepEqual([...image.data], [0, 0, 0]);
});

test("a PNG whose pixels are complete needs no checksum after them", async () => {
  const zlib = deflateSync(Uint8Array.of(0, 7));
  assert.deepEqual([...(await decodeImage(png(1, 1, 8, 0, zlib.subarray(0, -4)))).data], [7, 7, 7]);
});

test("the pixel limit is the caller's to set", async () => {
  const file = readBytes("files/jpeg-420.jpg");
  const exact = 151 * 101;
  assert.equal((await decodeImage(file, { maxPixels: exact })).width, 151);
  assert.equal((await decodeImage(file, { maxPixels: Infinity })).width, 151);
  const tooMany = () => decodeImage(file, { maxPixels: exact - 1, source: "cat.jpg" });
  await fails(tooMany, "image/too-large", /cat\.jpg has 151 x 101 pixels.*15250/);
  await fails(() => decodeImage(file, { maxPixels: 0 }), "input/value", /maxPixels/);
  await fails(() => decodeImage(file, { maxPixels: Number.NaN }), "input/value", /maxPixels/);
});

test("something that is no byte array is a TypeError", async () => {
  await assert.rejects(() => decodeImage("cat.jpg" as unknown as Uint8Array), TypeError);
  await assert.rejects(() => decodeImage(undefined as unknown as Uint8Array), TypeError);
});
