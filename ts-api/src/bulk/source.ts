/** Where the bytes of one image of many come from. */
import { runtime } from "#runtime";
import { readImageBytes } from "../image/source.js";

/** An image that has not been read yet. */
export interface BulkSource {
  /** How results and messages call it: a path or URL. */
  readonly name: string;
  /** Size in bytes, and when it was last written in milliseconds since 1970, as far as that is known without reading it. */
  look?(): Promise<SourceFacts>;
  /**
   * The bytes of the file. What it rejects with makes the image a failure.
   *
   * @throws IJepaError `io/read`, `aborted`
   */
  read(signal: AbortSignal): Promise<Uint8Array>;
}

export interface SourceFacts {
  readonly bytes: number | undefined;
  readonly modified: number | undefined;
}

/** A string is a path or a URL. */
export type Source = string | URL | BulkSource;

const NOTHING: SourceFacts = { bytes: undefined, modified: undefined };

export function sourceOf(source: Source): BulkSource {
  if (typeof source === "string" || source instanceof URL) return addressSource(String(source));
  if (typeof source === "object" && source !== null && typeof source.name === "string" && typeof source.read === "function") return source;
  throw new TypeError(`A source must be a path, a URL, or { name, read }, not ${source === null ? "null" : typeof source}.`);
}

function addressSource(address: string): BulkSource {
  return { name: address, look: () => factsOf(address), read: (signal) => readImageBytes(address, { signal }) };
}

/** What the file system says; nothing of URLs, and of what is not there. */
async function factsOf(address: string): Promise<SourceFacts> {
  if (runtime.files === undefined || /^[a-z][a-z0-9+.-]+:/i.test(address)) return NOTHING;
  const info = await runtime.files.stat(address).catch(() => undefined);
  return info?.kind === "file" ? { bytes: info.size, modified: info.modified } : NOTHING;
}
