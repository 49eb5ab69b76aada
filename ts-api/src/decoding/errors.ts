/** Packs errors for the way from a thread: structured clone keeps neither their class nor their properties. */
import { IJepaError, isIJepaError, type ErrorCode, type ErrorDetails } from "../core/errors.js";

export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Of an IJepaError. */
  readonly code: ErrorCode | undefined;
  /** Of an IJepaError. */
  readonly details: unknown;
  readonly cause: PackedError | undefined;
}

export function packError(error: unknown): PackedError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), stack: undefined, code: undefined, details: undefined, cause: undefined };
  const { name, message, stack, cause } = error;
  const [code, details] = isIJepaError(error) ? [error.code, error.details] : [undefined, undefined];
  return { name, message, stack, code, details, cause: cause === undefined ? undefined : packError(cause) };
}

/** The error that was packed, with its own stack. */
export function unpackError(packed: PackedError): Error {
  const { name, message, stack, code, details } = packed;
  const options = packed.cause === undefined ? {} : { cause: unpackError(packed.cause) };
  let error: Error;
  if (code !== undefined) error = new IJepaError(code, message, details as ErrorDetails[ErrorCode], options);
  else if (name === "TypeError") error = new TypeError(message, options);
  else error = new Error(message, options);
  if (stack !== undefined) error.stack = stack;
  return error;
}
