/** From a PNG file to its chunks, as Pillow reads them: strict up to the image data, lenient after it. */
import { crc32 } from "./crc32.js";
import { corrupt } from "./image-error.js";

export interface Chunk {
  type: string;
  data: Uint8Array;
}

export interface PngChunks {
  /** The chunks before the image data, and those behind it. */
  head: Chunk[];
  tail: Chunk[];
  /** The compressed pixels, chunk by chunk. */
  compressed: Uint8Array[];
  /** The file ends within the last chunk of the image data. */
  cut: boolean;
  /** Problems that do not prevent reading the pixels. */
  warnings: string[];
  /** A problem after the image data for which Pillow refuses the file. */
  fault: string | undefined;
}

const SIGNATURE_BYTES = 8;
/** Length, type and checksum. */
const CHUNK_FRAME_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const NO_END = "it has no end marker";
/** Of a file that is wrong everywhere, the first few faults tell enough. */
const MAX_WARNINGS = 8;

/** @throws IJepaError `image/corrupt` for what is wrong before the image data */
export function readPngChunks(bytes: Uint8Array, source: string): PngChunks {
  const file: PngChunks = { head: [], tail: [], compressed: [], cut: false, warnings: [], fault: undefined };
  const end = readPixels(bytes, readHead(bytes, file.head, source), file);
  if (end !== undefined) readTail(bytes, end, file);
  return file;
}

/** Reads the chunks before the image data; returns where the data begins. */
function readHead(bytes: Uint8Array, chunks: Chunk[], source: string): number {
  for (let at = SIGNATURE_BYTES; ; ) {
    const chunk = chunkAt(bytes, at);
    if (chunk?.type === "IDAT") return at;
    const first = chunks[0]?.type ?? "IHDR";
    if (chunk === undefined && first !== "IHDR" && !chunks.some(({ type }) => type === "IHDR")) {
      throw corrupt(source, "PNG", `it begins with the chunk ${first}, not with IHDR`);
    }
    if (chunk === undefined || chunk.end > bytes.length) throw corrupt(source, "PNG", `the data ends at byte ${bytes.length}, before its image data`);
    if (!chunk.valid) throw corrupt(source, "PNG", `the bytes at ${at} are not a chunk`);
    if (!checks(bytes, at, chunk.end)) throw corrupt(source, "PNG", `the checksum of the chunk ${chunk.type} at byte ${at} is wrong`);
    if (chunk.type === "IEND") throw corrupt(source, "PNG", "it has no image data");
    chunks.push({ type: chunk.type, data: chunk.data });
    at = chunk.end;
  }
}

/** Reads the consecutive chunks of the image data; returns where they end, unless the file ends first. */
function readPixels(bytes: Uint8Array, at: number, file: PngChunks): number | undefined {
  for (;;) {
    const chunk = chunkAt(bytes, at);
    if (chunk?.type !== "IDAT") return at;
    file.compressed.push(chunk.data);
    if (chunk.end > bytes.length) {
      file.cut = chunk.data.length < chunk.length;
      file.warnings.push(NO_END);
      return undefined;
    }
    if (!checks(bytes, at, chunk.end)) warn(file, `the checksum of the chunk IDAT at byte ${at} is wrong`);
    at = chunk.end;
  }
}

function readTail(bytes: Uint8Array, at: number, file: PngChunks): void {
  const animated = isAnimated(file.head);
  for (;;) {
    const chunk = chunkAt(bytes, at);
    if (animated && chunk?.type === "fcTL") return; // what the other pictures of an animation have is not this one's
    if (chunk?.type === "IEND") {
      if (chunk.end > bytes.length) file.warnings.push("its end marker is not complete");
      else if (!checks(bytes, at, chunk.end)) file.warnings.push("the checksum of its end marker is wrong");
      return;
    }
    if (chunk === undefined || !chunk.valid) {
      file.warnings.push(at < bytes.length ? `the bytes after its image data, at byte ${at}, are not a chunk` : NO_END);
      return;
    }
    if (chunk.data.length < chunk.length) {
      file.fault = `the data ends at byte ${bytes.length}, inside the chunk ${chunk.type}`;
      return;
    }
    if (!checks(bytes, at, chunk.end)) warn(file, `the checksum of the chunk ${chunk.type} at byte ${at} is wrong`);
    file.tail.push({ type: chunk.type, data: chunk.data });
    at = chunk.end;
  }
}

/** Whether more pictures follow, each behind a chunk fcTL. One that the first picture lacks makes it a picture of its own. */
function isAnimated(head: readonly Chunk[]): boolean {
  const [control, second] = head.filter(({ type }) => type === "acTL"), first = head.some(({ type }) => type === "fcTL") ? 1 : 0;
  if (control === undefined || second !== undefined || control.data.length < 8) return false;
  const frames = new DataView(control.data.buffer, control.data.byteOffset).getUint32(0);
  return frames > first && frames <= 2 ** 31;
}

function warn({ warnings }: PngChunks, fault: string): void {
  if (warnings.length < MAX_WARNINGS) warnings.push(fault);
}

/** The chunk at byte `at`, with as much of its data as the file has; undefined if the file is too short for length and type. */
function chunkAt(bytes: Uint8Array, at: number) {
  if (at + CHUNK_HEADER_BYTES > bytes.length) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
  const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
  const data = bytes.subarray(at + CHUNK_HEADER_BYTES, at + CHUNK_HEADER_BYTES + length);
  return { type, length, data, valid: /^\w{4}$/.test(type), end: at + CHUNK_FRAME_BYTES + length };
}

/** Whether the chunk from `at` to `end` matches its checksum; false for a chunk that is cut off. */
function checks(bytes: Uint8Array, at: number, end: number): boolean {
  return end <= bytes.length && crc32(bytes.subarray(at + 4, end - 4)) === new DataView(bytes.buffer, bytes.byteOffset).getUint32(end - 4);
}
