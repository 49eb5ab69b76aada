/** Pillow's `Image.resize` for 8-bit images, bit for bit: RGB by the kernels of `assembly/image/resample.ts`, and all of it by plain loops. */
import { IJepaError } from "../core/errors.js";
import { checkRawImage, type RawImage } from "./raw-image.js";
import { openedResizer } from "./resizer.js";
import { axisTable, COEFFICIENT_BITS, RESAMPLE, type AxisTable, type Resample } from "./resample-table.js";

export { RESAMPLE } from "./resample-table.js";
export type { Resample } from "./resample-table.js";

/** Half of the last bit that is kept: sums begin with it, so that the shift rounds. */
const HALF = 1 << (COEFFICIENT_BITS - 1);

/**
 * Resizes an image with 1 to 4 channels, each separately. When shrinking, the filter covers all input pixels of an output pixel
 * (antialiasing). The aspect ratio is not kept.
 *
 * @param width pixels across of the result
 * @param height pixels down of the result
 * @param resample Pillow's filter number: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming
 * @throws IJepaError `input/value` for a size below 1 or an unknown filter, and what `checkRawImage` throws
 */
export function resize(image: RawImage, width: number, height: number, resample: Resample): RawImage {
  checkRawImage(image, "image");
  for (const [name, value] of Object.entries({ width, height })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new IJepaError("input/value", `${name} must be a whole number from 1 up, not ${String(value)}.`, { name, value });
    }
  }
  if (!Object.values(RESAMPLE).includes(resample)) {
    const known = Object.entries(RESAMPLE).map(([name, id]) => `${id} ${name}`);
    const message = `resample must be one of ${known.join(", ")}, not ${String(resample)}.`;
    throw new IJepaError("input/value", message, { name: "resample", value: resample });
  }
  if (image.width === width && image.height === height) return { ...image, data: image.data.slice() };
  if (resample === RESAMPLE.nearest) return nearest(image, width, height);

  const vertical = axisTable(image.height, height, resample);
  // The rows that the vertical pass reads; the others need no horizontal pass.
  const firstRow = vertical.first[0];
  const lastRow = vertical.first[height - 1] + vertical.count[height - 1];
  const rows = crop(image, firstRow, lastRow);
  if (image.channels === 3 && image.width !== width && image.height !== height) {
    const data = openedResizer()?.resample(rows, axisTable(image.width, width, resample), startingAt(vertical, firstRow));
    if (data !== undefined) return { data, width, height, channels: 3 };
  }
  const narrowed = image.width === width ? rows : resampleRows(rows, width, axisTable(image.width, width, resample));
  return image.height === height ? narrowed : resampleColumns(narrowed, height, vertical, firstRow);
}

/** The table for rows that are counted from `row`. */
function startingAt(table: AxisTable, row: number): AxisTable {
  return { ...table, first: table.first.map((first) => first - row) };
}

/** Rows `from` to `to` (not included), without a copy. */
function crop(image: RawImage, from: number, to: number): RawImage {
  const rowBytes = image.width * image.channels;
  return { ...image, data: image.data.subarray(from * rowBytes, to * rowBytes), height: to - from };
}

/** The horizontal pass: every row to `width` pixels. */
function resampleRows(image: RawImage, width: number, table: AxisTable): RawImage {
  const { height, channels } = image;
  const out = new Uint8ClampedArray(height * width * channels);
  if (channels === 3) resampleRgbRows(image, out, width, table);
  else resampleAnyRows(image, out, width, table);
  return { data: bytesOf(out), width, height, channels };
}

function resampleAnyRows(image: RawImage, out: Uint8ClampedArray, width: number, table: AxisTable): void {
  const { data, width: inWidth, height, channels } = image;
  const { first, count, coefficients, width: stride } = table;
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = HALF;
        let at = (y * inWidth + first[x]) * channels + c;
        for (let k = x * stride, end = k + count[x]; k < end; k++, at += channels) {
          sum = (sum + Math.imul(data[at], coefficients[k])) | 0;
        }
        out[to++] = sum >> COEFFICIENT_BITS;
      }
    }
  }
}

/** `resampleAnyRows` with three sums at a time, for speed. */
function resampleRgbRows(image: RawImage, out: Uint8ClampedArray, width: number, table: AxisTable): void {
  const { data, width: inWidth, height } = image;
  const { first, count, coefficients, width: stride } = table;
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let at = (y * inWidth + first[x]) * 3;
      for (let k = x * stride, end = k + count[x]; k < end; k++, at += 3) {
        const coefficient = coefficients[k];
        red = (red + Math.imul(data[at], coefficient)) | 0;
        green = (green + Math.imul(data[at + 1], coefficient)) | 0;
        blue = (blue + Math.imul(data[at + 2], coefficient)) | 0;
      }
      out[to++] = red >> COEFFICIENT_BITS;
      out[to++] = green >> COEFFICIENT_BITS;
      out[to++] = blue >> COEFFICIENT_BITS;
    }
  }
}

/** The vertical pass. `firstRow` is the table's number of the image's row 0. */
function resampleColumns({ data, width, channels }: RawImage, height: number, table: AxisTable, firstRow: number): RawImage {
  const rowBytes = width * channels;
  const out = new Uint8ClampedArray(height * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < table.count[y]; k++) {
      const coefficient = table.coefficients[y * table.width + k];
      const from = (table.first[y] - firstRow + k) * rowBytes;
      for (let i = 0; i < rowBytes; i++) sums[i] = (sums[i] + Math.imul(data[from + i], coefficient)) | 0;
    }
    for (let i = 0; i < rowBytes; i++) out[y * rowBytes + i] = sums[i] >> COEFFICIENT_BITS;
  }
  return { data: bytesOf(out), width, height, channels };
}

/** A clamped array took the values to 0..255; its bytes are the pixels. */
function bytesOf(clamped: Uint8ClampedArray): Uint8Array {
  return new Uint8Array(clamped.buffer);
}

/** Takes the input pixel under each output pixel's centre. */
function nearest({ data, width: inWidth, height: inHeight, channels }: RawImage, width: number, height: number): RawImage {
  const columns = centres(inWidth, width);
  const rows = centres(inHeight, height);
  const out = new Uint8Array(width * height * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (rows[y] * inWidth + columns[x]) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c];
    }
  }
  return { data: out, width, height, channels };
}

/** Pillow adds the step repeatedly instead of multiplying it; that matters when a centre falls between two pixels. */
function centres(inSize: number, outSize: number): Int32Array {
  const step = inSize / outSize;
  const positions = new Int32Array(outSize);
  for (let i = 0, position = step * 0.5; i < outSize; i++, position += step) positions[i] = position;
  return positions;
}
