/** From a request to the bytes of its body, with limits of size and time, and decompressed. */
import { concatBytes } from "../core/bytes.js";
import { shorten } from "../core/show.js";
import { HttpError } from "./http-error.js";

/** Supported content codings, with the platform's names. */
const CODINGS: Readonly<Record<string, CompressionFormat>> = { gzip: "gzip", "x-gzip": "gzip", deflate: "deflate" };
const ACCEPTED = "gzip, deflate";

/** Media type of a request, without parameters, in lower case. */
export function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
}

/**
 * The length that the client announces; 0 if it does not.
 *
 * @throws HttpError 413
 */
export function announcedLength(request: Request, maxBytes: number): number {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length > maxBytes) throw tooLarge(maxBytes);
  return length;
}

/**
 * How the body of a request is compressed; undefined if it is not.
 *
 * @throws HttpError 415 for an unsupported coding
 */
export function codingOf(request: Request): CompressionFormat | undefined {
  const named = (request.headers.get("content-encoding") ?? "").toLowerCase().split(",").map((name) => name.trim());
  const codings = named.filter((name) => name !== "" && name !== "identity");
  if (codings.length === 0) return undefined;
  const format = Object.hasOwn(CODINGS, codings[0]) ? CODINGS[codings[0]] : undefined;
  if (codings.length === 1 && format !== undefined && typeof DecompressionStream === "function") return format;
  const message = `The content encoding must be one of ${ACCEPTED}, or absent, not ${JSON.stringify(shorten(codings.join(", ")))}.`;
  throw new HttpError(415, "request/encoding", message, { acceptEncoding: ACCEPTED });
}

export interface BodyLimits {
  readonly maxBytes: number;
  /** Aborted when the time for the body is over. */
  readonly late: AbortSignal;
  /** Called to reserve room for bytes beyond the announced ones; it may refuse by throwing. */
  grow(bytes: number): void;
}

/**
 * The whole body, decompressed.
 *
 * @throws HttpError 413 beyond `maxBytes`, 408 when it comes too slowly, 400 when the client hangs up in the middle or the body is not
 *   compressed as its head says, 415 for another compression, and what `grow` throws
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const { late, maxBytes } = limits, coding = codingOf(request), announced = announcedLength(request, maxBytes);
  const cut = new HttpError(400, "request/cut", "The connection ended in the middle of the request.");
  const body = await collect(request.body, announced, limits, cut);
  if (late.aborted) throw new HttpError(408, "request/timeout", "The request took too long to arrive. Send it again, faster.");
  if (coding === undefined) return body;
  const broken = new HttpError(400, "request/encoding", `The body is not ${coding}, which its content encoding says it is.`);
  const inflated = await collect(new Blob([body as BlobPart]).stream().pipeThrough(new DecompressionStream(coding)), 0, limits, broken);
  limits.grow(-Math.max(announced, body.length));
  return inflated;
}

/** All bytes of a stream that arrive before `late`. */
async function collect(
  stream: ReadableStream<Uint8Array> | null, announced: number, { maxBytes, late, grow }: BodyLimits, failure: HttpError,
): Promise<Uint8Array> {
  const reader = stream?.getReader(), stop = () => void reader?.cancel().catch(() => undefined);
  late.addEventListener("abort", stop);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
      const before = size;
      size += next.value.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      grow(Math.max(0, size - Math.max(before, announced)));
      chunks.push(next.value);
    }
  } catch (error) {
    stop();
    if (error instanceof HttpError) throw error;
    if (!late.aborted) throw failure;
  } finally {
    late.removeEventListener("abort", stop);
  }
  return concatBytes(chunks);
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, "request/too-large", `The body has more than ${maxBytes} bytes. Scale the image down, or send fewer at once.`);
}
