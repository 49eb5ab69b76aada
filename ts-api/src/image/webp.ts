/** WebP: a walk over the RIFF chunks for size and metadata, then the pixels by libwebp. */
import { runtime } from "#runtime";
import { Codec } from "./codec.js";
import type { CodecFactory, RgbaPixels } from "./codec.js";
import { corrupt } from "./image-error.js";
import type { OrientationMetadata } from "./orientation.js";

interface Size {
  width: number;
  height: number;
}

/** What the chunks of a WebP file tell. The size is that of the canvas. */
export interface WebpHeader extends Size, OrientationMetadata {
  /** The first frame of an animation. */
  frame?: WebpFrame;
}

interface WebpFrame {
  /** A still WebP file with this frame alone. */
  file: Uint8Array;
  /** Where its top left pixel lies on the canvas. */
  x: number;
  y: number;
}

interface Chunk {
  id: string;
  /** The chunk with its header, padded to an even length. */
  whole: Uint8Array;
  data: Uint8Array;
}

const RIFF_HEADER = 12;
const CHUNK_HEADER = 8;
const FRAME_HEADER = 16;
const BITSTREAMS = ["VP8 ", "VP8L"];
const ALPHA_FLAG = 0x10;

/** @throws IJepaError `image/corrupt` when the file is shorter than it says, or a chunk leaves its place */
export function readWebpHeader(bytes: Uint8Array, source: string): WebpHeader {
  const riffBytes = u32(bytes, 4) + CHUNK_HEADER;
  if (riffBytes > bytes.length) throw corrupt(source, "WebP", `it should have ${riffBytes} bytes but has ${bytes.length}`);
  const chunks = readChunks(bytes.subarray(RIFF_HEADER, riffBytes), source);
  const find = (id: string) => chunks.find((chunk) => chunk.id === id)?.data;
  const metadata = { exif: find("EXIF"), xmp: find("XMP ") };
  const animation = find("ANMF");
  const canvas = find("VP8X");
  if (animation !== undefined && canvas !== undefined && canvas.length >= 10) {
    const size = { width: u24(canvas, 4) + 1, height: u24(canvas, 7) + 1 };
    return { ...size, frame: readFrame(animation, size, source), ...metadata };
  }
  const still = chunks.find((chunk) => BITSTREAMS.includes(chunk.id));
  if (still === undefined) throw corrupt(source, "WebP", "it has no image data");
  return { ...bitstreamSize(still, source), ...metadata };
}

function readChunks(body: Uint8Array, source: string): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at + CHUNK_HEADER <= body.length; ) {
    const id = String.fromCharCode(...body.subarray(at, at + 4));
    const size = u32(body, at + 4);
    const end = at + CHUNK_HEADER + size;
    if (end > body.length) throw corrupt(source, "WebP", `its chunk "${id}" is not complete`);
    const next = Math.min(end + (size % 2), body.length);
    chunks.push({ id, whole: body.subarray(at, next), data: body.subarray(at + CHUNK_HEADER, end) });
    at = next;
  }
  return chunks;
}

function bitstreamSize({ id, data }: Chunk, source: string): Size {
  if (id === "VP8L" && data.length >= 5 && data[0] === 0x2f) {
    const bits = u32(data, 1);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (id === "VP8 " && data.length >= 10 && data[3] === 0x9d && data[4] === 0x01 && data[5] === 0x2a) {
    return { width: (data[6] | (data[7] << 8)) & 0x3fff, height: (data[8] | (data[9] << 8)) & 0x3fff };
  }
  throw corrupt(source, "WebP", `its chunk "${id}" has no valid header`);
}

/** Turns the frame of an animation into a still file, which is all that the codec decodes. */
function readFrame(data: Uint8Array, canvas: Size, source: string): WebpFrame {
  if (data.length < FRAME_HEADER) throw corrupt(source, "WebP", "the header of its first frame is not complete");
  const chunks = readChunks(data.subarray(FRAME_HEADER), source);
  const alpha = chunks.find((chunk) => chunk.id === "ALPH");
  const bitstream = chunks.find((chunk) => BITSTREAMS.includes(chunk.id));
  if (bitstream === undefined) throw corrupt(source, "WebP", "its first frame has no image data");
  const x = u24(data, 0) * 2;
  const y = u24(data, 3) * 2;
  const { width, height } = bitstreamSize(bitstream, source);
  if (x + width > canvas.width || y + height > canvas.height) {
    throw corrupt(source, "WebP", "its first frame does not fit its canvas");
  }

  const parts = alpha ? [extendedHeader(data.subarray(6, 12)), alpha.whole, bitstream.whole] : [bitstream.whole];
  const bodyBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const file = new Uint8Array(RIFF_HEADER + bodyBytes);
  file.set(new TextEncoder().encode("RIFF____WEBP"));
  new DataView(file.buffer).setUint32(4, file.length - CHUNK_HEADER, true);
  let at = RIFF_HEADER;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return { file, x, y };
}

/** A VP8X chunk that announces alpha; `size` is width - 1 and height - 1, 3 bytes each. */
function extendedHeader(size: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(CHUNK_HEADER + 10);
  chunk.set(new TextEncoder().encode("VP8X"));
  chunk[4] = 10;
  chunk[CHUNK_HEADER] = ALPHA_FLAG;
  chunk.set(size, CHUNK_HEADER + 4);
  return chunk;
}

function u24(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u24(bytes, at) | (bytes[at + 3] << 24)) >>> 0;
}

const codec = new Codec(async () => {
  const [glue, module] = await Promise.all([import("@jsquash/webp/codec/dec/webp_dec.js"), runtime.wasmModule("webp-decoder")]);
  return { factory: glue.default as unknown as CodecFactory, module };
});

/** The pixels of a still image or of the first frame, which is put on a black, transparent canvas. Throws CodecError. */
export async function decodeWebp(bytes: Uint8Array, { width, height, frame }: WebpHeader): Promise<RgbaPixels> {
  if (frame === undefined) return codec.decode(bytes);
  const part = await codec.decode(frame.file);
  if (part.width === width && part.height === height) return part;
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < part.height; y++) {
    const row = part.data.subarray(y * part.width * 4, (y + 1) * part.width * 4);
    data.set(row, ((frame.y + y) * width + frame.x) * 4);
  }
  return { data, width, height };
}
