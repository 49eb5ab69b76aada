/** Files that are not whole, or not right, and that are read nevertheless. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { loadImage } from "../../../ts-api/src/image/source.js";
import { sha256 } from "../../support/sha256.js";
import { concat, fails, png, pngChunk, readBytes } from "./helpers.js";

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

test("coefficients that no encoder writes wrap and saturate as in Pillow", async () => {
  const others = [readFileSync("tests/goldens/field/c-arith.jpg"), readFileSync("tests/goldens/field/c-ycck.jpg")].map((file) => new Uint8Array(file));
  /** All factors of the quantization tables as large as they can be. */
  const loud = (file: Uint8Array) => {
    const copy = file.slice();
    for (let at = 2; copy[at + 1] !== 0xda; at += 2 + 256 * copy[at + 2] + copy[at + 3]) {
      for (let i = 4; copy[at + 1] === 0xdb && i < 2 + 256 * copy[at + 2] + copy[at + 3]; i++) if ((i - 4) % 65 > 0) copy[at + i] = 255;
    }
    return copy;
  };
  // Pillow 12.3 on x86-64. Without its SIMD code it has other pixels for each.
  const pixels = [
    "3ffb50ee10ca54b5a1052d7ee093f1beb9b8f023674a94f24ec379c12e3e0f29", "3ffb50ee10ca54b5a1052d7ee093f1beb9b8f023674a94f24ec379c12e3e0f29",
    "b724487b4a2c9a034ceb9476279cfb565c2195d703dfa0696ea66492a0fb9bae", "91eae54b96f9367e5bce19f8803856bff884dd9867592bf7c0078a492874884f",
  ];
  for (const [i, file] of [jpeg, progressive, ...others].entries()) assert.equal(sha256((await decodeImage(loud(file))).data), pixels[i], `${i}`);
});

test("the first picture of an animated PNG is complete where the second begins", async () => {
  const numbers = (...values: number[]) => new Uint8Array(Buffer.concat(values.map((value) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]))));
  const control = (frames: number) => pngChunk("acTL", numbers(frames, 0)), frame = pngChunk("fcTL", concat(numbers(0, 2, 1, 0, 0), new Uint8Array(6)));
  const turned = pngChunk("eXIf", latin1("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"));
  const still = (...before: Uint8Array[]) => png(2, 1, 8, 0, deflateSync(Uint8Array.of(0, 7, 8)), ...before).subarray(0, -12);
  const sizeOf = async (...parts: Uint8Array[]) => {
    const { width, height, warnings } = await decodeImage(concat(...parts));
    return [width, height, warnings.length];
  };
  for (const first of [still(control(2), frame), still(control(1)), still(control(2))]) {
    assert.deepEqual(await sizeOf(first, frame, turned, pngChunk("IEND", new Uint8Array(0))), [2, 1, 0]);
    assert.deepEqual(await sizeOf(first, frame, turned.subarray(0, -9)), [2, 1, 0], "cut in the second picture");
    assert.deepEqual(await sizeOf(first, turned, frame), [1, 2, 0]);
  }
  // One picture, and announcements that do not count.
  for (const first of [still(control(1), frame), still(frame), still(control(0), frame), still(control(2), control(2), frame), still(control(2 ** 31 + 1), frame)]) {
    assert.deepEqual(await sizeOf(first, frame, turned, pngChunk("IEND", new Uint8Array(0))), [1, 2, 0]);
  }
});
