/** EXIF and XMP as cameras and editors write them: what Pillow makes of each. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readOrientation } from "../../../ts-api/src/image/orientation.js";

/** A TIFF structure with one entry. */
interface Entry {
  little: boolean;
  type?: number;
  count?: number;
  value?: number;
  magic?: number;
  /** Where its directory is. */
  at?: number;
  tag?: number;
}

/** Bytes of a number of each type, and how it is written. */
const WRITERS: Record<number, readonly [bytes: number, write: (view: DataView, at: number, value: number, little: boolean) => void]> = {
  1: [1, (view, at, value) => view.setUint8(at, value)],
  2: [1, (view, at, value) => view.setUint8(at, value)],
  3: [2, (view, at, value, little) => view.setUint16(at, value, little)],
  4: [4, (view, at, value, little) => view.setUint32(at, value, little)],
  5: [8, (view, at, value, little) => (view.setUint32(at, value, little), view.setUint32(at + 4, 1, little))],
  6: [1, (view, at, value) => view.setInt8(at, value)],
  7: [1, (view, at, value) => view.setUint8(at, value)],
  8: [2, (view, at, value, little) => view.setInt16(at, value, little)],
  9: [4, (view, at, value, little) => view.setInt32(at, value, little)],
  10: [8, (view, at, value, little) => (view.setInt32(at, value, little), view.setInt32(at + 4, 1, little))],
  11: [4, (view, at, value, little) => view.setFloat32(at, value, little)],
  12: [8, (view, at, value, little) => view.setFloat64(at, value, little)],
  13: [4, (view, at, value, little) => view.setUint32(at, value, little)],
  16: [8, (view, at, value, little) => view.setBigUint64(at, BigInt(value), little)],
};

function tiff({ little, type = 3, count = 1, value = 6, magic = 42, at = 8, tag = 0x112 }: Entry): Uint8Array {
  const [bytes, write] = WRITERS[type] ?? [1, WRITERS[1][1]], size = bytes * count, tail = at + 2 + 12 + 4;
  const view = new DataView(new ArrayBuffer(tail + Math.max(size, bytes)));
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, magic, little);
  view.setUint32(4, at, little);
  view.setUint16(at, 1, little);
  view.setUint16(at + 2, tag, little);
  view.setUint16(at + 4, type, little);
  view.setUint32(at + 6, count, little);
  if (size > 4) view.setUint32(at + 10, tail, little);
  for (let i = 0; i < Math.max(count, 1); i++) if (size > 4 || i * bytes < 4) write(view, (size > 4 ? tail : at + 10) + i * bytes, value, little);
  return new Uint8Array(view.buffer);
}

const exif = (entry: Entry, length?: number) => readOrientation({ exif: tiff(entry).subarray(0, length) });

for (const little of [true, false]) {
  test(`EXIF in ${little ? "little" : "big"}-endian order: types, counts, places and headers`, () => {
    const types = Array.from({ length: 17 }, (_, type) => type).filter((type) => exif({ little, type }) === 6);
    assert.deepEqual(types, [3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 16]);
    for (let value = 0; value <= 9; value++) assert.equal(exif({ little, value }), value >= 1 && value <= 8 ? value : 1);
    assert.deepEqual([0, 1, 2, 3, 5].map((count) => exif({ little, count })), [1, 6, 6, 6, 6]);
    assert.deepEqual([exif({ little, at: 20 }), exif({ little, tag: 0x100 }), exif({ little }, 20), exif({ little }, 21), exif({ little }, 22)], [6, 1, 1, 1, 6]);
    // 43 is BigTIFF, whose directories have another form; in big-endian order Pillow takes it for TIFF.
    assert.deepEqual([42, 0x2a00, 43, 0, 44].map((magic) => exif({ little, magic })), [6, 6, little ? 1 : 6, 1, 1]);
  });
}

test("blocks that are no TIFF say nothing; XMP has its say only then", () => {
  const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1")), xmp = latin1('<rdf:Description tiff:Orientation="8"/>');
  for (const nothing of ["", "Exif\0\0", "hello world, this is no TIFF", "II*\0", "II*\0\xff\xff\xff\xff", "MM\0*\0\0\0\x08"]) {
    assert.deepEqual([readOrientation({ exif: latin1(nothing) }), readOrientation({ exif: latin1(nothing), xmp })], [1, 8], JSON.stringify(nothing));
  }
  assert.equal(readOrientation({ exif: tiff({ little: true }), xmp }), 6);
  assert.equal(readOrientation({ exif: tiff({ little: true, tag: 0x100 }), xmp }), 8);
  assert.equal(readOrientation({ xmp: latin1("<tiff:Orientation>3</tiff:Orientation>") }), 3);
  assert.equal(readOrientation({ exif: new Uint8Array([...latin1("Exif\0\0Exif\0\0"), ...tiff({ little: false, value: 5 })]) }), 5);
});
