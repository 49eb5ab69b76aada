/** Reading what clients send, which may be too much, too slow or of the wrong kind. */
import { HttpError } from "./http-error.js";

/** Media type of a request, without parameters, in lower case. */
export function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
}

/**
 * The length that the client announces; 0 where it does not.
 *
 * @throws HttpError 413
 */
export function announcedLength(request: Request, maxBytes: number): number {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length > maxBytes) throw tooLarge(maxBytes);
  return length;
}

export interface BodyLimits {
  readonly maxBytes: number;
  /** Aborted when the body should be here. */
  readonly late: AbortSignal;
  /** Bytes beyond the announced ones need room, too. It may refuse by throwing. */
  grow(bytes: number): void;
}

/**
 * The whole body.
 *
 * @throws HttpError 413 beyond `maxBytes`, 408 when it comes too slowly, 400 when the client hangs up in the middle, and what `grow` throws
 */
export async function readBody(request: Request, { maxBytes, late, grow }: BodyLimits): Promise<Uint8Array> {
  const announced = announcedLength(request, maxBytes), reader = request.body?.getReader();
  const stop = () => void reader?.cancel().catch(() => undefined);
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
    if (!late.aborted) throw new HttpError(400, "request/cut", "The connection ended in the middle of the request.");
  } finally {
    late.removeEventListener("abort", stop);
  }
  if (late.aborted) throw new HttpError(408, "request/timeout", "The request took too long to arrive. Send it again, faster.");
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, "request/too-large", `The body has more than ${maxBytes} bytes. Scale the image down, or send fewer at once.`);
}
