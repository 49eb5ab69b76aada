/** An http(s) URL as a `ByteSource`, read in ranges. */
import { runtime } from "#runtime";
import { withoutCredentials } from "../../core/credentials.js";
import { IJepaError, throwIfAborted } from "../../core/errors.js";
import type { ByteSource } from "../../runtime/env.js";
import { bytesSource } from "./bytes.js";
import { networkFailure, proxyRefusal } from "./network.js";

export interface UrlOptions {
  signal?: AbortSignal | undefined;
  /** Replaces the global `fetch`, for example to add headers. */
  fetch?: typeof globalThis.fetch | undefined;
  /** The largest resource to accept, in bytes. Default: no limit. */
  maxBytes?: number | undefined;
  /** Treat status 403 as absence: S3 and CloudFront answer it for missing files to users who may not list them. Default false. */
  forbiddenIsAbsent?: boolean | undefined;
}

/** Bytes of the first request: enough for a configuration, or for the header of a large weights file. */
const FIRST_BYTES = 65536;
/** Bytes that are read from a body at a time: workerd keeps some objects of every read until the request ends. */
const PIECE = 512 * 1024;

/**
 * Opens a resource over HTTP. If the server supports ranges, only the ranges that are read are transferred (and the first 64 KiB).
 * Otherwise the whole resource is downloaded once and kept in memory until the source is dropped.
 * @throws IJepaError `input/value` when `url` is not an http(s) URL, `io/read` with the HTTP status or the network's reason, `aborted`
 */
export async function openUrl(url: string, options: UrlOptions = {}): Promise<ByteSource> {
  const source = await openUrlIfPresent(url, options);
  if (source !== undefined) return source;
  throw new Resource(url, options).failure("there is nothing at this URL (HTTP status 404 or 410)");
}

/** As `openUrl`, but undefined if the server says that there is nothing (status 404 or 410; 403 with `forbiddenIsAbsent`). */
export async function openUrlIfPresent(url: string, options: UrlOptions = {}): Promise<ByteSource | undefined> {
  const { signal, maxBytes = Infinity, forbiddenIsAbsent = false } = options;
  const resource = new Resource(url, options);
  const first = await resource.get(signal, 0, FIRST_BYTES);
  if (first.status === 404 || first.status === 410 || (first.status === 403 && forbiddenIsAbsent)) {
    discard(first);
    return undefined;
  }
  // Only an empty resource cannot serve a range that begins at 0.
  if (first.status === 416) {
    discard(first);
    return bytesSource(resource.name);
  }
  resource.checkStatus(first, 200, 206);
  if (first.status === 200) return bytesSource(resource.name, ...(await resource.body(first, maxBytes, signal)));

  const size = contentRange(first)?.size ?? (await resource.sizeByHead(signal));
  if (size === undefined) {
    discard(first);
    const whole = await resource.get(signal);
    resource.checkStatus(whole, 200);
    return bytesSource(resource.name, ...(await resource.body(whole, maxBytes, signal)));
  }
  if (size > maxBytes) {
    discard(first);
    throw resource.failure(`it has ${size} bytes; at most ${maxBytes} are expected here`);
  }
  const head = await resource.bytes(first, Math.min(size, FIRST_BYTES), signal);
  return rangedSource(resource, head, size, first.headers.get("etag"));
}

function rangedSource(resource: Resource, head: Uint8Array, size: number, etag: string | null): ByteSource {
  return {
    name: resource.name,
    size,
    async read(offset, length, signal, into = new Uint8Array(length)) {
      if (length === 0) return into;
      if (offset + length <= head.length) {
        into.set(head.subarray(offset, offset + length));
        return into;
      }
      const response = await resource.get(signal, offset, length);
      resource.checkStatus(response, 206);
      const range = contentRange(response);
      const newTag = response.headers.get("etag");
      if ((range?.size ?? size) !== size || (etag !== null && newTag !== null && newTag !== etag)) {
        discard(response);
        throw resource.failure("it changed on the server while being read; start again");
      }
      if ((range?.start ?? offset) !== offset) {
        discard(response);
        throw resource.failure("the server sent another range than asked for");
      }
      return resource.bytes(response, length, signal, into);
    },
    close: async () => undefined,
  };
}

/** A URL for messages: without user, password and query, which may hold secrets. */
export function displayUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** Requests to one URL; failures become IJepaError. */
class Resource {
  readonly name: string;
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #fetch: typeof globalThis.fetch;

  constructor(url: string, options: UrlOptions) {
    if (!/^https?:/i.test(url) || !URL.canParse(url)) {
      throw new IJepaError("input/value", `${JSON.stringify(url)} is not an http(s) URL.`, { name: "url", value: url });
    }
    this.name = displayUrl(url);
    ({ url: this.#url, headers: this.#headers } = withoutCredentials(url));
    this.#fetch = options.fetch ?? runtime.fetch;
  }

  /** Requests `length` bytes at `offset`, or all bytes. */
  async get(signal?: AbortSignal, offset = 0, length?: number): Promise<Response> {
    return this.#request(length === undefined ? {} : { headers: { range: `bytes=${offset}-${offset + length - 1}` } }, signal);
  }

  async sizeByHead(signal?: AbortSignal): Promise<number | undefined> {
    const response = await this.#request({ method: "HEAD" }, signal);
    const length = response.ok ? response.headers.get("content-length") : null;
    return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
  }

  checkStatus(response: Response, ...accepted: number[]): void {
    if (accepted.includes(response.status)) return;
    discard(response);
    throw this.failure(proxyRefusal(response.status) ?? `the server answered with HTTP status ${response.status} ${response.statusText}`.trimEnd() + hintOf(response.status));
  }

  /** The body in pieces, at most `limit` bytes of it. */
  async body(response: Response, limit: number, signal?: AbortSignal): Promise<Uint8Array[]> {
    const chunks: Uint8Array[] = [];
    await this.#read(response, limit, signal, (piece) => chunks.push(piece.slice()));
    return chunks;
  }

  /** The body, which must have exactly `length` bytes. */
  async bytes(response: Response, length: number, signal?: AbortSignal, into: Uint8Array = new Uint8Array(length)): Promise<Uint8Array> {
    const size = await this.#read(response, length, signal, (piece, at) => into.set(piece, at));
    if (size !== length) throw this.failure(`the server sent ${size} bytes instead of ${length}`);
    return into;
  }

  failure(problem: string, cause?: unknown): IJepaError<"io/read"> {
    return new IJepaError("io/read", `Cannot read ${this.name}: ${problem}.`, { path: this.name }, { cause });
  }

  /** Passes on the body as it arrives, with the offset of each piece; returns its size. The memory of a piece is reused. */
  #read(response: Response, limit: number, signal: AbortSignal | undefined, take: (piece: Uint8Array, at: number) => void): Promise<number> {
    return this.#guard(signal, async () => {
      const reader = response.body === null ? undefined : pieceReader(response.body);
      let size = 0;
      for (let piece = await reader?.next(); piece !== undefined; piece = await reader?.next()) {
        if (size + piece.length > limit) {
          await reader?.cancel();
          throw this.failure(`the server sent more than the ${limit} bytes expected`);
        }
        take(piece, size);
        size += piece.length;
      }
      return size;
    });
  }

  #request({ headers = {}, ...init }: { method?: string; headers?: Record<string, string> }, signal?: AbortSignal): Promise<Response> {
    const all = { ...init, headers: { ...this.#headers, ...headers }, ...(signal === undefined ? {} : { signal }) };
    return this.#guard(signal, () => this.#fetch.call(globalThis, this.#url, all));
  }

  async #guard<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    throwIfAborted(signal, `reading ${this.name}`);
    try {
      return await work();
    } catch (error) {
      throwIfAborted(signal, `reading ${this.name}`);
      if (error instanceof IJepaError) throw error;
      throw this.failure(networkFailure(error).problem, error);
    }
  }
}

/** Reads a stream; `next` is undefined at its end. */
interface PieceReader {
  next(): Promise<Uint8Array | undefined>;
  cancel(): Promise<void>;
}

/** With the option of the standard that TypeScript's libraries lack. */
interface FillingReader extends Pick<ReadableStreamBYOBReader, "cancel"> {
  read(view: Uint8Array<ArrayBuffer>, options: { min: number }): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>;
}

/**
 * Bodies of fetch fill a buffer that is passed to them, here always the same one: otherwise an engine that frees small arrays late would
 * hold many times the memory in use. Other streams, such as those of a caller's fetch, bring their own buffers.
 */
function pieceReader(body: ReadableStream<Uint8Array>): PieceReader {
  let reader: FillingReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    const plain = body.getReader();
    return { next: async () => (await plain.read()).value, cancel: () => plain.cancel() };
  }
  let memory = new ArrayBuffer(PIECE);
  return {
    async next() {
      const { value } = await reader.read(new Uint8Array(memory), { min: PIECE });
      // The last piece may come together with the end of the stream.
      if (value === undefined || value.length === 0) return undefined;
      memory = value.buffer;
      return value;
    },
    cancel: () => reader.cancel(),
  };
}

function hintOf(status: number): string {
  return status === 403 ? ", as S3 and CloudFront do for a file that is not there; check the address, and who may read it" : "";
}

/** Closes the connection; errors of the unread body are ignored. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

/** Content-Range in numbers; undefined if the server hides it or does not know the size. */
function contentRange(response: Response): { start: number; size: number } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  return match === null ? undefined : { start: Number(match[1]), size: Number(match[2]) };
}
