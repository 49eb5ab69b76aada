/**
 * The zip archives of torch.save: entries stored without compression, so that a tensor is a range of the file (PKWARE's APPNOTE 6.3,
 * sections 4.3 and 4.5; zip64 for files beyond 4 GiB). Checksums are not verified, because that would take reading the whole file.
 */
import { IJepaError } from "../../core/errors.js";
import type { ByteSource } from "../../runtime/env.js";
import { readRange } from "../sources/bytes.js";
import { LOCAL } from "./recognize.js";

export interface ZipEntry {
  readonly name: string;
  /** Bytes of its data. */
  readonly size: number;
  /** Start of its local header; the data follows it. */
  readonly header: number;
}

const END = 0x06054b50, END64 = 0x06064b50, LOCATOR64 = 0x07064b50, CENTRAL = 0x02014b50;
const END_BYTES = 22, END64_BYTES = 56, LOCATOR64_BYTES = 20, CENTRAL_BYTES = 46, LOCAL_BYTES = 30;
/** A comment of 65535 bytes may follow the end record. */
const MAX_END = END_BYTES + 65535;
/** Far more than the directory of any checkpoint: the largest published one has some thousand entries of about 100 bytes. */
const MAX_DIRECTORY = 64 * 2 ** 20;
const ZIP64_EXTRA = 1;
const IN_ZIP64 = 0xffffffff;

/**
 * The entries of an archive, by name.
 * @throws IJepaError `weights/format` for anything but whole, stored, unencrypted entries with names of their own; `io/read`, `aborted`
 */
export async function readZipEntries(source: ByteSource, signal?: AbortSignal): Promise<Map<string, ZipEntry>> {
  const { offset, size, count } = await findDirectory(source, signal);
  if (size > MAX_DIRECTORY) throw broken(source, `its directory claims ${size} bytes; at most ${MAX_DIRECTORY} are expected`, offset);
  if (offset + size > source.size) throw broken(source, "its directory lies beyond its end (is the download complete?)", offset);
  const bytes = await readRange(source, offset, size, signal), view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > size || view.getUint32(at, true) !== CENTRAL) throw broken(source, `entry ${i} of its directory is damaged`, offset + at);
    const nameBytes = view.getUint16(at + 28, true), extraBytes = view.getUint16(at + 30, true), commentBytes = view.getUint16(at + 32, true);
    const next = at + CENTRAL_BYTES + nameBytes + extraBytes + commentBytes;
    if (next > size) throw broken(source, `entry ${i} of its directory is cut`, offset + at);
    const name = new TextDecoder().decode(bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes));
    const fail = (problem: string) => broken(source, `its entry ${JSON.stringify(name.slice(0, 100))} ${problem}`, offset + at);
    if (view.getUint16(at + 8, true) & 1) throw fail("is encrypted");
    if (view.getUint16(at + 10, true) !== 0) throw fail("is compressed; torch.save stores its entries");
    const extra = viewOf(bytes.subarray(at + CENTRAL_BYTES + nameBytes, at + CENTRAL_BYTES + nameBytes + extraBytes));
    const [size32, packed32, header32] = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
    const numbers = withZip64([size32, packed32, header32], extra);
    if (numbers === undefined) throw fail("has sizes that cannot be");
    const [bytesInside, packed, header] = numbers;
    if (packed !== bytesInside) throw fail("has two different sizes");
    if (header + LOCAL_BYTES + bytesInside > source.size) throw fail("lies beyond the end of the file (is the download complete?)");
    if (entries.has(name)) throw fail("is there twice");
    entries.set(name, { name, size: bytesInside, header });
    at = next;
  }
  return entries;
}

/**
 * Start of an entry's data: after its local header, which states its own length.
 * @throws IJepaError `weights/format`, `io/read`, `aborted`
 */
export async function dataStart(source: ByteSource, entry: ZipEntry, signal?: AbortSignal): Promise<number> {
  const view = viewOf(await readRange(source, entry.header, LOCAL_BYTES, signal));
  const start = entry.header + LOCAL_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
  if (view.getUint32(0, true) !== LOCAL || start + entry.size > source.size) {
    throw broken(source, `its entry ${JSON.stringify(entry.name.slice(0, 100))} does not begin where the directory says`, entry.header);
  }
  return start;
}

export function broken(source: ByteSource, problem: string, offset?: number): IJepaError<"weights/format"> {
  const details = { file: source.name, ...(offset === undefined ? {} : { offset }) };
  return new IJepaError("weights/format", `${source.name} is not a valid torch.save file: ${problem}.`, details);
}

async function findDirectory(source: ByteSource, signal: AbortSignal | undefined): Promise<{ offset: number; size: number; count: number }> {
  const length = Math.min(source.size, MAX_END), from = source.size - length;
  const tail = viewOf(await readRange(source, from, length, signal));
  let end = length - END_BYTES;
  while (end >= 0 && !(tail.getUint32(end, true) === END && end + END_BYTES + tail.getUint16(end + 20, true) === length)) end--;
  if (end < 0) throw broken(source, "it has no end record (is the download complete?)", source.size);
  const locator = end - LOCATOR64_BYTES;
  if (locator < 0 || tail.getUint32(locator, true) !== LOCATOR64) {
    return { count: tail.getUint16(end + 10, true), size: tail.getUint32(end + 12, true), offset: tail.getUint32(end + 16, true) };
  }
  const at = Number(tail.getBigUint64(locator + 8, true));
  if (at + END64_BYTES > source.size) throw broken(source, "its zip64 record lies beyond its end", from + locator);
  const record = viewOf(await readRange(source, at, END64_BYTES, signal));
  if (record.getUint32(0, true) !== END64) throw broken(source, "its zip64 record is damaged", at);
  const [count, size, offset] = [32, 40, 48].map((place) => Number(record.getBigUint64(place, true)));
  return { count, size, offset };
}

/** Each number that is 2^32 - 1 is in the zip64 field of the extra data, in order; undefined if it is missing. */
function withZip64(numbers: readonly number[], extra: DataView): number[] | undefined {
  if (!numbers.includes(IN_ZIP64)) return [...numbers];
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = extra.getUint16(at + 2, true), end = at + 4 + length;
    if (extra.getUint16(at, true) === ZIP64_EXTRA && end <= extra.byteLength) {
      let place = at + 4;
      const whole = numbers.map((number) => {
        if (number !== IN_ZIP64) return number;
        place += 8;
        return place <= end ? Number(extra.getBigUint64(place - 8, true)) : NaN;
      });
      return whole.some(Number.isNaN) ? undefined : whole;
    }
    at = end;
  }
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
