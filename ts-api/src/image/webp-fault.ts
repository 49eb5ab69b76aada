/** From a WebP file that libwebp refuses to the reason, which libwebp does not give. */
import { IJepaError, isIJepaError } from "../core/errors.js";
import { corrupt } from "./image-error.js";

interface Chunk {
  id: string;
  data: Uint8Array;
}

const RIFF_HEADER = 12;
const CHUNK_HEADER = 8;
const FRAME_HEADER = 16;
const BITSTREAMS = ["VP8 ", "VP8L"];

/** The error for a file that libwebp refuses before its pixels. */
export function webpFault(bytes: Uint8Array, source: string): IJepaError {
  try {
    const announced = u32(bytes, 4) + CHUNK_HEADER;
    if (announced > bytes.length) return corrupt(source, "WebP", `it should have ${announced} bytes but has ${bytes.length}`);
    const chunks = readChunks(bytes.subarray(RIFF_HEADER, announced), source);
    const frame = chunks.find(({ id }) => id === "ANMF")?.data;
    const canvas = chunks.find(({ id }) => id === "VP8X")?.data;
    if (frame !== undefined && canvas !== undefined && canvas.length >= 10) checkFrame(frame, canvas, source);
    else checkSize(sizeOf(bitstreamOf(chunks, source, "it"), source), source);
  } catch (error) {
    if (isIJepaError(error)) return error;
    throw error;
  }
  return corrupt(source, "WebP", "its chunks do not fit together");
}

function readChunks(body: Uint8Array, source: string): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at + CHUNK_HEADER <= body.length; ) {
    const id = String.fromCharCode(...body.subarray(at, at + 4));
    const size = u32(body, at + 4);
    const end = at + CHUNK_HEADER + size;
    if (end > body.length) throw corrupt(source, "WebP", `its chunk ${JSON.stringify(id)} is not complete`);
    chunks.push({ id, data: body.subarray(at + CHUNK_HEADER, end) });
    at = end + (size % 2);
  }
  return chunks;
}

function bitstreamOf(chunks: readonly Chunk[], source: string, what: string): Chunk {
  const bitstream = chunks.find(({ id }) => BITSTREAMS.includes(id));
  if (bitstream === undefined) throw corrupt(source, "WebP", `${what} has no image data`);
  return bitstream;
}

function sizeOf({ id, data }: Chunk, source: string): [width: number, height: number] {
  if (id === "VP8L" && data.length >= 5 && data[0] === 0x2f) {
    const bits = u32(data, 1);
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  if (id === "VP8 " && data.length >= 10 && data[3] === 0x9d && data[4] === 0x01 && data[5] === 0x2a) {
    return [(data[6] | (data[7] << 8)) & 0x3fff, (data[8] | (data[9] << 8)) & 0x3fff];
  }
  throw corrupt(source, "WebP", `its chunk ${JSON.stringify(id)} has no valid header`);
}

function checkSize([width, height]: [number, number], source: string): void {
  if (width > 0 && height > 0) return;
  throw new IJepaError("image/empty", `${source} is a WebP image of ${width} x ${height}: it has no pixels.`, { source });
}

function checkFrame(frame: Uint8Array, canvas: Uint8Array, source: string): void {
  if (frame.length < FRAME_HEADER) throw corrupt(source, "WebP", "the header of its first frame is not complete");
  const [width, height] = sizeOf(bitstreamOf(readChunks(frame.subarray(FRAME_HEADER), source), source, "its first frame"), source);
  if (u24(frame, 0) * 2 + width > u24(canvas, 4) + 1 || u24(frame, 3) * 2 + height > u24(canvas, 7) + 1) {
    throw corrupt(source, "WebP", "its first frame does not fit its canvas");
  }
}

function u24(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u24(bytes, at) | (bytes[at + 3] << 24)) >>> 0;
}
