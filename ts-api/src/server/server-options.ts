/** The options of `createServer`, checked. */
import { runtime } from "#runtime";
import { IJepaError } from "../core/errors.js";
import { readOptions, wrongType, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import { DecodePool } from "../decoding/pool.js";

/** Downloads an image from an http(s) URL. It decides which hosts are allowed. */
export type FetchImage = (url: URL, limits: { maxBytes: number; signal: AbortSignal }) => Promise<Uint8Array>;

/** Searches by the feature of an image: the mean of its patches, or the first of them. */
export interface SearchFeatures {
  /** Which feature `search` takes. */
  readonly pooling: "mean" | "first";
  /**
   * Finds the `k` best.
   * @param feature [width]
   * @returns JSON values, the best first
   */
  search(feature: Float32Array, options: { k: number; signal: AbortSignal }): Promise<readonly object[]>;
}

/** Options of `createServer`. */
export interface ServerOptions {
  /** The name of the model for clients. Default "ijepa". */
  name?: string | undefined;
  /** Most bytes of a body. Default 20 MiB. All pending bodies together may have eight times as many, and so may downloads. */
  maxBody?: number | undefined;
  /** Most images of all pending requests; requests beyond that get status 429. Default 256. */
  concurrency?: number | undefined;
  /** Milliseconds allowed for a request to arrive, and again for it to be answered. Default 60000. */
  timeout?: number | undefined;
  /** Most pixels of an image. Default 50 million. */
  maxPixels?: number | undefined;
  /** Threads that decode images; "auto" (default) for one per processor, up to 4. 0 decodes in place, as hosts without threads do. */
  decodeThreads?: number | "auto" | undefined;
  /** Milliseconds allowed to decode an image; its thread is then ended. Default 10000, or `timeout` if that is less. */
  decodeTimeout?: number | undefined;
  /** Origins whose pages may send requests, such as "https://example.org"; "*" for all. Default: none. */
  cors?: string | readonly string[] | undefined;
  /** Without it http(s) URLs in requests are refused. */
  fetchImage?: FetchImage | undefined;
  /** The search behind POST /search. Default: none. */
  search?: SearchFeatures | undefined;
  /** Called for errors of the server itself: answers with status 500. */
  onError?: ((error: unknown) => void) | undefined;
}

/** The options with their defaults. */
export interface CheckedServerOptions extends Pick<ServerOptions, "fetchImage" | "search" | "onError"> {
  readonly name: string;
  readonly maxBody: number;
  readonly concurrency: number;
  readonly timeout: number;
  readonly maxPixels: number;
  readonly decoders: DecodePool;
  readonly origins: readonly string[];
}

const NAMES: OptionNames<ServerOptions> = {
  name: "string", maxBody: "number", concurrency: "number", timeout: "number", maxPixels: "number", decodeThreads: true, decodeTimeout: "number", cors: true, fetchImage: "function", search: true, onError: "function",
};
const DEFAULT_MAX_BODY = 20 * 2 ** 20;
const DEFAULT_CONCURRENCY = 256;
const DEFAULT_TIMEOUT = 60_000;
const DEFAULT_MAX_PIXELS = 50_000_000;
const DEFAULT_DECODE_TIMEOUT = 10_000;
const MAX_AUTO_THREADS = 4;
/** Timers take no more. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/** @throws IJepaError `input/value`; TypeError for values of the wrong type */
export function checkServerOptions(options: ServerOptions): CheckedServerOptions {
  const given = readOptions(options, NAMES, "createServer");
  const { name = "ijepa", maxBody = DEFAULT_MAX_BODY, concurrency = DEFAULT_CONCURRENCY, timeout = DEFAULT_TIMEOUT } = given;
  const { maxPixels = DEFAULT_MAX_PIXELS, decodeThreads = "auto", cors = [], fetchImage, search, onError } = given;
  checkAmount("maxBody", maxBody, Infinity);
  checkAmount("concurrency", concurrency, Infinity);
  checkAmount("timeout", timeout, MAX_TIMEOUT);
  checkAmount("maxPixels", maxPixels, Infinity);
  const { decodeTimeout = Math.min(DEFAULT_DECODE_TIMEOUT, timeout) } = given, origins = originsOf(cors);
  checkAmount("decodeTimeout", decodeTimeout, MAX_TIMEOUT);
  const threads = decodeThreads === "auto" ? Math.min(MAX_AUTO_THREADS, runtime.cores) : decodeThreads;
  const decoders = new DecodePool({ threads, timeout: decodeTimeout, maxWaiting: concurrency });
  return { name, maxBody, concurrency, timeout, maxPixels, decoders, fetchImage, search, onError, origins };
}

function checkAmount(name: string, value: number, most: number): void {
  if (value >= 1 && value <= most) return;
  throw new IJepaError("input/value", `${name} must be a number from 1${most === Infinity ? " up" : ` to ${most}`}, not ${show(value)}.`, { name, value });
}

/**
 * Origins as browsers send them.
 *
 * @param option its name in messages
 * @throws IJepaError `input/value` for a text that is not an origin; TypeError for other values
 */
export function originsOf(cors: string | readonly string[], option = "cors"): string[] {
  return [cors].flat().map((origin: unknown) => {
    if (typeof origin !== "string") throw wrongType(option, "an origin, or a list of them", origin);
    if (origin === "*") return origin;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || url.host === "" || `${url.username}${url.pathname.replace(/^\/$/, "")}${url.search}${url.hash}` !== "") {
      throw new IJepaError("input/value", `${option} must be an origin such as "https://example.org", or "*", not ${show(origin)}.`, { name: option, value: origin });
    }
    return `${url.protocol}//${url.host}`;
  });
}
