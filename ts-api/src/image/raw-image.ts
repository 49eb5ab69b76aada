/** Decoded images: what they consist of, and the check of those that callers hand over. */
import { IJepaError } from "../core/errors.js";
import { wrongType } from "../core/options.js";
import { show } from "../core/show.js";

const PIXELS = "{ data, width, height, channels }, as loadImage gives it";

/** Above this many pixels Pillow refuses an image as a decompression bomb: twice its `MAX_IMAGE_PIXELS`. */
export const DEFAULT_MAX_PIXELS = 2 * 89_478_485;

/** Pixels as they lie in memory: row by row, `channels` bytes a pixel, no padding. */
export interface RawImage {
  /** `height * width * channels` bytes. */
  readonly data: Uint8Array | Uint8ClampedArray;
  /** Pixels of a row. */
  readonly width: number;
  /** Rows of pixels. */
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
  readonly channels: number;
  /** For a damaged file that could be read: what is wrong with it, in clauses without a full stop. */
  readonly warnings?: readonly string[];
}

/** A decoded image: `height * width * 3` bytes, red first. */
export interface RgbImage extends RawImage {
  readonly data: Uint8Array;
  readonly channels: 3;
}

/** The result of a decoder; `warnings` is empty for an intact file. */
export interface DecodedImage extends RgbImage {
  readonly warnings: readonly string[];
}

/**
 * Checks that `image` is what `RawImage` says.
 *
 * @param name the image's name in messages
 * @throws TypeError when `image` is not such an object
 * @throws IJepaError `image/empty` for a side of 0, `input/value` for another number of channels than 1 to 4,
 *   `input/shape` when the data has another length than the sides ask for
 */
export function checkRawImage(image: RawImage, name: string): void {
  if (typeof image !== "object" || image === null) {
    throw wrongType(name, PIXELS, image);
  }
  const { data, width, height, channels } = image;
  if (data === undefined) throw wrongType(name, PIXELS, image);
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new TypeError(`${name}.data must be a Uint8Array of 8-bit pixels, not ${show(data)}.`);
  }
  if (![width, height].every((side) => Number.isInteger(side) && side >= 0)) {
    throw new TypeError(`${name} must have whole numbers as width and height, not ${String(width)} and ${String(height)}.`);
  }
  if (width === 0 || height === 0) {
    throw new IJepaError("image/empty", `${name} is ${width} x ${height}: it has no pixels.`, { source: name });
  }
  if (![1, 2, 3, 4].includes(channels)) {
    const message = `${name} has ${String(channels)} channels; give 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).`;
    throw new IJepaError("input/value", message, { name: `${name}.channels`, value: channels });
  }
  const bytes = width * height * channels;
  if (data.length !== bytes) {
    const size = `${width} x ${height} pixels with ${channels} channels`;
    const message = `${name} of ${size} needs ${bytes} bytes, but has ${data.length}.`;
    throw new IJepaError("input/shape", message, { name: `${name}.data`, expected: `${bytes} bytes`, actual: [data.length] });
  }
}

/** The same pixels without alpha: 2 channels become 1, 4 become 3. Colours are not blended with a background. */
export function dropAlpha(image: RawImage): RawImage {
  const { data, width, height, channels } = image;
  if (channels !== 2 && channels !== 4) return image;
  const kept = channels - 1;
  const opaque = new Uint8Array(width * height * kept);
  for (let from = 0, to = 0; to < opaque.length; from += channels) {
    for (let c = 0; c < kept; c++) opaque[to++] = data[from + c];
  }
  return { data: opaque, width, height, channels: kept };
}

/** The same pixels as RGB: grey is repeated, alpha dropped. */
export function toRgb(image: RawImage): RgbImage {
  const { data, width, height, channels } = dropAlpha(image);
  if (channels === 3) {
    const bytes = data instanceof Uint8Array ? data : new Uint8Array(data.buffer, data.byteOffset, data.length);
    return { data: bytes, width, height, channels: 3 };
  }
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) rgb.fill(data[i], i * 3, i * 3 + 3);
  return { data: rgb, width, height, channels: 3 };
}
