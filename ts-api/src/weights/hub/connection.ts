/** One request: redirects without the token, silence, failures of the network. */
import { IJepaError, throwIfAborted } from "../../core/errors.js";
import { displayUrl } from "../sources/url.js";
import { retryAfter, Transient } from "./retry.js";

const MAX_REDIRECTS = 10;

export interface ConnectionSettings {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  /** Milliseconds without a byte after which a request is given up. */
  readonly silence: number;
}

export interface Reply {
  /** The last answer: no redirect, or the redirect that was not followed. */
  readonly response: Response;
  /** Where it came from. */
  readonly url: string;
  /** The first value of a header in the answers on the way to it. */
  header(name: string): string | undefined;
  /** The bytes of the last answer as they come. Rejects with Transient. */
  body(): AsyncGenerator<Uint8Array, void>;
  /** Lets the connection go. */
  drop(): void;
}

/** How far redirects are followed: to their end, or not off the Hub. */
export type Reach = "anywhere" | "hub";

export class Connection {
  readonly #origin: string;
  /** Browsers hide redirects; they leave the token out by themselves where one leads to another host. */
  #redirectsAreHidden = false;

  get redirectsAreHidden(): boolean {
    return this.#redirectsAreHidden;
  }

  constructor(readonly settings: ConnectionSettings) {
    this.#origin = new URL(settings.endpoint).origin;
  }

  isHub(url: string): boolean {
    return new URL(url).origin === this.#origin;
  }

  /** @throws Transient for a failure of the network; IJepaError `io/read`, `aborted` */
  async request(url: string, method: "GET" | "HEAD", headers: Record<string, string>, reach: Reach, signal?: AbortSignal): Promise<Reply> {
    const watch = new Watch(url, this.settings.silence, signal);
    try {
      const answers: Response[] = [];
      for (let at = url; ; ) {
        const response = await watch.wait(() => this.#ask(at, method, headers, watch.signal));
        if (response.type === "opaqueredirect") {
          this.#redirectsAreHidden = true;
          continue;
        }
        answers.push(response);
        const next = redirectOf(response, at);
        if (next === undefined || (reach === "hub" && !this.isHub(next))) return reply(answers, next ?? (response.url || at), watch);
        discard(response);
        if (answers.length > MAX_REDIRECTS) throw failure(url, `it redirects more than ${MAX_REDIRECTS} times`);
        at = next;
      }
    } catch (error) {
      watch.end();
      throw error;
    }
  }

  #ask(url: string, method: "GET" | "HEAD", headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const { token, fetch } = this.settings;
    const authorization = token !== undefined && this.isHub(url) ? { authorization: `Bearer ${token}` } : {};
    const redirect = this.#redirectsAreHidden ? "follow" : "manual";
    return fetch.call(globalThis, url, { method, headers: { ...headers, ...authorization }, redirect, signal });
  }
}

export function failure(url: string, problem: string, cause?: unknown): IJepaError<"io/read"> {
  const path = displayUrl(url);
  return new IJepaError("io/read", `Cannot read ${path}: ${problem}.`, { path }, { cause });
}

/** A failure for an HTTP status; Transient where the status may pass. */
export function statusFailure(url: string, { status, statusText, headers }: Response): Transient | IJepaError {
  const after = retryAfter(headers);
  const wait = after === undefined ? "" : `, and to come back in ${Math.ceil(after / 1000)} seconds`;
  const problem = failure(url, `the server answered with HTTP status ${status} ${statusText}`.trimEnd() + wait);
  return status === 408 || status === 429 || status >= 500 ? new Transient(problem, after) : problem;
}

function reply(answers: readonly Response[], url: string, watch: Watch): Reply {
  const response = answers[answers.length - 1];
  return {
    response,
    url,
    header: (name) => answers.map(({ headers }) => headers.get(name)).find((value) => value !== null) ?? undefined,
    drop() {
      watch.end();
      discard(response);
    },
    async *body() {
      const reader = response.body?.getReader();
      try {
        while (reader !== undefined) {
          const { value, done } = await watch.wait(() => reader.read());
          if (done) return;
          yield value;
        }
      } finally {
        watch.end();
        reader?.cancel().catch(() => undefined);
      }
    },
  };
}

/** Where a redirect leads; undefined for other answers. */
function redirectOf(response: Response, from: string): string | undefined {
  const location = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
  if (location === null) return undefined;
  const url = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (url?.protocol === "https:" || url?.protocol === "http:") return url.href;
  throw failure(from, "it redirects to something that is no http(s) URL");
}

/** What becomes of the unread body is of no interest. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

/** Ends a request when the user aborts it, and when nothing comes for too long. */
class Watch {
  readonly #controller = new AbortController();
  readonly #abort = (): void => this.#controller.abort();
  #silent = false;

  constructor(
    readonly url: string,
    readonly silence: number,
    readonly user: AbortSignal | undefined,
  ) {
    this.#check();
    user?.addEventListener("abort", this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for the next sign of life. */
  async wait<T>(work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#silent = true;
      this.#controller.abort();
    }, this.silence);
    try {
      return await work();
    } catch (error) {
      this.#check();
      if (this.#silent) throw new Transient(failure(this.url, `nothing came for ${this.silence / 1000} seconds`, error));
      // fetch says "failed" only; the network's reason is one level down.
      const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new Transient(failure(this.url, inner instanceof Error ? inner.message || inner.name : String(inner), error));
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.user?.removeEventListener("abort", this.#abort);
  }

  #check(): void {
    throwIfAborted(this.user, `reading ${displayUrl(this.url)}`);
  }
}
