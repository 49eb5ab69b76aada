/** PNG pixels: undoes the row filters and Adam7 interlacing and expands every colour type to RGB, as Pillow's `convert("RGB")`. */
import { paeth } from "./png-format.js";
import type { RgbImage } from "./raw-image.js";

export interface PngFormat {
  width: number;
  height: number;
  /** Bits a sample: 1, 2, 4, 8 or 16. */
  depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. */
  colourType: number;
  interlaced: boolean;
  /** Red, green and blue of each palette entry. */
  palette?: Uint8Array;
}

/** A grid of pixels that is stored as an image of its own. */
interface Pass {
  x: number;
  y: number;
  stepX: number;
  stepY: number;
}

const WHOLE: readonly Pass[] = [{ x: 0, y: 0, stepX: 1, stepY: 1 }];
const ADAM7: readonly Pass[] = [
  { x: 0, y: 0, stepX: 8, stepY: 8 },
  { x: 4, y: 0, stepX: 8, stepY: 8 },
  { x: 0, y: 4, stepX: 4, stepY: 8 },
  { x: 2, y: 0, stepX: 4, stepY: 4 },
  { x: 0, y: 2, stepX: 2, stepY: 4 },
  { x: 1, y: 0, stepX: 2, stepY: 2 },
  { x: 0, y: 1, stepX: 1, stepY: 2 },
];
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** The passes with their sizes; one without pixels is not stored. */
function passesOf({ width, height, depth, colourType, interlaced }: PngFormat) {
  return (interlaced ? ADAM7 : WHOLE).flatMap((pass) => {
    const cols = Math.ceil((width - pass.x) / pass.stepX);
    const rows = Math.ceil((height - pass.y) / pass.stepY);
    if (cols <= 0 || rows <= 0) return [];
    return [{ ...pass, cols, rows, rowBytes: Math.ceil((cols * depth * CHANNELS[colourType]) / 8) }];
  });
}

/** Bytes of the image before compression: for each row of each pass a filter byte and the packed samples. */
export function inflatedBytes(format: PngFormat): number {
  return passesOf(format).reduce((sum, { rows, rowBytes }) => sum + rows * (1 + rowBytes), 0);
}

/** Whether `bytes` of the image before compression end with a row, and at least one is there. */
export function wholeRows(format: PngFormat, bytes: number): boolean {
  let begin = 0;
  for (const { rows, rowBytes } of passesOf(format)) {
    const end = begin + rows * (1 + rowBytes);
    if (bytes <= end) return bytes > 0 && (bytes - begin) % (1 + rowBytes) === 0;
    begin = end;
  }
  return false;
}

/**
 * @param filtered `inflatedBytes(format)` bytes, or fewer whole rows; overwritten. Pixels that are not there are black, or the
 *   palette's first colour
 * @throws RangeError for a row with an unknown filter
 */
export function decodePngPixels(format: PngFormat, filtered: Uint8Array): RgbImage {
  const { width, height, depth, colourType } = format;
  const data = new Uint8Array(width * height * 3);
  if (format.palette && filtered.length < inflatedBytes(format)) fillWithFirstColour(data, format.palette);
  const pixelBytes = Math.max(1, (depth * CHANNELS[colourType]) / 8);
  const writeRow = rowWriter(format, data);
  let at = 0;
  for (const { x, y, stepX, stepY, cols, rows, rowBytes } of passesOf(format)) {
    let above: Uint8Array = new Uint8Array(rowBytes);
    for (let i = 0; i < rows && at < filtered.length; i++) {
      const row = filtered.subarray(at + 1, at + 1 + rowBytes);
      unfilter(filtered[at], row, above, pixelBytes);
      writeRow(row, cols, ((y + i * stepY) * width + x) * 3, stepX * 3);
      above = row;
      at += 1 + rowBytes;
    }
  }
  return { data, width, height, channels: 3 };
}

function fillWithFirstColour(data: Uint8Array, [red = 0, green = 0, blue = 0]: Uint8Array): void {
  for (let i = 0; i < data.length; i += 3) data.set([red, green, blue], i);
}

/** Undoes one row's filter in place. Bytes left of the row and above the first row count as 0. */
function unfilter(filter: number, row: Uint8Array, above: Uint8Array, pixelBytes: number): void {
  const n = row.length;
  switch (filter) {
    case 0:
      return;
    case 1:
      for (let i = pixelBytes; i < n; i++) row[i] += row[i - pixelBytes];
      return;
    case 2:
      for (let i = 0; i < n; i++) row[i] += above[i];
      return;
    case 3:
      for (let i = 0; i < n; i++) row[i] += ((i < pixelBytes ? 0 : row[i - pixelBytes]) + above[i]) >> 1;
      return;
    case 4:
      for (let i = 0; i < n; i++) {
        const inside = i >= pixelBytes;
        row[i] += paeth(inside ? row[i - pixelBytes] : 0, above[i], inside ? above[i - pixelBytes] : 0);
      }
      return;
    default:
      throw new RangeError(`a row has the unknown filter ${filter}`);
  }
}

/** Writes `cols` unfiltered pixels to `out`, from byte `to` on, `step` bytes apart. */
type RowWriter = (row: Uint8Array, cols: number, to: number, step: number) => void;

function rowWriter(format: PngFormat, out: Uint8Array): RowWriter {
  const { depth, colourType } = format;
  const sampleBytes = depth === 16 ? 2 : 1;
  if (colourType === 2 || colourType === 6) {
    // Of 16 bits the high byte is kept.
    const pixelBytes = sampleBytes * CHANNELS[colourType];
    return (row, cols, to, step) => {
      for (let i = 0, from = 0; i < cols; i++, from += pixelBytes, to += step) {
        out[to] = row[from];
        out[to + 1] = row[from + sampleBytes];
        out[to + 2] = row[from + 2 * sampleBytes];
      }
    };
  }
  const colours = colourType === 3 ? paletteColours(format) : greyColours(depth);
  const indexAt = indexReader(format);
  return (row, cols, to, step) => {
    for (let i = 0; i < cols; i++, to += step) {
      const colour = indexAt(row, i) * 3;
      out[to] = colours[colour];
      out[to + 1] = colours[colour + 1];
      out[to + 2] = colours[colour + 2];
    }
  };
}

/** Reads the sample of pixel `i` as a number from 0 to 255. */
function indexReader({ depth, colourType }: PngFormat): (row: Uint8Array, i: number) => number {
  if (depth < 8) {
    const mask = (1 << depth) - 1;
    return (row, i) => (row[(i * depth) >> 3] >> (8 - depth - ((i * depth) & 7))) & mask;
  }
  const channels = CHANNELS[colourType];
  if (depth === 8) return (row, i) => row[i * channels];
  // 16-bit grey and alpha: the high byte. 16-bit grey alone: Pillow does not scale it, but cuts it off at 255.
  if (colourType === 4) return (row, i) => row[i * 4];
  return (row, i) => (row[i * 2] > 0 ? 255 : row[i * 2 + 1]);
}

function greyColours(depth: number): Uint8Array {
  const scale = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  return Uint8Array.from({ length: 256 * 3 }, (_, i) => Math.floor(i / 3) * scale);
}

/** 256 colours; indices that the palette does not have are black. */
function paletteColours({ palette }: PngFormat): Uint8Array {
  const colours = new Uint8Array(256 * 3);
  if (palette) colours.set(palette);
  return colours;
}
