/** From a path, a URL or a browser's file objects to the bytes of an image file. */
import { runtime } from "#runtime";
import { onAbort } from "../core/abort.js";
import { concatBytes } from "../core/bytes.js";
import { hideCredentials, withoutCredentials } from "../core/credentials.js";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { show, shorten } from "../core/show.js";
import { networkFailure } from "../weights/sources/network.js";
import { readDataUrl } from "./data-url.js";
import { readError, tooLong } from "./image-error.js";

export interface ReadLimits {
  /** How messages call the image. */
  readonly name: string;
  readonly maxBytes: number;
  /** Most milliseconds of a download. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/** A body of bytes that the caller opened: a response, or a stream. */
export interface Body {
  readonly body: ReadableStream<Uint8Array> | null;
}

/** Longest path of any system. */
const MAX_PATH = 4096;
/** The longest name in a message, and the longest reason: fetch repeats what it cannot parse. */
const MAX_NAME = 200, MAX_REASON = 500;

/** An address for messages, without a password. Of a data: URL, which holds the whole image, only the beginning is shown. */
export function nameOf(address: string): string {
  return /^data:/i.test(address) ? `${address.slice(0, 32)}...` : shorten(hideCredentials(address), MAX_NAME);
}

/**
 * @param address a local path, or an http(s):, blob:, data: or file: URL; where there are no files, also a URL relative to the page
 * @throws IJepaError `io/read`, `aborted`
 */
export async function readAddress(address: string, limits: ReadLimits): Promise<Uint8Array> {
  const { name, maxBytes } = limits;
  if (/^data:/i.test(address)) return readDataUrl(address, name, maxBytes);
  if (/^(https?|blob):/i.test(address)) return readUrl(address, limits);
  if (runtime.pageUrl !== undefined && !/^[a-z][a-z0-9+.-]*:/i.test(address) && URL.canParse(address, runtime.pageUrl)) {
    return readUrl(new URL(address, runtime.pageUrl).href, limits);
  }
  if (address.length > MAX_PATH) {
    throw readError(name, `it has ${address.length} characters, too many for a path. Pass an image in base64 as "data:image/png;base64,..."`);
  }
  if (/^file:/i.test(address)) return readFile(pathOf(address, name), limits);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(address)) {
    // Pages of browser extensions have URLs of their own.
    if (runtime.files === undefined) return readUrl(address, limits);
    throw readError(name, "it is a URL of a kind that cannot be read", undefined, "Pass a path, or an http(s), data, blob or file URL.");
  }
  return readFile(address, limits);
}

/**
 * The bytes of a response or stream.
 *
 * @throws IJepaError `io/read`, `aborted`; TypeError for a stream of something else than bytes
 */
export async function readBody({ body }: Body, { name, maxBytes, signal }: ReadLimits): Promise<Uint8Array> {
  if (body?.locked) throw readError(name, "it is being read, or was read before");
  const reader = body?.getReader();
  const stop = (): void => void reader?.cancel().catch(() => undefined);
  const stopListening = onAbort(signal, stop);
  const parts: Uint8Array[] = [];
  let total = 0;
  try {
    for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
      const { value }: { value: unknown } = next;
      if (!(value instanceof Uint8Array)) throw new TypeError(`${name} must be a stream of Uint8Array, but gives ${show(value)}.`);
      total += value.length;
      if (total > maxBytes) throw tooLong(name, total, maxBytes);
      parts.push(value);
    }
    throwIfAborted(signal, `loading ${name}`);
  } catch (error) {
    stop();
    throw error;
  } finally {
    stopListening();
  }
  return concatBytes(parts);
}

/**
 * @param response answered by a server
 * @throws IJepaError `io/read`, `aborted`
 */
export async function readResponse(response: Response, limits: ReadLimits): Promise<Uint8Array> {
  const { name, maxBytes, signal } = limits;
  if (response.type === "opaque") throw readError(name, "the response is opaque: its server lets no other origin read it, or it was fetched with mode no-cors");
  if (!response.ok) throw readError(name, `the server answers ${response.status} ${response.statusText}`.trimEnd());
  if (response.bodyUsed) throw readError(name, "the body of the response was read before");
  const announced = Number(response.headers.get("content-length") ?? 0);
  if (announced > maxBytes) throw tooLong(name, announced, maxBytes);
  return guarded(limits, () => readBody(response, { ...limits, signal }));
}

/** Failures of the network as errors of the library. */
export async function guarded<T>({ name, signal }: ReadLimits, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throwIfAborted(signal, `loading ${name}`);
    if (cause instanceof IJepaError || (cause instanceof TypeError && cause.message.startsWith(name))) throw cause;
    // fetch says that it failed; why is deeper.
    const { problem, mayPass } = networkFailure(cause), words = cause instanceof Error ? cause.message : "";
    throw readError(name, shorten(mayPass && words !== "" && !problem.startsWith(words) ? `${words} (${problem})` : problem, MAX_REASON), cause);
  }
}

async function readFile(path: string, { name, maxBytes, signal }: ReadLimits): Promise<Uint8Array> {
  const file = await runtime.openFile(path);
  try {
    if (file.size > maxBytes) throw tooLong(name, file.size, maxBytes);
    return await file.read(0, file.size, signal);
  } finally {
    await file.close();
  }
}

/** The path of a file: URL; of "/C:/x" on Windows the part after the slash. */
function pathOf(url: string, name: string): string {
  try {
    return decodeURIComponent(new URL(url).pathname).replace(/^\/(?=[A-Za-z]:\/)/, "");
  } catch (cause) {
    throw readError(name, "it is not a valid file: URL", cause);
  }
}

async function readUrl(url: string, limits: ReadLimits): Promise<Uint8Array> {
  const { url: plain, headers } = withoutCredentials(url);
  return inTime(limits, (signal) => guarded(limits, async () => readResponse(await runtime.fetch(plain, { signal, headers }), { ...limits, signal })));
}

/** Ends a download that stalls or trickles at its time limit. */
export async function inTime<T>({ name, timeout, signal: outer }: ReadLimits, download: (signal: AbortSignal) => Promise<T>): Promise<T> {
  throwIfAborted(outer, `loading ${name}`);
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stopListening = onAbort(outer, () => controller.abort());
  try {
    const late = new Promise<never>((_, reject) => {
      const seconds = timeout / 1000;
      timer = setTimeout(() => reject(readError(name, `it did not arrive within ${seconds} s`, undefined, "Check the address, or raise timeout.")), timeout);
    });
    return await Promise.race([download(controller.signal), late]);
  } finally {
    clearTimeout(timer);
    stopListening();
    controller.abort();
  }
}
