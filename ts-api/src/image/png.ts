/**
 * PNG: chunks and checksums. The pixels are in png-pixels.ts.
 *
 * Written here and not taken from a package: fast-png does not decode interlaced images below 8 bits and inflates
 * without a bound, so that a file of a few megabytes can take gigabytes. Only the inflation is a package's (pako).
 */
import { crc32 } from "./crc32.js";
import { corrupt } from "./image-error.js";
import { inflate, MAX_DEFLATE_RATIO } from "./inflate.js";
import type { OrientationMetadata } from "./orientation.js";
import { decodePngPixels, inflatedBytes } from "./png-pixels.js";
import type { PngFormat } from "./png-pixels.js";
import { readTextChunk } from "./png-text.js";
import type { RgbImage } from "./raw-image.js";

/** What the chunks of a PNG file tell. */
export interface PngHeader extends PngFormat, OrientationMetadata {
  /** The compressed pixels, chunk by chunk. */
  compressed: Uint8Array[];
}

const SIGNATURE_BYTES = 8;
const IHDR_BYTES = 13;
/** Length, type and checksum. */
const CHUNK_FRAME_BYTES = 12;
/** Bit depths that each colour type may have. */
const DEPTHS: Record<number, readonly number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };

/**
 * Walks over all chunks, so that a file cut anywhere before the end of IEND is refused; what follows IEND is ignored.
 * Checksums are verified, but as in Pillow not those of comments after the image data.
 *
 * @throws IJepaError `image/corrupt`
 */
export async function readPngHeader(bytes: Uint8Array, source: string): Promise<PngHeader> {
  const compressed: Uint8Array[] = [];
  let format: PngFormat | undefined;
  let palette: Uint8Array | undefined;
  let profile: OrientationMetadata = {};
  let exif: Uint8Array | undefined;
  for (const { type, data } of readChunks(bytes, source)) {
    if (type === "IHDR") format ??= readFormat(data, source);
    if (format === undefined) throw corrupt(source, "PNG", `it begins with the chunk ${type}, not with IHDR`);
    if (type === "PLTE") palette = data;
    else if (type === "IDAT") compressed.push(data);
    else if (type === "eXIf") exif = data;
    else if (["tEXt", "zTXt", "iTXt"].includes(type)) profile = { ...profile, ...(await readTextChunk(type, data)) };
  }
  if (format === undefined || compressed.length === 0) throw corrupt(source, "PNG", "it has no image data");
  if (format.colourType === 3) {
    const entries = (palette?.length ?? 0) / 3;
    if (palette === undefined || entries < 1 || entries > 256 || !Number.isInteger(entries)) {
      const what = palette ? `its palette has ${entries} colours, not 1 to 256` : "it needs a palette, but has none";
      throw corrupt(source, "PNG", what);
    }
    format.palette = palette;
  }
  return { ...format, exif: exif ?? profile.exif, xmp: profile.xmp, compressed };
}

/** The chunks from IHDR to the last one before IEND. */
function* readChunks(bytes: Uint8Array, source: string): Generator<{ type: string; data: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let imageData = false;
  for (let at = SIGNATURE_BYTES; ; ) {
    const length = at + CHUNK_FRAME_BYTES <= bytes.length ? view.getUint32(at) : 0;
    const end = at + CHUNK_FRAME_BYTES + length;
    if (end > bytes.length) throw corrupt(source, "PNG", `the data ends at byte ${bytes.length}, before its end marker`);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const critical = (bytes[at + 4] & 0x20) === 0;
    imageData ||= type === "IDAT";
    if ((critical || !imageData) && crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw corrupt(source, "PNG", `the checksum of the chunk ${type} at byte ${at} is wrong`);
    }
    if (type === "IEND") return;
    yield { type, data: bytes.subarray(at + 8, end - 4) };
    at = end;
  }
}

function readFormat(data: Uint8Array, source: string): PngFormat {
  if (data.length < IHDR_BYTES) throw corrupt(source, "PNG", `its header has ${data.length} bytes, not ${IHDR_BYTES}`);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const [depth, colourType, , filterMethod, interlace] = data.subarray(8);
  if (!DEPTHS[colourType]?.includes(depth)) {
    throw corrupt(source, "PNG", `colour type ${colourType} with ${depth} bits does not exist`);
  }
  if (filterMethod !== 0) throw corrupt(source, "PNG", `filter method ${filterMethod} does not exist`);
  return { width: view.getUint32(0), height: view.getUint32(4), depth, colourType, interlaced: interlace !== 0 };
}

/** @throws IJepaError `image/corrupt` */
export async function decodePng(header: PngHeader, source: string): Promise<RgbImage> {
  const { width, height, compressed } = header;
  const needed = inflatedBytes(header);
  const stored = compressed.reduce((sum, part) => sum + part.length, 0);
  if (needed > stored * MAX_DEFLATE_RATIO) {
    throw corrupt(source, "PNG", `${stored} bytes of compressed data are too few for ${width} x ${height} pixels`);
  }
  let filtered: Uint8Array;
  try {
    filtered = await inflate(compressed, needed);
  } catch (cause) {
    throw corrupt(source, "PNG", "its compressed data is damaged", cause);
  }
  if (filtered.length < needed) throw corrupt(source, "PNG", `its data has ${filtered.length} of ${needed} bytes`);
  try {
    return decodePngPixels(header, filtered);
  } catch (cause) {
    throw corrupt(source, "PNG", cause instanceof RangeError ? cause.message : "its rows cannot be decoded", cause);
  }
}
