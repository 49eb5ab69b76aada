/** From the size of an image to the size that the model takes, in the arithmetic of transformers' image processors. */
import type { RawImage } from "./raw-image.js";

/** Pixels down and across. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/**
 * The target size of an image, with the names of preprocessor_config.json: exactly to `height` and `width`; the shorter side to
 * `shortest_edge` and the longer one in proportion, but not over `longest_edge`; or as large as fits `max_height` and `max_width`.
 */
export type ResizeTarget =
  | ImageSize
  | { readonly shortest_edge: number; readonly longest_edge?: number }
  | { readonly max_height: number; readonly max_width: number };

/** The new size of an image of `height` x `width`. A side may be 0. */
export function resizedSize({ height, width }: ImageSize, target: ResizeTarget): ImageSize {
  if ("height" in target) return target;
  if ("max_height" in target) {
    const scale = Math.min(target.max_height / height, target.max_width / width);
    return { height: Math.trunc(height * scale), width: Math.trunc(width * scale) };
  }
  const { longest_edge: longest } = target;
  let short: number = target.shortest_edge, exact: number = short;
  if (longest !== undefined) {
    const smaller = Math.min(height, width), larger = Math.max(height, width);
    if ((larger / smaller) * short > longest) {
      exact = (longest * smaller) / larger;
      short = roundHalfToEven(exact);
    }
    if (smaller === short) return { height, width };
  }
  // The products and quotients are those of Python's doubles, in this order.
  return width < height
    ? { height: Math.trunc((exact * height) / width), width: short }
    : { height: short, width: Math.trunc((exact * width) / height) };
}

/** Python's round. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value), rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** The middle of an image; a smaller image gets a black border. An odd pixel goes to the left and to the top. */
export function centerCrop(image: RawImage, { height, width }: ImageSize): RawImage {
  const { data, channels } = image;
  const cropped = new Uint8Array(height * width * channels);
  const down = along(image.height, height), across = along(image.width, width);
  for (let y = 0; y < down.count; y++) {
    const from = ((down.from + y) * image.width + across.from) * channels;
    const to = ((down.to + y) * width + across.to) * channels;
    cropped.set(data.subarray(from, from + across.count * channels), to);
  }
  return { data: cropped, width, height, channels };
}

/** Which pixels of one side are taken, and where they go. */
function along(side: number, cropped: number): { from: number; to: number; count: number } {
  if (side >= cropped) return { from: Math.floor((side - cropped) / 2), to: 0, count: cropped };
  return { from: 0, to: Math.ceil((cropped - side) / 2), count: side };
}
