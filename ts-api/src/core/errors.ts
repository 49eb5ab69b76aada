/**
 * The one error class of the library.
 *
 * `code` is for programs, `message` for people: what was wrong, with which value, and what to do.
 * `details` carries the same facts as data. Wrong argument types stay `TypeError`.
 */
export interface ErrorDetails {
  /** A file that must describe the model is absent or is not JSON. */
  "config/missing": { file: string };
  /** A field is missing, has an invalid value, or contradicts another. */
  "config/field": { field: string; value: unknown };
  /** A weights file, a shard or a tensor is absent. */
  "weights/missing": { what: string; names: readonly string[] };
  /** A file is not the format it claims to be. */
  "weights/format": { file: string; offset?: number };
  /** A pickle would import or call something that is neither a tensor nor a dict. */
  "weights/unsafe": { file: string; global: string };
  /** A tensor has another shape than the config asks for. */
  "weights/shape": { tensor: string; expected: readonly number[]; actual: readonly number[] };
  /** A tensor is stored in a type that cannot be used. */
  "weights/dtype": { tensor: string; dtype: string };
  /** Tensors for which the model has no place. */
  "weights/unexpected": { names: readonly string[] };
  /** A weight is NaN or infinite. */
  "weights/value": { tensor: string; index: number; value: number };
  /** A packed file of a format or numeric contract that this library does not know. */
  "weights/version": { file: string; what: string; version: string; known: string };
  /** A part of a packed file does not have the bytes that it was written with. */
  "weights/digest": { part: string; file: string };
  /** The bytes are not an image of a supported kind. */
  "image/unsupported": { source: string; kind?: string };
  /** The bytes claim to be an image, but cannot be decoded to the end. */
  "image/corrupt": { source: string; kind: string };
  /** More pixels than `maxPixels`. */
  "image/too-large": { source: string; width: number; height: number; maxPixels: number };
  /**
   * A file that would keep the decoder busy for far longer than its pixels justify. `what` says which items are too many, `count` how
   * many there are.
   */
  "image/too-complex": { source: string; kind: string; what: string; count: number };
  /** An image without pixels, or no bytes at all. */
  "image/empty": { source: string };
  /** It was not decoded within the time limit. */
  "image/timeout": { source: string; milliseconds: number };
  /** A required argument, or part of one, is missing. */
  "input/missing": { name: string };
  /** A tensor or list has another shape. `actual` is its shape. */
  "input/shape": { name: string; expected: string; actual: readonly number[] };
  /** A value outside what the argument allows (NaN pixels, an unknown option). */
  "input/value": { name: string; value: unknown };
  /** This machine or runtime does not have the device. */
  "backend/unavailable": { backend: string };
  /** The backend computes, but not the bits of the contract. */
  "backend/inexact": { backend: string; case: string };
  /** The GPU device was lost, or a worker thread ended. Load the model again. */
  "backend/lost": { backend: string };
  /** The queue is full; try again later. */
  "backend/busy": { backend: string; waiting: number };
  /** Memory ran out when `bytes` were asked for. */
  "backend/memory": { backend: string; bytes: number };
  /** The Hub has no such model or revision, or hides it from requests without a token. */
  "hub/missing": { repo: string; revision: string };
  /** The Hub refuses: a private or gated model, or a token that is wrong. */
  "hub/access": { repo: string; status: number };
  /** The Hub may not be contacted, and the file is not in the cache. */
  "hub/offline": { repo: string; revision: string; file: string };
  /** A file came twice with another digest than the Hub says. */
  "hub/corrupt": { file: string; expected: string; actual: string };
  /** A file, folder or URL cannot be read. */
  "io/read": { path: string };
  /** A file or folder cannot be written. */
  "io/write": { path: string };
  /** The server cannot listen on a port or address. */
  "io/listen": { address: string };
  /** There is no collection. */
  "collection/missing": { path: string };
  /** Made by a library that writes another format. */
  "collection/version": { path: string; version: string; known: string };
  /** Features of another encoding: of another model, format, size or pooling. */
  "collection/encoding": { path: string; differences: readonly string[] };
  /** Files of the collection are absent, cut or changed. */
  "collection/damaged": { path: string; files: readonly { file: string; problem: string; rows: number | undefined }[] };
  /** Another process writes it. */
  "collection/locked": { path: string; holder: string };
  /** A package is not installed that the user has to install. */
  "queue/package": { package: string };
  /** The broker cannot be reached, refuses, or is too old. */
  "queue/unavailable": { address: string };
  /** Jobs or results of another version of the library. */
  "queue/version": { version: string; known: string };
  /** The queue has jobs of another collection. */
  "queue/owner": { address: string };
  /** The data that a worker sent does not match its digest. */
  "queue/result": { source: string };
  /** A worker computed other bits than others did. */
  "queue/audit": { worker: string; machine: string; device: string };
  /** The caller's `AbortSignal` ended the work. */
  aborted: { during: string };
}

/** What kind of failure it is; the part before the slash says which part of the library it comes from. */
export type ErrorCode = keyof ErrorDetails;

/**
 * The error for bad input, damaged files and missing devices: a `code`, a message that says what to do, and `details` typed by the code.
 */
export class IJepaError<C extends ErrorCode = ErrorCode> extends Error {
  /** Identifies the error where `instanceof` cannot, such as across threads. */
  override readonly name = "IJepaError";
  /** What kind of failure it is. */
  readonly code: C;
  /** The facts behind the message, as data: see {@link ErrorDetails}. */
  readonly details: ErrorDetails[C];

  constructor(code: C, message: string, details: ErrorDetails[C], options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/** True if `error` is an IJepaError with this code, or with any code if none is given. */
export function isIJepaError<C extends ErrorCode = ErrorCode>(error: unknown, code?: C): error is IJepaError<C> {
  return error instanceof IJepaError && (code === undefined || error.code === code);
}

/** Throws `aborted` once `signal` is aborted. `during` names the work that stops. */
export function throwIfAborted(signal: AbortSignal | undefined, during: string): void {
  if (signal?.aborted) {
    throw new IJepaError("aborted", `Aborted while ${during}.`, { during }, { cause: signal.reason });
  }
}
