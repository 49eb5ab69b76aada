/**
 * PNG: header, metadata and pixels of the chunks in png-chunks.ts. The pixels are in png-pixels.ts.
 *
 * Written here and not taken from a package: fast-png does not decode interlaced images below 8 bits and inflates
 * without a bound, so that a file of a few megabytes can take gigabytes. Only the inflation is a package's (pako).
 */
import { corrupt } from "./image-error.js";
import { inflate, type Inflated } from "./inflate.js";
import type { OrientationMetadata } from "./orientation.js";
import { readPngChunks, type PngChunks } from "./png-chunks.js";
import { MAX_DEFLATE_RATIO } from "./png-format.js";
import { decodePngPixels, inflatedBytes, wholeRows, type PngFormat } from "./png-pixels.js";
import { readMetadata } from "./png-text.js";
import type { DecodedImage } from "./raw-image.js";

/** What the chunks of a PNG file tell. */
export interface PngHeader extends PngFormat, OrientationMetadata {
  file: PngChunks;
}

const IHDR_BYTES = 13;
const PALETTE = 3;
const MAX_COLOURS = 256;
/** Bit depths that each colour type may have. */
const DEPTHS: Record<number, readonly number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };

/**
 * Files that end early, have junk behind their image data or wrong checksums from there on are read, as far as Pillow does.
 *
 * @throws IJepaError `image/corrupt`, `image/too-complex`
 */
export async function readPngHeader(bytes: Uint8Array, source: string): Promise<PngHeader> {
  const file = readPngChunks(bytes, source);
  let format: PngFormat | undefined;
  let palette: Uint8Array | undefined;
  for (const { type, data } of file.head) {
    if (type === "IHDR") format = readFormat(data, source);
    else if (type === "PLTE" && format?.colourType === PALETTE) palette = data;
  }
  if (format === undefined) throw corrupt(source, "PNG", "its image data comes before its header");
  if (format.colourType === PALETTE) format.palette = checkPalette(palette, file.warnings, source);
  return { ...format, ...(await readMetadata([...file.head, ...file.tail], source)), file };
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

/** A palette may have fewer colours than its pixels name; bytes that make no whole colour do not count. */
function checkPalette(palette: Uint8Array | undefined, warnings: string[], source: string): Uint8Array {
  if (palette === undefined) throw corrupt(source, "PNG", "it needs a palette, but has none");
  const colours = Math.floor(palette.length / 3);
  if (colours > MAX_COLOURS) throw corrupt(source, "PNG", `its palette has ${colours} colours, not 1 to ${MAX_COLOURS}`);
  if (colours === 0 || palette.length % 3 !== 0) warnings.push(`its palette has ${palette.length} bytes, not 3 for each colour`);
  return palette.subarray(0, colours * 3);
}

/** @throws IJepaError `image/corrupt` */
export async function decodePng(header: PngHeader, source: string): Promise<DecodedImage> {
  const { width, height, file } = header;
  const { compressed, warnings } = file;
  const needed = inflatedBytes(header);
  const stored = compressed.reduce((sum, part) => sum + part.length, 0);
  if (needed > stored * MAX_DEFLATE_RATIO) {
    throw corrupt(source, "PNG", `${stored} bytes of compressed data are too few for ${width} x ${height} pixels`);
  }
  let inflated: Inflated;
  try {
    inflated = await inflate(compressed, needed);
  } catch (cause) {
    throw corrupt(source, "PNG", "its compressed data is damaged", cause);
  }
  const { bytes, ended, part } = inflated;
  const complete = bytes.length === needed;
  // A stream that ends on its own after a row leaves the rest of the picture empty.
  if (!complete && !(ended && wholeRows(header, bytes.length))) {
    throw corrupt(source, "PNG", `its data has ${bytes.length} of ${needed} bytes`);
  }
  if (file.fault !== undefined) throw corrupt(source, "PNG", file.fault);
  if (file.cut && part < compressed.length - 1) throw corrupt(source, "PNG", "the data ends inside a chunk after its pixels");
  if (!complete) warnings.push(`its image data has ${bytes.length} of ${needed} bytes`);
  try {
    return { ...decodePngPixels(header, bytes), warnings };
  } catch (cause) {
    throw corrupt(source, "PNG", cause instanceof RangeError ? cause.message : "its rows cannot be decoded", cause);
  }
}
