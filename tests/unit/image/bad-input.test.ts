/** Damaged and unsupported image files: each gives its error, and the next good file decodes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import type { ErrorCode } from "../../../ts-api/src/core/errors.js";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { sha256 } from "../../support/sha256.js";
import { concat, fails, png, pngChunk, readBytes } from "./helpers.js";

const jpeg = readBytes("files/jpeg-420.jpg");
const progressive = readBytes("files/jpeg-420-progressive.jpg");
const palettePng = readBytes("files/png-palette.png");
const lossy = readBytes("files/webp-lossy.webp");
const lossless = readBytes("files/webp-lossless.webp");
const animated = readBytes("extra/animated-corner.webp");

const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

/** A copy with some bytes replaced. */
function patched(file: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = file.slice();
  copy.set(values, at);
  return copy;
}

/** A copy with one bit flipped. */
function flipped(file: Uint8Array, at: number): Uint8Array {
  return patched(file, at, file[at] ^ 1);
}

/** Where `text` begins in the file. */
function find(file: Uint8Array, text: string): number {
  const at = Buffer.from(file).indexOf(text, 0, "latin1");
  assert.ok(at >= 0, `no ${JSON.stringify(text)} in the file`);
  return at;
}

const sof = find(jpeg, "\xff\xc0");
const scan = find(jpeg, "\xff\xda");
const dht = find(jpeg, "\xff\xc4");
const profile = find(palettePng, "iCCP");
const palette = find(palettePng, "PLTE");
const idat = find(palettePng, "IDAT");
const ihdrEnd = 8 + 25;
const onePixel = deflateSync(Uint8Array.of(0, 7));
const emptyChunk = (type: string) => pngChunk(type, new Uint8Array(0));
const grey = (width: number, height: number, rows: number[]) => png(width, height, 8, 0, deflateSync(Uint8Array.from(rows)));

const CASES: [name: string, code: ErrorCode, file: Uint8Array, message?: RegExp][] = [
  ["no bytes", "image/empty", new Uint8Array(0)],
  ["text", "image/unsupported", latin1("This is not a picture of a cat.")],
  ["one byte", "image/unsupported", Uint8Array.of(0xff)],
  ["zeros", "image/unsupported", new Uint8Array(1000)],
  ["RIFF, but sound", "image/unsupported", latin1("RIFF\x24\0\0\0WAVEfmt ")],
  ["SVG", "image/unsupported", latin1('<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'), /SVG is not supported/],
  ["SVG without a prologue", "image/unsupported", latin1("\n <svg/>"), /SVG is not supported/],
  ["a pointer of Git LFS", "image/unsupported", latin1(`version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize 77\n`), /Git LFS pointer.*77 bytes.*git lfs pull/],
  ["a web page", "image/unsupported", latin1("<!DOCTYPE html>\n<html><svg/></html>"), /web page \(HTML\)/],
  ["a file server's error", "image/unsupported", latin1('<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'), /XML document/],
  ["GIF", "image/unsupported", latin1("GIF89a\x01\0\x01\0"), /GIF is not supported. Convert it to PNG, JPEG or WebP/],
  ["BMP", "image/unsupported", latin1("BM\x46\0\0\0"), /BMP/],
  ["TIFF, little endian", "image/unsupported", latin1("II*\0\x08\0\0\0"), /TIFF/],
  ["TIFF, big endian", "image/unsupported", latin1("MM\0*\0\0\0\x08"), /TIFF/],
  ["AVIF", "image/unsupported", latin1("\0\0\0\x20ftypavif\0\0\0\0"), /AVIF/],
  ["HEIC", "image/unsupported", latin1("\0\0\0\x20ftypheic\0\0\0\0"), /HEIC/],
  ["JPEG XL", "image/unsupported", latin1("\0\0\0\x0cJXL \r\n\x87\n"), /JPEG XL/],
  ["JPEG 2000", "image/unsupported", latin1("\0\0\0\x0cjP  \r\n\x87\n"), /JPEG 2000/],

  ["JPEG cut after its first marker", "image/corrupt", jpeg.subarray(0, 4)],
  ["JPEG cut in a table", "image/corrupt", jpeg.subarray(0, dht + 9)],
  ["JPEG cut at the scan", "image/corrupt", jpeg.subarray(0, scan)],
  ["JPEG cut in the scan", "image/corrupt", jpeg.subarray(0, 3000), /the data ends at byte 3000/],
  ["JPEG without its last byte", "image/corrupt", jpeg.subarray(0, -1)],
  ["JPEG without its end marker", "image/corrupt", jpeg.subarray(0, -2)],
  ["progressive JPEG cut after some scans", "image/corrupt", progressive.subarray(0, 4000)],
  ["JPEG with markers only", "image/corrupt", latin1("\xff\xd8\xff\xd9"), /no image data/],
  ["JPEG with a segment of length 1", "image/corrupt", latin1("\xff\xd8\xff\xe0\0\x01\xff\xd9")],
  ["JPEG with a short frame header", "image/corrupt", latin1("\xff\xd8\xff\xc0\0\x04\x08\0\xff\xd9"), /frame header/],
  ["JPEG with a broken Huffman table", "image/corrupt", patched(jpeg, dht + 5, 255, 255, 255), /decoder says/],
  ["JPEG of height 0", "image/empty", patched(jpeg, sof + 5, 0, 0)],
  ["JPEG of 60000 x 60000", "image/too-large", patched(jpeg, sof + 5, 0xea, 0x60, 0xea, 0x60), /60000 x 60000.*178956970/],
  ["JPEG with 12 bits", "image/unsupported", patched(jpeg, sof + 4, 12), /12 bits/],
  ["JPEG with 2 components", "image/unsupported", patched(jpeg, sof + 9, 2), /2 components/],
  ["hierarchical JPEG", "image/unsupported", patched(jpeg, sof + 1, 0xc5), /hierarchical/],
  ["lossless JPEG with the tables of another", "image/corrupt", patched(jpeg, sof + 1, 0xc3), /decoder says/],

  ["PNG signature alone", "image/corrupt", palettePng.subarray(0, 8)],
  ["PNG cut in IHDR", "image/corrupt", palettePng.subarray(0, 20)],
  ["PNG cut in IDAT", "image/corrupt", palettePng.subarray(0, idat + 4000)],
  ["PNG with a wrong checksum of IHDR", "image/corrupt", flipped(palettePng, ihdrEnd - 1), /checksum of the chunk IHDR/],
  ["PNG with a wrong checksum of PLTE", "image/corrupt", flipped(palettePng, palette + 5), /PLTE/],
  ["PNG with a bit of its pixels flipped", "image/corrupt", flipped(palettePng, idat + 500), /damaged/],
  ["PNG with a wrong checksum of a comment", "image/corrupt", flipped(palettePng, profile + 20), /iCCP/],
  ["PNG that begins with a palette", "image/corrupt", concat(palettePng.subarray(0, 8), emptyChunk("PLTE")), /PLTE, not with IHDR/],
  ["PNG of width 0", "image/empty", png(0, 1, 8, 0, onePixel)],
  ["PNG of height 0", "image/empty", png(1, 0, 8, 0, onePixel)],
  ["PNG of 60000 x 60000", "image/too-large", png(60000, 60000, 8, 0, onePixel)],
  ["PNG of 12000 x 12000 in 10 bytes", "image/corrupt", png(12000, 12000, 8, 2, onePixel), /too few for 12000 x 12000/],
  ["PNG with colour type 5", "image/corrupt", png(1, 1, 8, 5, onePixel), /colour type 5/],
  ["PNG with 3 bits", "image/corrupt", png(1, 1, 3, 0, onePixel), /3 bits/],
  ["PNG without its palette", "image/corrupt", png(1, 1, 8, 3, onePixel), /needs a palette/],
  ["PNG with 300 colours", "image/corrupt", png(1, 1, 8, 3, onePixel, pngChunk("PLTE", new Uint8Array(900))), /300 colours/],
  ["PNG without image data", "image/corrupt", concat(palettePng.subarray(0, ihdrEnd), emptyChunk("IEND")), /no image data/],
  ["PNG with half a row", "image/corrupt", grey(2, 2, [0, 7, 7, 0, 7]), /5 of 6 bytes/],
  ["PNG without a row", "image/corrupt", grey(2, 2, []), /0 of 6 bytes/],
  ["PNG cut in a chunk behind its pixels", "image/corrupt", concat(palettePng.subarray(0, -12), pngChunk("tEXt", new Uint8Array(9)).subarray(0, -6)), /inside the chunk tEXt/],
  ["PNG with an unknown filter", "image/corrupt", grey(1, 1, [7, 7]), /filter 7/],
  ["PNG with damaged data", "image/corrupt", png(1, 1, 8, 0, latin1("\x78\x9c\xff\xff\xff\xff\xff")), /damaged/],
  ["PNG with data that is not compressed", "image/corrupt", png(1, 1, 8, 0, latin1("hello world")), /damaged/],
  ["PNG with data that ends early", "image/corrupt", png(1, 1, 8, 0, onePixel.subarray(0, 4)), /1 of 2 bytes/],
  ["PNG with pixels that are not those of their checksum", "image/corrupt", png(1, 1, 8, 0, flipped(onePixel, onePixel.length - 1)), /damaged/],
  ["PNG with data in a gzip frame", "image/corrupt", png(1, 1, 8, 0, gzipSync(Uint8Array.of(0, 7))), /damaged/],

  ["WebP cut after its signature", "image/corrupt", lossy.subarray(0, 12)],
  ["WebP cut in its frame header", "image/corrupt", lossy.subarray(0, 24)],
  ["WebP cut in the middle", "image/corrupt", lossy.subarray(0, 1500), /has 1500/],
  ["WebP without its last byte", "image/corrupt", lossless.subarray(0, -1)],
  ["WebP with a chunk longer than the file", "image/corrupt", patched(lossy, 16, 0xff, 0xff), /"VP8 " is not complete/],
  ["WebP without image data", "image/corrupt", latin1("RIFF\x04\0\0\0WEBP"), /no image data/],
  ["WebP with a wrong start code", "image/corrupt", patched(lossy, 23, 0), /no valid header/],
  ["lossless WebP with a wrong signature", "image/corrupt", patched(lossless, 20, 0), /no valid header/],
  ["WebP with damaged data", "image/corrupt", patched(lossless, 26, 255, 255, 255, 255), /decoder says/],
  ["WebP of width 0", "image/empty", patched(lossy, 26, 0, 0)],
  ["WebP of 16384 x 16384", "image/too-large", patched(lossless, 21, 255, 255, 255, 0x0f)],
  ["animated WebP with a frame beside its canvas", "image/corrupt", patched(animated, find(animated, "ANMF") + 8, 200), /does not fit/],
];

for (const [name, code, file, message] of CASES) {
  test(`${name}: ${code}`, () => fails(() => decodeImage(file), code, message));
}

test("a file cut anywhere is refused, and good files decode after it", async () => {
  for (const name of ["jpeg-gray.jpg", "png-palette.png", "webp-lossy.webp"]) {
    const file = readBytes(`files/${name}`);
    const good = sha256((await decodeImage(file)).data);
    for (let length = 16; length < file.length; length += 97) {
      await fails(() => decodeImage(file.subarray(0, length)), "image/corrupt");
    }
    assert.equal(sha256((await decodeImage(file)).data), good);
  }
});

test("random damage gives an image or an IJepaError, never another error", async () => {
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 69069) + 1) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let refused = 0;
  for (const file of [jpeg, progressive, palettePng, lossy, lossless, animated]) {
    for (let round = 0; round < 40; round++) {
      const damaged = patched(file, 12 + random(Math.min(file.length - 12, 800)), random(256), random(256));
      try {
        const { data, width, height } = await decodeImage(damaged);
        assert.equal(data.length, width * height * 3);
      } catch (error) {
        assert.ok(isIJepaError(error) && error.code.startsWith("image/"), String(error));
        refused++;
      }
    }
  }
  assert.ok(refused > 40, `only ${refused} of 240 damaged files were refused`);
});
