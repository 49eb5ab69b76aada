/** A compact index of a part: its rows without their features. A collection keeps it in memory and as a cache file. */
import { sha256 } from "@noble/hashes/sha2";
import { toHex } from "../core/numerics.js";
import { crc32 } from "../image/crc32.js";
import { encodingText, type Encoding } from "./encoding.js";
import type { RowFacts } from "./parquet.js";

const MAGIC = 0x31494a49;
/** Bytes of a row beside its source: key, id, digest, bytes, modified, width, height, end of its source. */
const ROW = 16 + 32 + 32 + 8 + 8 + 4 + 4 + 4;
/** Magic, rows, bytes of the sources, seal. */
const HEADER = 16, SEAL = 12;

/** Read only. */
export class PartIndex {
  readonly rows: number;
  /** [rows][4]: the first 128 bits of the SHA-256 of each source. */
  readonly keys: Uint32Array;
  /** [rows][8]: the ids; zeros where the place is gone. */
  readonly ids: Uint32Array;
  /** [rows][8]: digests of the features. */
  readonly digests: Uint32Array;
  readonly fileBytes: Float64Array;
  /** NaN if unknown. */
  readonly modified: Float64Array;
  readonly #widths: Uint32Array;
  readonly #heights: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #sources: Uint8Array;

  /** @param bytes as `encodeIndex` makes them; the index is a view of them. Throws where they are not, or of another encoding. */
  constructor(readonly bytes: Uint8Array, encoding: Encoding) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER || view.getUint32(0, true) !== MAGIC) throw new Error("it is no index");
    const rows = view.getUint32(4, true), text = view.getUint32(8, true);
    if (bytes.length !== HEADER + rows * ROW + text || bytes.byteOffset % 8 !== 0) throw new Error("its length is not the one that it records");
    if (view.getUint32(SEAL, true) !== sealOf(bytes, encoding)) throw new Error("its bytes are not those that were written, or of another encoding");
    let at = bytes.byteOffset + HEADER;
    const take = <T>(make: (buffer: ArrayBufferLike, offset: number) => T, size: number): T => {
      const array = make(bytes.buffer, at);
      at += rows * size;
      return array;
    };
    const words = (count: number) => take((buffer, offset) => new Uint32Array(buffer, offset, rows * count), 4 * count);
    this.rows = rows;
    this.fileBytes = take((buffer, offset) => new Float64Array(buffer, offset, rows), 8);
    this.modified = take((buffer, offset) => new Float64Array(buffer, offset, rows), 8);
    this.keys = words(4);
    this.ids = words(8);
    this.digests = words(8);
    this.#widths = words(1);
    this.#heights = words(1);
    this.#ends = words(1);
    this.#sources = bytes.subarray(bytes.length - text);
  }

  source(row: number): string {
    return new TextDecoder().decode(this.#sources.subarray(row === 0 ? 0 : this.#ends[row - 1], this.#ends[row]));
  }

  id(row: number): string {
    return hexOf(this.ids, row);
  }

  digest(row: number): string {
    return hexOf(this.digests, row);
  }

  isGone(row: number): boolean {
    for (let i = 8 * row; i < 8 * row + 8; i++) if (this.ids[i] !== 0) return false;
    return true;
  }

  size(row: number): { width: number; height: number } {
    return { width: this.#widths[row], height: this.#heights[row] };
  }
}

/** @param encoding that of the collection: with another one, the part itself has to be looked at */
export function encodeIndex(rows: readonly RowFacts[], encoding: Encoding): PartIndex {
  const sources = rows.map(({ source }) => new TextEncoder().encode(source)), count = rows.length;
  const text = sources.reduce((sum, { length }) => sum + length, 0), bytes = new Uint8Array(HEADER + count * ROW + text);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, count, true);
  view.setUint32(8, text, true);
  let end = 0;
  const start = { bytes: HEADER, modified: HEADER + 8 * count, keys: HEADER + 16 * count, ids: HEADER + 32 * count, digests: HEADER + 64 * count, widths: HEADER + 96 * count };
  rows.forEach((row, i) => {
    view.setFloat64(start.bytes + 8 * i, row.bytes, true);
    view.setFloat64(start.modified + 8 * i, row.modified ?? NaN, true);
    bytes.set(sha256(sources[i]).subarray(0, 16), start.keys + 16 * i);
    bytes.set(fromHex(row.id), start.ids + 32 * i);
    bytes.set(fromHex(row.digest), start.digests + 32 * i);
    view.setUint32(start.widths + 4 * i, row.width, true);
    view.setUint32(start.widths + 4 * count + 4 * i, row.height, true);
    bytes.set(sources[i], HEADER + count * ROW + end);
    end += sources[i].length;
    view.setUint32(start.widths + 8 * count + 4 * i, end, true);
  });
  view.setUint32(SEAL, sealOf(bytes, encoding), true);
  return new PartIndex(bytes, encoding);
}

function sealOf(bytes: Uint8Array, encoding: Encoding): number {
  return (crc32(bytes.subarray(HEADER)) ^ crc32(new TextEncoder().encode(encodingText(encoding)))) >>> 0;
}

/** The key of a source, as the index has it. */
export function keyOf(source: string): Uint32Array {
  return new Uint32Array(sha256(new TextEncoder().encode(source)).slice(0, 16).buffer);
}

/** The 256 bits of an id in hex. */
export function wordsOf(hex: string): Uint32Array {
  return new Uint32Array(fromHex(hex).buffer);
}

function fromHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0; 2 * i < hex.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

function hexOf(words: Uint32Array, row: number): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + 32 * row, 32);
  return toHex(bytes);
}
