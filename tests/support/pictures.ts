/** Small pictures made by a script: JPEG, PNG and WebP files, each of pixels that are decided by its number. */
import { encodePng } from "../../ts-api/src/image/png-writer.js";

export const KINDS = ["jpg", "png", "webp"] as const;

/** @param side in pixels, a multiple of 8 */
export async function makePicture(kind: (typeof KINDS)[number], number: number, side: number): Promise<Uint8Array> {
  const random = randomBytes(number);
  switch (kind) {
    case "jpg":
      return encodeJpeg(side, random);
    case "png":
      return encodePng({ data: Uint8Array.from({ length: side * side * 3 }, random), width: side, height: side, channels: 3 });
    case "webp":
      return encodeWebp(side, random);
  }
}

function randomBytes(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
}

/** A baseline JPEG whose blocks of 8 x 8 are of one colour each: of a block there is only the first coefficient. */
function encodeJpeg(side: number, random: () => number): Uint8Array {
  const bits: string[] = [], before = [0, 0, 0];
  for (let block = 0; block < (side / 8) ** 2; block++) {
    for (let component = 0; component < 3; component++) {
      // With steps of 8, a coefficient is a level from -128 to 127.
      const level = random() - 128, difference = level - before[component], size = difference === 0 ? 0 : 1 + Math.floor(Math.log2(Math.abs(difference)));
      before[component] = level;
      // The size in four bits; the difference, less one where it is negative; the end of the block in one bit.
      bits.push(binary(size, 4), size === 0 ? "" : binary(difference < 0 ? difference + 2 ** size - 1 : difference, size), "0");
    }
  }
  const data = packBits(bits.join(""), "1").flatMap((byte) => (byte === 0xff ? [0xff, 0] : [byte]));
  const segment = (marker: number, ...content: number[]) => [0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255, ...content];
  const components = [1, 2, 3];
  return Uint8Array.from([
    0xff, 0xd8,
    ...segment(0xdb, 0, ...new Array<number>(64).fill(8)),
    ...segment(0xc0, 8, side >> 8, side & 255, side >> 8, side & 255, 3, ...components.flatMap((id) => [id, 0x11, 0])),
    // Sizes 0 to 11 have codes of four bits; the end of a block has one of one bit.
    ...segment(0xc4, 0x00, 0, 0, 0, 12, ...new Array<number>(12).fill(0), ...Array.from({ length: 12 }, (_, i) => i)),
    ...segment(0xc4, 0x10, 1, ...new Array<number>(15).fill(0), 0),
    ...segment(0xda, 3, ...components.flatMap((id) => [id, 0]), 0, 63, 0),
    ...data, 0xff, 0xd9,
  ]);
}

/** A lossless WebP of eight colours: red, green and blue have two levels each, in one bit of a pixel. */
function encodeWebp(side: number, random: () => number): Uint8Array {
  const bits: string[] = [], put = (value: number, count: number) => bits.push([...binary(value, count)].reverse().join(""));
  put(side - 1, 14);
  put(side - 1, 14);
  // No alpha, version 0; no transform, no cache of colours, one group of codes.
  put(0, 4);
  put(0, 3);
  const two = () => {
    const level = random() >> 1;
    // A simple code of two symbols in eight bits.
    put(0b111, 3);
    put(level, 8);
    put(level + 100, 8);
  };
  two();
  two();
  two();
  // Alpha 255, and the distance 0: simple codes of one symbol.
  put(0b101, 3);
  put(255, 8);
  put(0b001, 3);
  put(0, 1);
  for (let pixel = 0; pixel < side * side; pixel++) put(random() >> 5, 3);
  const data = [0x2f, ...packBits(bits.join(""), "0", true)], padded = data.length + (data.length & 1);
  const text = (four: string) => [...four].map((char) => char.charCodeAt(0)), size = (bytes: number) => [bytes & 255, (bytes >> 8) & 255, (bytes >> 16) & 255, bytes >>> 24];
  return Uint8Array.from([...text("RIFF"), ...size(12 + padded), ...text("WEBPVP8L"), ...size(data.length), ...data, ...(padded > data.length ? [0] : [])]);
}

function binary(value: number, count: number): string {
  return value.toString(2).padStart(count, "0");
}

/** @param fill what is put after the last bit; `lowFirst`: the first bit of a byte is its lowest */
function packBits(bits: string, fill: "0" | "1", lowFirst = false): number[] {
  return (bits + fill.repeat((8 - (bits.length % 8)) % 8)).match(/.{8}/g)!.map((byte) => parseInt(lowFirst ? [...byte].reverse().join("") : byte, 2));
}
