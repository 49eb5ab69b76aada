/** One image of many that has not been read yet: its name, and how its bytes are read. */
import { runtime } from "#runtime";
import { checkText } from "../core/options.js";
import { crc32 } from "../image/crc32.js";
import { downloadImageBytes, readImageBytes, type DownloadImage } from "../image/source.js";
import type { FileInfo } from "../runtime/env.js";

/** An image that has not been read yet. */
export interface BulkSource {
  /** Its name in results and messages: a path or URL. */
  readonly name: string;
  /**
   * Size in bytes, and when it was last written in milliseconds since 1970, as far as that is known without reading it; undefined if it is
   * not there.
   */
  look?(): Promise<SourceFacts | undefined>;
  /**
   * The bytes of the file. If it rejects, the image becomes a failure.
   *
   * @throws IJepaError `io/read`, `aborted`
   */
  read(signal: AbortSignal, options?: ReadOptions): Promise<Uint8Array>;
}

export interface ReadOptions {
  /** Most milliseconds of a download. Default 60000. */
  readonly timeout?: number | undefined;
}

export interface SourceFacts {
  readonly bytes: number | undefined;
  readonly modified: number | undefined;
}

/** A string is a path or a URL. */
export type Source = string | URL | BulkSource;

export function sourceOf(source: Source): BulkSource {
  if (typeof source === "string" || source instanceof URL) return addressSource(String(source));
  if (typeof source === "object" && source !== null && typeof source.name === "string" && typeof source.read === "function") return source;
  throw new TypeError(`A source must be a path, a URL, or { name, read }, not ${source === null ? "null" : typeof source}.`);
}

/** Whether a text is a URL with its scheme. A single letter is a Windows drive. */
export function isAddress(text: string): boolean {
  checkText("An address", text);
  return /^([a-z][a-z0-9+.-]+:\/\/|(data|blob|file):)/i.test(text);
}

/** @param info the file system's entry, if it was read already */
export function addressSource(address: string, info?: FileInfo): BulkSource {
  if (/^data:/i.test(address)) return dataSource(`${address.slice(0, 32)}...${checksumOf(address)}`, address);
  return { name: address, look: async () => factsOf(address, info ?? (await infoOf(address))), read: (signal, { timeout } = {}) => readImageBytes(address, { signal, timeout }) };
}

/** Reads the image of an http(s) URL. It decides which hosts may be asked. */
export type FetchImage = DownloadImage;

/** An http(s) URL that is read by `fetchImage`, with the time limit of every download. */
export function fetchedSource(address: string, fetchImage: FetchImage): BulkSource {
  return { ...addressSource(address), read: (signal, { timeout } = {}) => downloadImageBytes(address, fetchImage, { signal, timeout }) };
}

/** A data: URL is the whole image: its name says nothing that `known` could use. */
export function dataSource(name: string, url: string): BulkSource {
  return { name, read: (signal) => readImageBytes(url, { signal }) };
}

/** Undefined for URLs and missing files. */
async function infoOf(address: string): Promise<FileInfo | undefined> {
  return isAddress(address) ? undefined : runtime.files?.stat(address).catch(() => undefined);
}

function factsOf(address: string, info: FileInfo | undefined): SourceFacts | undefined {
  if (info === undefined && runtime.files !== undefined && !isAddress(address)) return undefined;
  return info?.kind === "file" ? { bytes: info.size, modified: info.modified } : { bytes: undefined, modified: undefined };
}

/** Tells a few texts apart. */
function checksumOf(text: string): string {
  return crc32(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
}
