/** The results of many images: a row of features, a failure or a skipped image for each. */
import { isIJepaError, type ErrorCode } from "../core/errors.js";
import { messageOf } from "../core/show.js";
import type { PreparedImage } from "../decoding/pool.js";

/** An image that was read, decoded and computed. */
export interface BulkImage {
  /** Tells it from failures and skipped images. */
  readonly kind: "row";
  /** The path, URL or name of the image. */
  readonly source: string;
  /** SHA-256 of the file's bytes, in hex. */
  readonly id: string;
  /** Size of the file. */
  readonly bytes: number;
  /** When the file was last written, in milliseconds since 1970; undefined if unknown. */
  readonly modified: number | undefined;
  /** Pixels of a row of the upright image. */
  readonly width: number;
  /** Rows of pixels of the upright image. */
  readonly height: number;
  /** What is wrong with the file; empty for an intact one. */
  readonly warnings: readonly string[];
}

/** The features of one image. */
export interface BulkRow extends BulkImage {
  /** Shape of the feature: [width], or [tokens, width] without pooling. */
  readonly dims: readonly number[];
  /** The numbers, row-major, in the shape of `dims`. */
  readonly feature: Float32Array;
  /** SHA-256 of the feature's little-endian f32 bytes, in hex. */
  readonly digest: string;
}

/** An image that could not be read or decoded, or that does not fit the model. */
export interface BulkFailure {
  /** Tells it from rows and skipped images. */
  readonly kind: "failure";
  /** The path, URL or name of the image. */
  readonly source: string;
  /** Code of the error; "unexpected" for one that is no IJepaError. */
  readonly code: ErrorCode | "unexpected";
  /** Message of the error. */
  readonly message: string;
}

/** An image for which `known` or `skip` returned true. */
export interface BulkSkip {
  /** Tells it from rows and failures. */
  readonly kind: "skip";
  /** The path, URL or name of the image. */
  readonly source: string;
  /** SHA-256 of the file's bytes, in hex; undefined if the file was not read. */
  readonly id: string | undefined;
  /** Size of the file in bytes; undefined if unknown. */
  readonly bytes: number | undefined;
  /** When the file was last written, in milliseconds since 1970; undefined if unknown. */
  readonly modified: number | undefined;
}

/** The result of one image: its features or labels, or why there are none. */
export type BulkResult<Row extends BulkImage = BulkRow> = Row | BulkFailure | BulkSkip;

/** An image that waits for the encoder. */
export interface Prepared extends Pick<BulkImage, "source" | "id" | "bytes" | "modified"> {
  readonly kind: "prepared";
  readonly image: PreparedImage;
}

/** The results of an image before it reaches the encoder. */
export type Begun = Prepared | BulkFailure | BulkSkip;

/** Wraps what a hook of the caller throws: that is not a failure of the image. */
export class HookError extends Error {}

export async function hook<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new HookError("A hook failed.", { cause });
  }
}

/** @throws errors that are not the image's fault */
export function failureOf(source: string, error: unknown): BulkFailure {
  if (error instanceof HookError) throw error;
  if (!isIJepaError(error)) return { kind: "failure", source, code: "unexpected", message: messageOf(error) };
  const { code, message } = error;
  // A decode thread that ended is replaced; if no thread can be started, the job ends.
  if (code === "aborted" || code === "backend/unavailable" || code === "backend/busy") throw error;
  return { kind: "failure", source, code, message };
}
