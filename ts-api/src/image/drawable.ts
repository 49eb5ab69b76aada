/** From what a browser has drawn, or can draw, to pixels. The browser's own decoder and colours apply, which differ between browsers. */
import { IJepaError } from "../core/errors.js";
import { messageOf } from "../core/show.js";
import { readError } from "./image-error.js";
import type { RawImage } from "./raw-image.js";

/** The type of a global class, if the host has it. */
type Global<Name extends string> = typeof globalThis extends { [N in Name]: { prototype: infer T } } ? T : never;

/** Image elements, canvases, bitmaps, videos and their frames. */
export type Drawable =
  | Global<"HTMLImageElement"> | Global<"SVGImageElement"> | Global<"HTMLCanvasElement"> | Global<"HTMLVideoElement">
  | Global<"OffscreenCanvas"> | Global<"ImageBitmap"> | Global<"VideoFrame">;

const KINDS = new Set(["HTMLImageElement", "SVGImageElement", "HTMLCanvasElement", "HTMLVideoElement", "OffscreenCanvas", "ImageBitmap", "VideoFrame"]);

interface Sides {
  width?: unknown;
  height?: unknown;
  naturalWidth?: number;
  naturalHeight?: number;
  videoWidth?: number;
  videoHeight?: number;
  displayWidth?: number;
  displayHeight?: number;
}

/** True for objects of these classes, of this window or another. */
export function isDrawable(value: object): value is Drawable {
  return KINDS.has(Object.prototype.toString.call(value).slice("[object ".length, -1));
}

/**
 * The pixels of something that a canvas can draw, at its own size. Transparent pixels are as the canvas returns them.
 *
 * @param name its name in messages
 * @throws IJepaError `image/empty`, `image/too-large`; `io/read` for an image that did not load, or whose pixels the page may not read
 */
export async function drawnPixels(source: Drawable, name: string, maxPixels: number): Promise<RawImage> {
  // An element's address may have been set a moment ago.
  const { decode } = source as { decode?: unknown };
  if (typeof decode === "function") await (source as { decode(): Promise<void> }).decode().catch((cause: unknown) => Promise.reject(readError(name, "its element has no loaded image", cause)));
  const [width, height] = sidesOf(source);
  if (!(width >= 1 && height >= 1)) throw new IJepaError("image/empty", `${name} is ${width} x ${height}: it has no pixels.`, { source: name });
  if (width * height > maxPixels) {
    const message = `${name} has ${width} x ${height} pixels, over the limit of ${maxPixels}. Scale it down, or raise maxPixels.`;
    throw new IJepaError("image/too-large", message, { source: name, width, height, maxPixels });
  }
  const context = contextOf(width, height);
  if (!context) throw readError(name, "this host has no canvas that reads its pixels", undefined, "Pass the bytes of its file.");
  try {
    context.drawImage(source, 0, 0, width, height);
    return { ...pixelsOf(context.getImageData(0, 0, width, height, { colorSpace: "srgb" })), channels: 4 };
  } catch (cause) {
    throw readError(name, messageOf(cause), cause, "Load it from the page's own origin, or with the attribute crossorigin.");
  }
}

function pixelsOf({ data, width, height }: ImageData): Omit<RawImage, "channels"> {
  return { data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), width, height };
}

/** The size of the image itself; an element may be shown at another size. */
function sidesOf({ width, height, naturalWidth, naturalHeight, videoWidth, videoHeight, displayWidth, displayHeight }: Sides): [width: number, height: number] {
  const side = (...lengths: unknown[]): number => lengths.map(lengthOf).find((length) => length !== undefined) ?? 0;
  return [side(naturalWidth, videoWidth, displayWidth, width), side(naturalHeight, videoHeight, displayHeight, height)];
}

/** Of SVG elements the length is inside an object. */
function lengthOf(length: unknown): number | undefined {
  if (typeof length === "number") return Math.round(length);
  const { baseVal } = (length ?? {}) as { baseVal?: { value: number } };
  return baseVal === undefined ? undefined : Math.round(baseVal.value);
}

function contextOf(width: number, height: number): OffscreenCanvasRenderingContext2D | null | undefined {
  const canvas = typeof OffscreenCanvas === "function" ? new OffscreenCanvas(width, height) : globalThis.document && Object.assign(document.createElement("canvas"), { width, height });
  return (canvas as OffscreenCanvas | undefined)?.getContext("2d", { willReadFrequently: true });
}
