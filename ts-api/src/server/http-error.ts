/** From an error to a response: a status and an error object of OpenAI's shape. */
import { isIJepaError, type ErrorCode } from "../core/errors.js";

export interface HttpErrorDetails {
  /** The part of the request that is wrong, such as "input[2]". */
  readonly param?: string;
  /** Seconds after which the client may try again. */
  readonly retryAfter?: number;
  /** Methods that the path has. */
  readonly allow?: string;
  /** Content codings that a body may have. */
  readonly acceptEncoding?: string;
  /** The cause, for the log and not for the client. */
  readonly cause?: unknown;
}

/** A request that is answered with an error. */
export class HttpError extends Error {
  override readonly name = "HttpError";

  /** @param code for programs: that of an IJepaError, or one of docs/server.md */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: HttpErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
  }
}

/** Status of single codes that differ from their kind. */
const STATUS_OF_CODE: Partial<Record<ErrorCode, number>> = { "image/unsupported": 415, "image/too-large": 413, "image/too-complex": 413, aborted: 499 };
/** Status by the part of the code before the slash. */
const STATUS_OF_KIND: Readonly<Record<string, number>> = { image: 400, input: 400, io: 400, backend: 503 };

/** @param param the part of the request that was being read */
export function toHttpError(error: unknown, param?: string): HttpError {
  if (error instanceof HttpError) return error;
  const at = param === undefined ? {} : { param };
  const status = isIJepaError(error) ? (STATUS_OF_CODE[error.code] ?? STATUS_OF_KIND[error.code.split("/")[0]]) : undefined;
  if (isIJepaError(error) && status !== undefined) return new HttpError(status, error.code, error.message, at);
  // Messages of other failures may reveal details of the server.
  return new HttpError(500, "internal", "The server failed unexpectedly; its log says why.", { ...at, cause: error });
}

export function toResponse(error: HttpError): Response {
  const { status, details } = error;
  const headers: Record<string, string> = {};
  if (details.retryAfter !== undefined) headers["retry-after"] = String(details.retryAfter);
  if (details.allow !== undefined) headers["allow"] = details.allow;
  if (details.acceptEncoding !== undefined) headers["accept-encoding"] = details.acceptEncoding;
  return Response.json(errorBody(error), { status, headers });
}

/** The body of such an answer, in OpenAI's shape. */
export function errorBody({ status, code, message, details }: HttpError): object {
  return { error: { message, type: typeOf(status), param: details.param ?? null, code } };
}

/** OpenAI's names. */
function typeOf(status: number): string {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}
