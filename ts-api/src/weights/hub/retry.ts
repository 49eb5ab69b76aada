/** Retries: which failures of a download are tried again, how often, and after how long. */
import { onAbort } from "../../core/abort.js";
import { throwIfAborted, type IJepaError } from "../../core/errors.js";

/** How patient downloads are; times in milliseconds. */
export interface Pace {
  /** Tries of one request without `leastProgress` new bytes in between. */
  readonly tries: number;
  readonly leastProgress: number;
  /** The first pause; each further one is twice as long. */
  readonly pause: number;
  /** The longest pause. If the server asks for more, the request fails. */
  readonly longestPause: number;
  /** Time without progress after which a connection is given up. */
  readonly silence: number;
  /** Size of the parts of large files, several of which are downloaded at once. */
  readonly partBytes: number;
  readonly partsAtOnce: number;
  /** A download of another process counts as ended if it has not grown for this long. */
  readonly abandoned: number;
}

export const DEFAULT_PACE: Pace = {
  tries: 6,
  leastProgress: 4096,
  pause: 500,
  longestPause: 120_000,
  silence: 30_000,
  partBytes: 8 * 2 ** 20,
  partsAtOnce: 4,
  abandoned: 10_000,
};

/** A failure that may pass. */
export class Transient extends Error {
  /**
   * @param failure the error to throw once no try is left
   * @param after milliseconds that the server asks to wait
   */
  constructor(
    readonly failure: IJepaError,
    readonly after?: number,
  ) {
    super(failure.message);
  }
}

/**
 * Waits before try number `tried + 1`.
 * @throws the failure itself when it is permanent, when no try is left, or when the server asks for too long a pause; `aborted`
 */
export async function pauseAfter(error: unknown, tried: number, pace: Pace, signal: AbortSignal | undefined): Promise<void> {
  if (!(error instanceof Transient)) throw error;
  const { failure, after = 0 } = error;
  if (tried >= pace.tries || after > pace.longestPause) throw failure;
  // Clients that failed together must not come back together.
  const own = Math.min(pace.pause * 2 ** (tried - 1) * (0.75 + Math.random() / 2), pace.longestPause);
  await sleep(Math.max(after, own), signal);
}

/** @throws IJepaError `aborted` */
export async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined, stopListening = (): void => {};
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
    stopListening = onAbort(signal, resolve);
    if (signal?.aborted) resolve();
  });
  clearTimeout(timer);
  stopListening();
  throwIfAborted(signal, "waiting for the Hub");
}

/** Milliseconds that a Retry-After header asks for: seconds, or a date. */
export function retryAfter(headers: Headers, now = Date.now()): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
