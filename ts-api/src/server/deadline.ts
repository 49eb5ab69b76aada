/** Runs a request's work with a time limit. */
import { HttpError } from "./http-error.js";

/** The abort reason for work that has ended. It is shared, because a new error for each request costs as much as a small answer. */
const OVER = new Error("The request is answered.");

/**
 * Runs `work` with a signal that is aborted after `milliseconds`, when `signal` is, and at the latest when `work` has ended, so that
 * unfinished parts of it stop too.
 *
 * @throws HttpError 503 when the time is over, and what `work` throws
 */
export async function within<T>(milliseconds: number, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const follow = () => controller.abort(signal?.reason);
  let overdue = false;
  const timer = setTimeout(() => {
    overdue = true;
    controller.abort();
  }, milliseconds);
  signal?.addEventListener("abort", follow);
  if (signal?.aborted) follow();
  try {
    return await work(controller.signal);
  } catch (error) {
    if (!overdue || error instanceof HttpError) throw error;
    throw new HttpError(503, "server/overdue", `The request could not be answered within ${milliseconds / 1000} s. Try again later.`, { retryAfter: 1 });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", follow);
    controller.abort(OVER);
  }
}
