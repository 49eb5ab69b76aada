/** From a failed fetch to its reason, in words, and whether the next request may succeed. */
import { runtime } from "#runtime";
import { show } from "../../core/show.js";

export interface NetworkFailure {
  readonly problem: string;
  /** False if the same request will fail again. */
  readonly mayPass: boolean;
}

const PROXY_ASKS =
  "the proxy asks for a name and a password (HTTP status 407); write them into HTTPS_PROXY, as http://name:password@host:port, with % escapes for special characters";

/** @param error what fetch, or a body of it, was rejected with */
export function networkFailure(error: unknown): NetworkFailure {
  const reasons = reasonsOf(error);
  if (isWordless(error) || reasons.some((reason) => /\b407\b|proxy auth/i.test(reason))) return { problem: PROXY_ASKS, mayPass: false };
  const hint = runtime.unheededProxy;
  return { problem: `${reasons.at(-1) ?? "the request failed"}${hint === undefined ? "" : ` (${hint})`}`, mayPass: true };
}

/** The meaning of a status that does not come from the requested server, such as a proxy's; undefined for others. */
export function proxyRefusal(status: number): string | undefined {
  return status === 407 ? PROXY_ASKS : undefined;
}

/** Node's fetch hides answers of status 407: only then its error has a cause without a message. */
function isWordless(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.constructor === Error && cause.message === "" && cause.cause === undefined && !("code" in cause);
}

/** fetch only says "failed"; the network's reason is one or more levels deeper, sometimes without a message. */
function reasonsOf(error: unknown): string[] {
  const reasons: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 5; depth++) {
    const { code } = at as { code?: unknown };
    if (at.message !== "") reasons.push(at.message);
    else if (typeof code === "string") reasons.push(code);
    at = at instanceof AggregateError && at.errors.length > 0 ? (at.errors as unknown[])[0] : at.cause;
  }
  if (!(error instanceof Error) && error !== undefined) reasons.push(show(error));
  return reasons;
}
