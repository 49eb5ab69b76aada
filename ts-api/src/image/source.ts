/** From a path, URL, file, bytes or drawn element to an image's pixels. */
import { throwIfAborted, IJepaError } from "../core/errors.js";
import { readOptions, wrongType, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import { decodeImage, DEFAULT_MAX_PIXELS, DEFAULT_SOURCE, type DecodeOptions } from "./decode.js";
import { drawnPixels, isDrawable, type Drawable } from "./drawable.js";
import { readError, tooLong } from "./image-error.js";
import { checkRawImage, dropAlpha, type RawImage } from "./raw-image.js";
import { guarded, inTime, nameOf, readAddress, readBody, readResponse, type ReadLimits } from "./read-bytes.js";

/**
 * - a string or URL: a local path, or an http(s):, blob:, data: or file: URL; in browsers also one relative to the page;
 * - the bytes of an image file: Uint8Array, ArrayBuffer, Blob, File, Response, or a ReadableStream of bytes; the same bits as everywhere;
 * - an object with pixels: `RawImage`, or a canvas's ImageData, which has no `channels`;
 * - what a browser has drawn: an image element, a canvas, an ImageBitmap, a video or a frame of one. Its pixels are taken as they
 *   are; browsers decode and convert colours in their own ways, so the bits may differ from those of the file.
 */
export type ImageSource =
  | string | URL | Uint8Array | Uint8ClampedArray | DataView | ArrayBufferLike | Blob | Response | ReadableStream<Uint8Array>
  | RawImage | Omit<RawImage, "channels"> | Drawable;

/** Options of `loadImage`. */
export interface LoadImageOptions extends DecodeOptions {
  /** Stops a download. */
  signal?: AbortSignal | undefined;
  /** Largest file or download, in bytes. Default 256 MiB. */
  maxBytes?: number | undefined;
  /** Longest download from a URL, in milliseconds from the request to its last byte. Default 60000. */
  timeout?: number | undefined;
}

const DEFAULT_MAX_BYTES = 256 * 2 ** 20;
const DEFAULT_TIMEOUT = 60_000;
/** Timers take no more. */
const MAX_TIMEOUT = 2 ** 31 - 1;
const NAMES: OptionNames<LoadImageOptions> = { source: "string", maxPixels: true, strict: "boolean", signal: "AbortSignal", maxBytes: "number", timeout: "number" };
const EXPECTED =
  "a path, a URL, the bytes of an image file (Uint8Array, ArrayBuffer, Blob, File, Response or ReadableStream), pixels { data, width, height, channels }, " +
  "or an image, canvas or bitmap of a browser";

/**
 * Reads and decodes an image. Files and URLs give RGB; raw pixels are returned without alpha.
 *
 * @throws TypeError for something that is no image source
 * @throws IJepaError `io/read` when the bytes cannot be read, `aborted`, and what `decodeImage` and `checkRawImage` throw
 */
export async function loadImage(source: ImageSource, given: LoadImageOptions = {}): Promise<RawImage> {
  const options = readOptions(given, NAMES, "loadImage"), { signal, maxPixels = DEFAULT_MAX_PIXELS } = options;
  throwIfAborted(signal, "loading an image");
  const { source: name = typeof source === "string" || source instanceof URL ? nameOf(String(source)) : DEFAULT_SOURCE, ...rest } = options;
  const bytes = await bytesOf(source, limitsOf(name, rest));
  if (bytes !== undefined) {
    throwIfAborted(signal, `loading ${name}`);
    return decodeImage(bytes, { ...options, source: name });
  }
  if (typeof source !== "object" || source === null) throw wrongType("An image", EXPECTED, source);
  if (isDrawable(source)) return dropAlpha(await drawnPixels(source, name, maxPixels));
  if (!("data" in source)) throw wrongType("An image", EXPECTED, source);
  const { data, width, height } = source;
  const channels = "channels" in source ? source.channels : (data?.length ?? 0) / (width * height);
  const image = { data, width, height, channels };
  checkRawImage(image, options.source ?? "image");
  return dropAlpha(image);
}

/**
 * The bytes of an image file, not decoded.
 *
 * @param address a path or URL, as `loadImage` takes it
 * @throws IJepaError `io/read`, `aborted`
 */
export async function readImageBytes(address: string, options: Omit<LoadImageOptions, "maxPixels"> = {}): Promise<Uint8Array> {
  return readAddress(address, limitsOf(options.source ?? nameOf(address), options));
}

/** Reads the image of a URL, by rules of its own. */
export type DownloadImage = (url: URL, options: { maxBytes: number; signal: AbortSignal }) => Promise<Uint8Array>;

/**
 * The bytes of an image file at an http(s) URL, read by `download`, within the time that any download has.
 *
 * @throws IJepaError `io/read`, `aborted`, and what `download` throws
 */
export async function downloadImageBytes(address: string, download: DownloadImage, options: Omit<LoadImageOptions, "maxPixels"> = {}): Promise<Uint8Array> {
  const limits = limitsOf(options.source ?? nameOf(address), options), { name, maxBytes } = limits;
  if (!URL.canParse(address)) throw readError(name, "it is not a URL");
  return inTime(limits, (signal) => download(new URL(address), { maxBytes, signal }));
}

function limitsOf(name: string, { maxBytes = DEFAULT_MAX_BYTES, timeout = DEFAULT_TIMEOUT, signal }: LoadImageOptions): ReadLimits {
  if (!(maxBytes >= 0)) throw new IJepaError("input/value", `maxBytes must be a number of bytes, not ${show(maxBytes)}.`, { name: "maxBytes", value: maxBytes });
  if (timeout > 0 && timeout <= MAX_TIMEOUT) return { name, maxBytes, timeout, signal };
  throw new IJepaError("input/value", `timeout must be milliseconds, from 1 to ${MAX_TIMEOUT}, not ${show(timeout)}.`, { name: "timeout", value: timeout });
}

/** The file of an object that has one; undefined for anything else. Classes are recognised by name, because every window has its own. */
async function bytesOf(source: ImageSource, limits: ReadLimits): Promise<Uint8Array | undefined> {
  if (typeof source === "string" || source instanceof URL) return readAddress(String(source), limits);
  if (typeof source !== "object" || source === null) return undefined;
  if (ArrayBuffer.isView(source)) return isByteView(source) ? bytesIn(source.buffer, source.byteOffset, source.byteLength) : undefined;
  switch (Object.prototype.toString.call(source)) {
    case "[object ArrayBuffer]":
    case "[object SharedArrayBuffer]":
      return bytesIn(source as ArrayBuffer);
    case "[object Blob]":
    case "[object File]":
      return readBlob(source as Blob, limits);
    case "[object Response]":
      return readResponse(source as Response, limits);
    case "[object ReadableStream]":
      return guarded(limits, () => readBody({ body: source as ReadableStream<Uint8Array> }, limits));
    case "[object URL]":
      return readAddress((source as unknown as URL).href, limits);
    default:
      // Blobs of test environments may have no name.
      return "arrayBuffer" in source && "size" in source ? readBlob(source, limits) : undefined;
  }
}

function readBlob(blob: Blob, limits: ReadLimits): Promise<Uint8Array> {
  if (blob.size > limits.maxBytes) throw tooLong(limits.name, blob.size, limits.maxBytes);
  return guarded(limits, async () => new Uint8Array(await blob.arrayBuffer()));
}

/** A transferred buffer has no bytes any more. */
function bytesIn(buffer: ArrayBufferLike, begin?: number, length?: number): Uint8Array {
  try {
    return new Uint8Array(buffer, begin, length);
  } catch (cause) {
    throw new TypeError("The bytes of the image are not there any more: their buffer was transferred.", { cause });
  }
}

/** Arrays of wider numbers are not the bytes of a file. */
function isByteView(view: ArrayBufferView): boolean {
  return /^\[object (Uint8Array|Uint8ClampedArray|DataView)\]$/.test(Object.prototype.toString.call(view));
}
