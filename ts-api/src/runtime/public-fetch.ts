/** Downloads from public hosts only: a client must not use a server to reach hosts that it cannot reach itself. */
import { lookup } from "node:dns";
import { get as httpGet, type IncomingMessage, type RequestOptions } from "node:http";
import { get as httpsGet } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { messageOf } from "../core/show.js";

export interface PublicFetchOptions {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Which addresses may be connected to. Default `isPublicAddress`. */
  readonly mayAsk?: (address: string) => boolean;
}

/** IANA's special-purpose registries for IPv4 and IPv6: everything that is not globally reachable, and the ranges that lead to IPv4. */
const NOT_PUBLIC: readonly (readonly [network: string, prefix: number, type: "ipv4" | "ipv6"])[] = [
  ["0.0.0.0", 8, "ipv4"], ["10.0.0.0", 8, "ipv4"], ["100.64.0.0", 10, "ipv4"], ["127.0.0.0", 8, "ipv4"], ["169.254.0.0", 16, "ipv4"],
  ["172.16.0.0", 12, "ipv4"], ["192.0.0.0", 24, "ipv4"], ["192.0.2.0", 24, "ipv4"], ["192.88.99.0", 24, "ipv4"], ["192.168.0.0", 16, "ipv4"],
  ["198.18.0.0", 15, "ipv4"], ["198.51.100.0", 24, "ipv4"], ["203.0.113.0", 24, "ipv4"], ["224.0.0.0", 4, "ipv4"], ["240.0.0.0", 4, "ipv4"],
  ["::", 96, "ipv6"], ["::ffff:0:0:0", 96, "ipv6"], ["64:ff9b::", 96, "ipv6"], ["64:ff9b:1::", 48, "ipv6"], ["100::", 64, "ipv6"], ["2001::", 23, "ipv6"],
  ["2001:db8::", 32, "ipv6"], ["2002::", 16, "ipv6"], ["3fff::", 20, "ipv6"], ["5f00::", 16, "ipv6"], ["fc00::", 7, "ipv6"],
  ["fe80::", 10, "ipv6"], ["fec0::", 10, "ipv6"], ["ff00::", 8, "ipv6"],
];
const MAX_REDIRECTS = 3;

const notPublic = new BlockList();
for (const network of NOT_PUBLIC) notPublic.addSubnet(...network);

/** True for an address that is reachable from anywhere on the internet. An IPv4 address inside an IPv6 address is judged as IPv4. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && !notPublic.check(address, version === 4 ? "ipv4" : "ipv6");
}

/**
 * The body of an http(s) URL. Names are resolved once, and the connection goes to the address that was checked; the same holds for up to
 * three redirects.
 *
 * @throws IJepaError `input/value` for a URL with a user or password, `io/read`, `aborted`
 */
export async function fetchPublic(url: URL, options: PublicFetchOptions): Promise<Uint8Array> {
  for (let target = url, redirects = 0; ; redirects++) {
    if (target.username !== "" || target.password !== "") {
      throw new IJepaError("input/value", "An image URL must not have a user or password.", { name: "url", value: target.host });
    }
    const answer = await get(target, options);
    const { statusCode: status = 0, headers } = answer;
    if (status === 200) return readAll(answer, target, options);
    answer.destroy();
    if (status < 300 || status > 399 || headers.location === undefined) throw failure(target, `the server answers ${status}`);
    if (redirects === MAX_REDIRECTS) throw failure(target, `it was redirected more than ${MAX_REDIRECTS} times`);
    target = redirected(target, headers.location);
  }
}

async function get(url: URL, { signal, mayAsk = isPublicAddress }: PublicFetchOptions): Promise<IncomingMessage> {
  throwIfAborted(signal, `reading ${url.host}`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  // An address in the URL is not looked up.
  if (isIP(host) !== 0 && !mayAsk(host)) throw failure(url, NOT_PUBLIC_REASON);
  const options: RequestOptions = { lookup: lookupWhere(mayAsk), signal, agent: false, headers: { accept: "image/*" } };
  return new Promise((resolve, reject) => {
    const request = url.protocol === "https:" ? httpsGet(url, options, resolve) : httpGet(url, options, resolve);
    request.on("error", (cause) => reject(signal.aborted ? aborted(url, cause) : failure(url, cause.message, cause)));
  });
}

const NOT_PUBLIC_REASON = "its address is not a public one";

/** node:dns `lookup` that accepts only names all of whose addresses are allowed. */
function lookupWhere(mayAsk: (address: string) => boolean): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      if (addresses.length === 0 || !addresses.every(({ address }) => mayAsk(address))) return callback(new Error(NOT_PUBLIC_REASON), []);
      if (options.all) callback(null, addresses);
      else callback(null, addresses[0].address, addresses[0].family);
    });
  };
}

async function readAll(answer: IncomingMessage, url: URL, { maxBytes, signal }: PublicFetchOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > maxBytes) throw failure(url, `it has more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof IJepaError) throw cause;
    throw signal.aborted ? aborted(url, cause) : failure(url, messageOf(cause), cause);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function redirected(from: URL, location: string): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (target !== undefined && /^https?:$/.test(target.protocol)) return target;
  throw failure(from, "it redirects to something other than an http(s) URL");
}

/** Messages name the host alone: paths may hold secrets. */
function failure(url: URL, why: string, cause?: unknown): IJepaError {
  return new IJepaError("io/read", `Cannot read an image from ${url.host}: ${why}. Check the URL.`, { path: url.host }, cause === undefined ? {} : { cause });
}

function aborted(url: URL, cause: unknown): IJepaError {
  return new IJepaError("aborted", `Aborted while reading ${url.host}.`, { during: `reading ${url.host}` }, { cause });
}
