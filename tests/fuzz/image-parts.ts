/** Image files as their parts, which are damaged one by one and put together again with lengths and checksums that fit. */
import { Buffer } from "node:buffer";
import { constants, deflateSync, inflateSync } from "node:zlib";
import { concat, pngChunk } from "../unit/image/helpers.js";
import { EDGES, flip, mutate, shuffle } from "./mutate.js";
import type { Random } from "./random.js";

/** A chunk of PNG or WebP, or a segment of JPEG. */
interface Part {
  type: string;
  data: Uint8Array;
}

type Others = readonly Uint8Array[];

const PNG_TYPES = ["IHDR", "PLTE", "IDAT", "IEND", "eXIf", "tEXt", "zTXt", "iTXt", "tRNS", "acTL", "fcTL", "fdAT", "iCCP", "\0\0\0\0"];
const WEBP_TYPES = ["VP8 ", "VP8L", "VP8X", "ALPH", "ANMF", "ANIM", "EXIF", "XMP ", "ICCP", "\0\0\0\0"];
const STRATEGIES = [constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE, constants.Z_DEFAULT_STRATEGY];
const SIDES = [0, 1, 7, 8, 9, 100, 0x7fff, 0xffff];
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const latin1 = (characters: string) => new Uint8Array(Buffer.from(characters, "latin1"));

/** A TIFF structure with one to three orientations, of every type and place that cameras and editors write, and of some that none does. */
export function exif(random: Random): Uint8Array {
  const little = random.chance(0.5), count = random.pick([1, 1, 1, 0, 2, 3, 0xffffffff]);
  const bytes = Buffer.alloc(64);
  const u16 = (value: number, at: number) => void (little ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at));
  const u32 = (value: number, at: number) => void (little ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at));
  bytes.write(little ? "II" : "MM", "latin1");
  u16(random.pick([42, 42, 42, 0x2a00, 43]), 2);
  u32(random.pick([8, 8, 8, 0, 9, 0x7fffffff, 0xffffffff]), 4);
  u16(random.pick([1, 1, 2, 3, 0, 65535]), 8);
  for (const at of [10, 22, 34]) {
    u16(0x112, at);
    u16(random.pick([3, 3, 4, 8, 9, 1, 2, 5, 11, 0]), at + 2);
    u32(count, at + 4);
    if (random.chance(0.2)) u32(50, at + 8);
    else if (random.chance(0.5)) u16(random.int(10), at + 8);
    else u32(random.int(10), at + 8);
  }
  for (let at = 50; at < 62; at += 2) u16(random.int(10), at);
  return random.chance(0.5) ? concat(latin1("Exif\0\0"), bytes) : new Uint8Array(bytes);
}

export function damagePng(random: Random, file: Uint8Array, others: Others): Uint8Array {
  const parts: Part[] = [];
  const bytes = Buffer.from(file);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    parts.push({ type: text(bytes.subarray(at + 4, at + 8)), data: new Uint8Array(bytes.subarray(at + 8, at + 8 + length)) });
    at += 12 + length;
  }
  for (let steps = 1 + random.int(3); steps > 0 && parts.length > 0; steps--) damagePngPart(random, parts, others);
  const damaged = concat(file.subarray(0, 8), ...parts.map(({ type, data }) => pngChunk(type, data)));
  return random.chance(0.2) ? mutate(random, damaged, others) : damaged;
}

function damagePngPart(random: Random, parts: Part[], others: Others): void {
  const part = random.pick(parts);
  const insert = (type: string, data: Uint8Array) => parts.splice(random.int(parts.length), 0, { type, data });
  const header = parts.find(({ type, data }) => type === "IHDR" && data.length >= 13);
  switch (random.int(8)) {
    case 0:
      return shuffle(random, parts);
    case 1:
      if (header) Buffer.from(header.data.buffer).writeUInt32BE(random.chance(0.5) ? random.int(100) : random.pick(EDGES), random.pick([0, 4]));
      return;
    case 2:
      if (header) header.data[8 + random.int(5)] = random.chance(0.7) ? random.int(17) : random.u32();
      return;
    case 3:
      part.data = mutate(random, part.data, others);
      return;
    case 4:
      part.type = random.pick(PNG_TYPES);
      return;
    case 5:
      insert("eXIf", exif(random));
      return;
    case 6: {
      const keyword = random.pick(["XML:com.adobe.xmp\0", "Raw profile type exif\0", "x\0", ""]) + random.pick(["\0", "\x01\0", "\0\0\0\0", "\x01\0a\0b\0"]);
      const body = random.chance(0.5) ? deflateSync(Buffer.alloc(random.pick([10, 1e6, 3e6]), random.int(256))) : latin1("\nexif\n 10\nzz1122");
      insert(random.pick(["zTXt", "tEXt", "iTXt", "iCCP"]), concat(latin1(keyword), body));
      return;
    }
    default:
      recompress(random, parts, others);
  }
}

/** The pixels of a PNG, damaged before they are compressed. */
function recompress(random: Random, parts: Part[], others: Others): void {
  const stored = parts.filter(({ type }) => type === "IDAT");
  if (stored.length === 0) return;
  let rows: Uint8Array = new Uint8Array(random.pick([0, 1, 100, 1e5, 4e6]));
  try {
    if (random.chance(0.8)) rows = mutate(random, inflateSync(concat(...stored.map(({ data }) => data))), others);
  } catch {
    // An earlier step has damaged them.
  }
  const data = new Uint8Array(deflateSync(rows, { level: random.int(10), strategy: random.pick(STRATEGIES) }));
  const first = parts.indexOf(stored[0]);
  for (const part of stored) parts.splice(parts.indexOf(part), 1);
  parts.splice(first, 0, { type: "IDAT", data: random.chance(0.3) ? flip(random, data, 4) : data });
}

export function damageJpeg(random: Random, file: Uint8Array, others: Others): Uint8Array {
  const bytes = Buffer.from(file);
  const parts: Part[] = [];
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda) {
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    parts.push({ type: String.fromCharCode(bytes[at + 1]), data: new Uint8Array(bytes.subarray(at + 4, end)) });
    at = end;
  }
  let scans = new Uint8Array(bytes.subarray(at));
  for (let steps = 1 + random.int(3); steps > 0 && parts.length > 0; steps--) scans = damageJpegPart(random, parts, scans, others);
  const segments = parts.map(({ type, data }) => {
    const length = Math.min(0xffff, data.length + 2);
    return concat(Uint8Array.of(0xff, type.charCodeAt(0), length >> 8, length & 0xff), data);
  });
  return concat(Uint8Array.of(0xff, 0xd8), ...segments, scans);
}

function damageJpegPart(random: Random, parts: Part[], scans: Uint8Array<ArrayBuffer>, others: Others): Uint8Array<ArrayBuffer> {
  const part = random.pick(parts);
  const frame = parts.find(({ type, data }) => /[\xc0-\xcf]/.test(type) && type !== "\xc4" && data.length > 6);
  switch (random.int(9)) {
    case 0:
      shuffle(random, parts);
      return scans;
    case 1:
      if (frame) Buffer.from(frame.data.buffer).writeUInt16BE(random.chance(0.5) ? random.int(300) : random.pick(SIDES), random.pick([1, 3]));
      return scans;
    case 2:
      if (frame) frame.data[5 + random.int(frame.data.length - 5)] = random.chance(0.7) ? random.int(0x45) : random.u32();
      return scans;
    case 3:
      if (frame) frame.type = String.fromCharCode(random.pick([0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc9, 0xca]));
      return scans;
    case 4:
      part.data = mutate(random, part.data, others);
      return scans;
    case 5:
      parts.splice(random.int(parts.length), 0, { type: "\xe1", data: exif(random) });
      return scans;
    case 6:
      return new Uint8Array(mutate(random, scans, others));
    case 7: {
      const body = scans.subarray(0, -2), copies = body.length > 4000 ? 2 : random.pick([2, 5, 100]);
      return concat(...new Array<Uint8Array>(copies).fill(body), Uint8Array.of(0xff, 0xd9)) as Uint8Array<ArrayBuffer>;
    }
    default:
      return new Uint8Array(flip(random, scans, 8));
  }
}

export function damageWebp(random: Random, file: Uint8Array, others: Others): Uint8Array {
  const bytes = Buffer.from(file);
  const parts: Part[] = [];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    parts.push({ type: text(bytes.subarray(at, at + 4)), data: new Uint8Array(bytes.subarray(at + 8, at + 8 + length)) });
    at += 8 + length + (length & 1);
  }
  for (let steps = 1 + random.int(3); steps > 0 && parts.length > 0; steps--) damageWebpPart(random, parts, others);
  const chunks = parts.map(({ type, data }) => {
    const head = Buffer.alloc(8);
    head.write(type, "latin1");
    head.writeUInt32LE(data.length, 4);
    return concat(head, data, new Uint8Array(data.length & 1));
  });
  const body = concat(...chunks);
  const riff = Buffer.from("RIFF____WEBP", "latin1");
  riff.writeUInt32LE(random.chance(0.1) ? random.pick(EDGES) : body.length + 4, 4);
  const damaged = concat(riff, body);
  return random.chance(0.15) ? mutate(random, damaged, others) : damaged;
}

function damageWebpPart(random: Random, parts: Part[], others: Others): void {
  const part = random.pick(parts);
  switch (random.int(7)) {
    case 0:
      return shuffle(random, parts);
    case 1:
      if (part.data.length > 0) part.data[random.int(Math.min(12, part.data.length))] = random.u32();
      return;
    case 2:
      part.data = mutate(random, part.data, others);
      return;
    case 3:
      part.data = flip(random, part.data, 6);
      return;
    case 4:
      part.type = random.pick(WEBP_TYPES);
      return;
    case 5:
      part.data = part.data.slice(0, random.int(part.data.length + 1));
      return;
    default:
      parts.splice(random.int(parts.length), 0, random.chance(0.5) ? { type: "EXIF", data: exif(random) } : { type: "ALPH", data: random.bytes(1 + random.int(300)) });
  }
}
