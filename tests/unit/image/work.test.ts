/** Small files that ask for much: of the decoders, of memory, or of whoever reads the warnings. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { deflateSync } from "node:zlib";
import { workOf } from "../../../ts-api/src/decoding/estimate-work.js";
import { DecodePool } from "../../../ts-api/src/decoding/pool.js";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { IJepaImageProcessor } from "../../../ts-api/src/image/processor.js";
import { concat, fails, png, pngChunk, readBytes } from "./helpers.js";

const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const onePixel = deflateSync(Uint8Array.of(0, 7)), text = (type: string, body: Uint8Array) => pngChunk(type, concat(latin1("exif\0\0"), body));
const MIB = 2 ** 20;
/** All of this takes a thread well below a second; where the time grew with the square of the size, it would be minutes. */
const pool = new DecodePool({ threads: 1, timeout: 20_000 });
after(() => pool.close());

test("compressed comments of a PNG count as what they take, broken ones too", async () => {
  const whole = deflateSync(Buffer.alloc(MIB - 1)), broken = whole.subarray(0, whole.length - 20), none = deflateSync(Buffer.alloc(0));
  const bad = concat(broken, new Uint8Array(20).fill(0xff));
  for (const [body, count] of [[whole, 9], [bad, 9], [none, 600], [latin1("no zlib"), 1200]] as const) {
    const texts = (most: number) => png(1, 1, 8, 0, onePixel, ...Array.from({ length: most }, () => text("zTXt", body)));
    await fails(() => decodeImage(texts(count)), "image/too-complex", /compressed comments/);
    assert.equal((await decodeImage(texts(4))).width, 1);
  }
});

test("the scans of a JPEG count more where they take longer", async () => {
  const file = readBytes("files/jpeg-420-progressive.jpg"), at = Buffer.from(file).lastIndexOf("\xff\xda", -1, "latin1");
  const scan = file.subarray(at, at + 4 + file[at + 3] - 2), begin = file.subarray(0, 2), scans = new Array<Uint8Array>(10_300).fill(scan);
  const many = (...segments: Uint8Array[]) => concat(begin, ...segments, file.subarray(2, -2), ...scans, latin1("\xff\xd9"));
  assert.equal((await pool.decode(many())).width, 151);
  await fails(() => pool.decode(many(latin1("\xff\xdd\0\x04\0\x01"))), "image/too-complex", /in 103\d\d scans/);
  const frame = Buffer.from(file).indexOf("\xff\xc2", 0, "latin1"), arithmetic = many();
  arithmetic[frame + 1] = 0xca;
  await fails(() => decodeImage(arithmetic), "image/too-complex", /in 103\d\d scans/);
});

test("hundreds of thousands of chunks take no longer than their bytes", async () => {
  const many = (type: string, before: Uint8Array) => concat(before, Buffer.alloc(12 * 400_000, pngChunk(type, new Uint8Array(0))));
  const file = png(1, 1, 8, 0, onePixel), headless = concat(file.subarray(0, 8), pngChunk("teSt", new Uint8Array(0)));
  await fails(() => pool.decode(many("teSt", headless)), "image/corrupt");
  await fails(() => pool.decode(many("tEXt", file.subarray(0, 33))), "image/corrupt");
  assert.equal((await pool.decode(many("zTXt", file.subarray(0, file.length - 12)))).width, 1);
});

test("a file that is wrong everywhere has a few warnings", async () => {
  const wrong = pngChunk("IDAT", new Uint8Array(0)), late = pngChunk("teSt", new Uint8Array(0)), file = png(1, 1, 8, 0, onePixel);
  for (const chunk of [wrong, late]) chunk[11] ^= 1;
  const { warnings } = await decodeImage(concat(file.subarray(0, file.length - 12), ...new Array<Uint8Array>(5000).fill(wrong), ...new Array<Uint8Array>(5000).fill(late)));
  assert.ok(warnings.length > 1 && warnings.length < 20 && warnings.join().length < 1000, `${warnings.length}`);
});

test("EXIF data of nothing but its prefix says nothing", async () => {
  const jpeg = readBytes("files/jpeg-420.jpg"), body = Buffer.from("Exif\0\0".repeat(10_000), "latin1"), segment = Buffer.alloc(4);
  segment.writeUInt16BE(0xffe1);
  segment.writeUInt16BE(body.length + 2, 2);
  const parts = new Array<Uint8Array>(60).fill(concat(segment, body));
  const { width, height } = await pool.decode(concat(jpeg.subarray(0, 2), ...parts, jpeg.subarray(2))), plain = await decodeImage(jpeg);
  assert.deepEqual([width, height], [plain.width, plain.height]);
});

test("what a file announces: its pixels, times the passes over them, and its compressed comments", () => {
  const of = (...chunks: Uint8Array[]) => workOf(png(300, 200, 8, 0, onePixel, ...chunks), "it");
  assert.equal(of(), 60_000);
  assert.equal(of(text("tEXt", new Uint8Array(5000))), 60_000);
  assert.ok(of(text("zTXt", new Uint8Array(500))) > 500_000);
  assert.ok(of(...new Array<Uint8Array>(300).fill(text("iTXt", new Uint8Array(1020)))) < 10_000_000);
});

test("a flood of images that take long does not keep those out that do not", async () => {
  const side = 1500, long = png(side, side, 8, 2, deflateSync(Buffer.alloc(side * (1 + 3 * side)))), order: string[] = [];
  await pool.decode(long);
  pool.pause();
  const calls = Array.from({ length: 8 }, (_, i) => pool.decode(long).then(() => order.push(`long ${i}`)));
  for (let i = 0; i < 3; i++) calls.push(pool.decode(png(1, 1, 8, 0, onePixel)).then(() => order.push(`short ${i}`)));
  pool.resume();
  await Promise.all(calls);
  assert.deepEqual(order.slice(0, 6).filter((name) => name.startsWith("short")), ["short 0", "short 1", "short 2"], order.join());
  // They do not keep the long ones out either, and each kind has its own order.
  assert.deepEqual(order.filter((name) => name.startsWith("long")), Array.from({ length: 8 }, (_, i) => `long ${i}`));
  assert.ok(order.indexOf("long 1") < order.indexOf("short 2"), order.join());
});

test("an image processor makes no pictures that memory does not hold", async () => {
  const line = { data: new Uint8Array(60_000), width: 1, height: 20_000, channels: 3 }, wide = { data: new Uint8Array(60_000), width: 20_000, height: 1, channels: 3 };
  const processor = new IJepaImageProcessor({ size: { shortest_edge: 224 }, doCenterCrop: true, cropSize: 224 });
  for (const image of [line, wide]) await fails(() => processor.preprocess(image), "input/shape", /would be resized to .* over the limit/);
  for (const size of [{ height: 1e6, width: 1e6 }, { height: 2 ** 31, width: 1 }]) {
    for (const [option, field, flag] of [["size", "size", {}], ["cropSize", "crop_size", { doCenterCrop: true }], ["padSize", "pad_size", { doPad: true }]] as const) {
      await fails(() => new IJepaImageProcessor({ ...flag, [option]: size }), "input/value", new RegExp(`${option} must be at most`));
      await fails(() => IJepaImageProcessor.fromConfig({ [field]: size }), "config/field", new RegExp(`${field} .* must be at most`));
    }
  }
});
