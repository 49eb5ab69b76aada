/** The errors of images that cannot be read or decoded. */
import { IJepaError } from "../core/errors.js";

/** The error for bytes that claim to be an image of `kind`, but cannot be decoded. `what` is a clause without a full stop. */
export function corrupt(source: string, kind: string, what: string, cause?: unknown): IJepaError {
  const message = `${source} is a broken ${kind} image: ${what}. Get an intact copy or save the image again.`;
  return new IJepaError("image/corrupt", message, { source, kind }, cause === undefined ? {} : { cause });
}

/** The error for a kind of image that cannot be read. `what` says which, in a clause without a full stop. */
export function unsupported(source: string, kind: string, what: string): IJepaError {
  return new IJepaError("image/unsupported", `${source}: ${what}. Convert it to PNG, JPEG or WebP in RGB.`, { source, kind });
}

/** The error for an image that cannot be read or downloaded. `why` is a clause without a full stop, `remedy` a sentence. */
export function readError(name: string, why: string, cause?: unknown, remedy = "Check the address."): IJepaError {
  const message = `Cannot read ${name}: ${why}. ${remedy}`;
  return new IJepaError("io/read", message, { path: name }, cause === undefined ? {} : { cause });
}

/** The error for a file or download of more than `maxBytes`. */
export function tooLong(name: string, bytes: number, maxBytes: number): IJepaError {
  const message = `Cannot read ${name}: it has at least ${bytes} bytes, over the limit of ${maxBytes}. Raise maxBytes.`;
  return new IJepaError("io/read", message, { path: name });
}
