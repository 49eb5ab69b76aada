/** The rows of a collection, one for each place of an image, and their digests. */
import { wrongType } from "../core/options.js";
import { sha256 } from "../core/numerics.js";

/** An image at a place: a path or URL. */
export interface CollectionRow {
  /** The place, as the user named it. It is the row's key: a later row of the same place replaces this one. */
  readonly source: string;
  /** SHA-256 of the file's bytes, in hex. The same photo at two places has one id. */
  readonly id: string;
  /** Size of the file. */
  readonly bytes: number;
  /** When the file was last written, in whole milliseconds since 1970; null if unknown. */
  readonly modified: number | null;
  /** Pixels of a row of the upright image. */
  readonly width: number;
  /** Rows of pixels of the upright image. */
  readonly height: number;
  /** Its label; null or absent if it has none. */
  readonly label?: string | null | undefined;
  /** The feature: as many numbers as the encoding says. */
  readonly feature: Float32Array;
  /** In collections with tokens: [tokens][width], row-major. */
  readonly tokens?: Float32Array | undefined;
  /** `featureDigest` of the two. */
  readonly digest: string;
}

/** An image that could not be indexed. */
export interface CollectionFailure {
  /** The path or URL of the image. */
  readonly source: string;
  /** Of the IJepaError. */
  readonly code: string;
  /** Message of the error. */
  readonly message: string;
}

/** The last moment of a Date, in milliseconds. Some disks have files of a later one. */
export const LATEST = 8.64e15;

/** A row whose place is gone: it has no id, and no feature. */
export function tombstone(source: string): CollectionRow {
  return { source, id: "", bytes: 0, modified: null, width: 0, height: 0, feature: new Float32Array(0), digest: "" };
}

export function isFailure(row: CollectionRow | CollectionFailure): row is CollectionFailure {
  return "code" in row;
}

/**
 * The id of an image: SHA-256, in hex, of the bytes of its file.
 * @throws TypeError for anything but a Uint8Array
 */
export async function imageId(file: Uint8Array): Promise<string> {
  if (!(file instanceof Uint8Array)) throw wrongType("A file", "a Uint8Array", file);
  return sha256(file);
}

/**
 * SHA-256, in hex, of the little-endian bytes of the feature, and of the tokens after it.
 * @throws TypeError for a feature that is no Float32Array
 */
export async function featureDigest(feature: Float32Array, tokens?: Float32Array): Promise<string> {
  if (!(feature instanceof Float32Array)) throw wrongType("A feature", "a Float32Array", feature);
  const bytes = new Uint8Array(feature.byteLength + (tokens?.byteLength ?? 0));
  bytes.set(new Uint8Array(feature.buffer, feature.byteOffset, feature.byteLength));
  if (tokens !== undefined) bytes.set(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength), feature.byteLength);
  return sha256(bytes);
}
