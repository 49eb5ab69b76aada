/** Files that are not whole, or not right, and that are read nevertheless. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { loadImage } from "../../../ts-api/src/image/source.js";
import { concat, fails, png, pngChunk, readBytes, sha256 } from "./helpers.js";

const jpeg = readBytes("files/jpeg-420.jpg");
const progressive = readBytes("files/jpeg-420-progressive.jpg");
const picture = readBytes("files/png-palette.png");
const pixels = sha256((await decodeImage(picture)).data);
const idat = Buffer.from(picture).indexOf("IDAT", 0, "latin1");
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

function patched(file: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = file.slice();
  copy.set(values, at);
  return copy;
}

const SAME_PIXELS: [name: string, file: Uint8Array, warning: RegExp][] = [
  ["no IEND", picture.subarray(0, -12), /no end marker/],
  ["half of IEND", picture.subarray(0, -2), /end marker is not complete/],
  ["a wrong checksum of IEND", patched(picture, picture.length - 1, 0), /checksum of its end marker/],
  ["zeros for IEND", patched(picture, picture.length - 12, ...new Array<number>(12).fill(0)), /are not a chunk/],
  ["a length of the pixels that leads out of the file", patched(picture, idat - 4, 0x7f), /no end marker/],
  ["a wrong checksum of a comment behind the pixels", concat(picture.subarray(0, -12), patched(pngChunk("tEXt", latin1("a\0b")), 12, 0), picture.subarray(-12)), /checksum of the chunk tEXt/],
];

for (const [name, file, warning] of SAME_PIXELS) {
  test(`a PNG with ${name} has its pixels`, async () => {
    const image = await decodeImage(file);
    assert.equal(sha256(image.data), pixels);
    assert.match(image.warnings.join("\n"), warning);
    await fails(() => decodeImage(file, { strict: true, source: "cat.png" }), "image/corrupt", new RegExp(`^cat\\.png .*${warning.source}`));
  });
}

test("an intact file has no warnings, and strict changes nothing", async () => {
  const image = await decodeImage(picture, { strict: true });
  assert.deepEqual([image.warnings, sha256(image.data)], [[], pixels]);
  assert.deepEqual((await loadImage(jpeg, { strict: true })).warnings, []);
});

test("loadImage passes warnings and strict on", async () => {
  const file = picture.subarray(0, -12);
  assert.deepEqual((await loadImage(file)).warnings, ["it has no end marker"]);
  await fails(() => loadImage(file, { strict: true }), "image/corrupt");
});

test("a PNG whose data ends after a row is black below it, or has its first colour", async () => {
  const grey = await decodeImage(png(2, 2, 8, 0, deflateSync(Uint8Array.of(0, 7, 8))));
  assert.deepEqual([...grey.data], [7, 7, 7, 8, 8, 8, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(grey.warnings, ["its image data has 3 of 6 bytes"]);
  const coloured = await decodeImage(png(1, 2, 8, 3, deflateSync(Uint8Array.of(0, 1)), pngChunk("PLTE", Uint8Array.of(1, 2, 3, 4, 5, 6))));
  assert.deepEqual([...coloured.data], [4, 5, 6, 1, 2, 3]);
});

test("a palette's last bytes that make no colour do not count", async () => {
  const image = await decodeImage(png(2, 1, 8, 3, deflateSync(Uint8Array.of(0, 0, 1)), pngChunk("PLTE", Uint8Array.of(1, 2, 3, 4, 5))));
  assert.deepEqual([...image.data], [1, 2, 3, 0, 0, 0]);
  assert.match(image.warnings.join(), /5 bytes/);
});

test("JPEG data that ends in zeros is read as far as it leads", async () => {
  const zeroed = concat(jpeg.subarray(0, -2), new Uint8Array(40));
  const image = await decodeImage(zeroed);
  assert.equal(sha256(image.data), sha256((await decodeImage(jpeg)).data));
  assert.deepEqual(image.warnings, ["it has no end marker"]);
  // A progressive file is read to its end first.
  await fails(() => decodeImage(concat(progressive.subarray(0, -2), new Uint8Array(40))), "image/corrupt", /before the picture is complete/);
});

test("damage in the data of a JPEG is read over, with the codec's words", async () => {
  const scan = Buffer.from(jpeg).indexOf("\xff\xda", 0, "latin1");
  const image = await decodeImage(concat(jpeg.subarray(0, scan + 200), latin1("\xff\xd0"), jpeg.subarray(scan + 200)));
  assert.match(image.warnings[0], /the decoder says "Corrupt JPEG data: .*"/);
});

test("a segment of a JPEG may say that it is shorter than its own length", async () => {
  const image = await decodeImage(concat(jpeg.subarray(0, 2), latin1("\xff\xe5\0\0"), jpeg.subarray(2)));
  assert.equal(sha256(image.data), sha256((await decodeImage(jpeg)).data));
});
