/** Damage that fits any file: bits, bytes, numbers, pieces cut, doubled, or taken from another file. */
import { Buffer } from "node:buffer";
import type { Random } from "./random.js";

/** Numbers at which readers of lengths and counts go wrong. */
export const EDGES = [0, 1, 2, 3, 7, 8, 12, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff7, 0xffffffff];

/** @param others files that pieces are taken from */
export function mutate(random: Random, file: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  let bytes = Buffer.from(file);
  const steps = 1 + (random.chance(0.5) ? 0 : random.int(8));
  for (let i = 0; i < steps && bytes.length > 0; i++) {
    const at = random.chance(0.3) ? random.int(Math.min(64, bytes.length)) : random.int(bytes.length);
    bytes = mutateAt(random, bytes, at, others);
  }
  return new Uint8Array(bytes);
}

function mutateAt(random: Random, bytes: Buffer<ArrayBuffer>, at: number, others: readonly Uint8Array[]): Buffer<ArrayBuffer> {
  const replace = (length: number, ...by: Uint8Array[]) => Buffer.concat([bytes.subarray(0, at), ...by, bytes.subarray(at + length)]);
  const room = bytes.length - at;
  switch (random.int(9)) {
    case 0:
      bytes[at] ^= 1 << random.int(8);
      return bytes;
    case 1:
      bytes[at] = random.chance(0.5) ? random.u32() : random.pick([0, 1, 127, 128, 255]);
      return bytes;
    case 2:
      if (room >= 4) bytes.writeUInt32BE(random.pick(EDGES), at);
      return bytes;
    case 3:
      if (room >= 4) bytes.writeUInt32LE(random.pick(EDGES), at);
      return bytes;
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return replace(1 + random.int(Math.min(64, room)));
    case 6:
      return replace(0, bytes.subarray(at, at + 1 + random.int(200)));
    case 7:
      return replace(0, random.bytes(1 + random.int(32)));
    default: {
      const other = random.pick(others);
      const from = random.int(other.length);
      const piece = other.subarray(from, from + 1 + random.int(2000));
      return replace(random.chance(0.5) ? piece.length : 0, piece);
    }
  }
}

/** Changes up to `count` bits. */
export function flip(random: Random, bytes: Uint8Array, count: number): Uint8Array {
  const flipped = bytes.slice();
  for (let i = 0; i < count && flipped.length > 0; i++) flipped[random.int(flipped.length)] ^= 1 << random.int(8);
  return flipped;
}

/** Drops, doubles or moves one of a file's parts. */
export function shuffle<T>(random: Random, parts: T[]): void {
  const at = random.int(parts.length);
  const [part] = random.chance(0.3) ? [parts[at]] : parts.splice(at, 1);
  if (random.chance(0.6)) parts.splice(random.int(parts.length + 1), 0, part);
}
