/** From what callers have of an image to its pixels: a path, a URL, the bytes of a file, or raw pixels. */
import { runtime } from "#runtime";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { readDataUrl } from "./data-url.js";
import { decodeImage } from "./decode.js";
import type { DecodeOptions } from "./decode.js";
import { readError, tooLong } from "./image-error.js";
import { checkRawImage, dropAlpha } from "./raw-image.js";
import type { RawImage } from "./raw-image.js";

/**
 * - a string or URL: a local path, or an http(s):, blob:, data: or file: URL;
 * - Uint8Array or ArrayBuffer: the bytes of an image file;
 * - an object with pixels: `RawImage`, or a canvas's ImageData, which has no `channels`.
 */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | RawImage | Omit<RawImage, "channels">;

/** Options of `loadImage`. */
export interface LoadImageOptions extends DecodeOptions {
  /** Stops a download. */
  signal?: AbortSignal | undefined;
  /** Most bytes that are read from a file or URL. Default 256 MiB. */
  maxBytes?: number;
}

const DEFAULT_MAX_BYTES = 256 * 2 ** 20;

/**
 * Reads and decodes an image. Files and URLs give RGB; raw pixels come back as they are, without their alpha.
 *
 * @throws TypeError for something that is no image source
 * @throws IJepaError `io/read` when the bytes cannot be had, `aborted`, and what `decodeImage` and `checkRawImage` throw
 */
export async function loadImage(source: ImageSource, options: LoadImageOptions = {}): Promise<RawImage> {
  throwIfAborted(options.signal, "loading an image");
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    return decodeImage(source instanceof Uint8Array ? source : new Uint8Array(source), options);
  }
  if (typeof source === "string" || source instanceof URL) {
    const name = options.source ?? nameOf(String(source));
    const bytes = await readBytes(String(source), name, options);
    throwIfAborted(options.signal, `loading ${name}`);
    return decodeImage(bytes, { ...options, source: name });
  }
  if (typeof source !== "object" || source === null || !("data" in source)) {
    throw new TypeError("An image must be a path, a URL, the bytes of an image file, or { data, width, height, channels }.");
  }
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
  return readBytes(address, options.source ?? nameOf(address), options);
}

/** A data: URL carries the whole image; messages name it by its beginning. */
function nameOf(address: string): string {
  return /^data:/i.test(address) ? `${address.slice(0, 32)}...` : address;
}

async function readBytes(address: string, name: string, options: LoadImageOptions): Promise<Uint8Array> {
  const { signal, maxBytes = DEFAULT_MAX_BYTES } = options;
  if (/^data:/i.test(address)) return readDataUrl(address, name, maxBytes);
  if (/^(https?|blob):/i.test(address)) return readUrl(address, name, maxBytes, signal);
  return readFile(/^file:/i.test(address) ? pathOf(new URL(address)) : address, name, maxBytes, signal);
}

async function readFile(path: string, name: string, maxBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const file = await runtime.openFile(path);
  try {
    if (file.size > maxBytes) throw tooLong(name, file.size, maxBytes);
    return await file.read(0, file.size, signal);
  } finally {
    await file.close();
  }
}

/** The path of a file: URL; of "/C:/x" on Windows the part after the slash. */
function pathOf(url: URL): string {
  return decodeURIComponent(url.pathname).replace(/^\/(?=[A-Za-z]:\/)/, "");
}

async function readUrl(url: string, name: string, maxBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok) throw readError(name, `the server answers ${response.status} ${response.statusText}`.trimEnd());
    const announced = Number(response.headers.get("content-length") ?? 0);
    if (announced > maxBytes) throw tooLong(name, announced, maxBytes);
    return await readBody(response, name, maxBytes);
  } catch (cause) {
    throwIfAborted(signal, `loading ${name}`);
    if (cause instanceof IJepaError) throw cause;
    throw readError(name, reason(cause), cause);
  }
}

async function readBody(response: Response, name: string, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next?.value; next = await reader?.read()) {
    total += next.value.length;
    if (total > maxBytes) {
      await reader?.cancel();
      throw tooLong(name, total, maxBytes);
    }
    parts.push(next.value);
  }
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The message of an error; `fetch` hides the reason in the cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
