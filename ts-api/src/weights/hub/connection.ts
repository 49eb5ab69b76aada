/** One HTTP request to the Hub: it follows redirects without the token, and gives up a connection that falls silent. */
import { onAbort } from "../../core/abort.js";
import { withoutCredentials } from "../../core/credentials.js";
import { IJepaError, throwIfAborted } from "../../core/errors.js";
import { networkFailure, proxyRefusal } from "../sources/network.js";
import { displayUrl } from "../sources/url.js";
import { retryAfter, Transient } from "./retry.js";

const MAX_REDIRECTS = 10;
/** Bytes that count as progress. */
const LEAST_BYTES = 1024;

export interface ConnectionSettings {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  /** Milliseconds without a byte after which a request is given up. */
  readonly silence: number;
}

export interface Reply {
  /** The last answer: not a redirect, or a redirect that was not followed. */
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

/** How far redirects are followed: to their end, or only to the Hub, whose address a mirror gives. */
export type Reach = "anywhere" | "hub";

export class Connection {
  readonly #origin: string;
  /** A name and password in the endpoint. */
  readonly #basic: Record<string, string>;
  /** Browsers hide redirects; they drop the token themselves when one leads to another host. */
  #redirectsAreHidden = false;

  #answered = false;

  /** True if the Hub has answered at least once, with any status. */
  get answered(): boolean {
    return this.#answered;
  }

  get redirectsAreHidden(): boolean {
    return this.#redirectsAreHidden;
  }

  constructor(readonly settings: ConnectionSettings) {
    this.#origin = new URL(settings.endpoint).origin;
    this.#basic = withoutCredentials(settings.endpoint).headers;
  }

  /** Also where the same host answers over TLS. */
  isHub(url: string): boolean {
    return [this.#origin, this.#origin.replace(/^http:/, "https:")].includes(new URL(url).origin);
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
        this.#answered = true;
        watch.saw(LEAST_BYTES);
        answers.push(response);
        const next = redirectOf(response, at);
        if (next === undefined || (reach === "hub" && !this.isHub(next) && !isMirror(response))) return reply(answers, next ?? (response.url || at), watch);
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
    const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` }, authorization = this.isHub(url) ? { ...bearer, ...this.#basic } : {};
    const redirect = this.#redirectsAreHidden ? "follow" : "manual";
    return fetch.call(globalThis, withoutCredentials(url).url, { method, headers: { ...headers, ...authorization }, redirect, signal });
  }
}

export function failure(url: string, problem: string, cause?: unknown): IJepaError<"io/read"> {
  const path = displayUrl(url);
  return new IJepaError("io/read", `Cannot read ${path}: ${problem}.`, { path }, { cause });
}

/** The error for an HTTP status; Transient if it may pass. */
export function statusFailure(url: string, { status, statusText, headers }: Response): Transient | IJepaError {
  const after = retryAfter(headers);
  const wait = after === undefined ? "" : `, and to come back in ${Math.ceil(after / 1000)} seconds`;
  const proxy = proxyRefusal(status);
  if (proxy !== undefined) return failure(url, proxy);
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
          watch.saw(value.length);
          yield value;
        }
      } finally {
        watch.end();
        reader?.cancel().catch(() => undefined);
      }
    },
  };
}

/** Redirects of the Hub describe their target; a mirror that only redirects to the Hub does not. */
function isMirror({ headers }: Response): boolean {
  return !["x-repo-commit", "x-linked-etag", "x-linked-size", "x-error-code"].some((name) => headers.has(name));
}

/** The target of a redirect; undefined for other answers. */
function redirectOf(response: Response, from: string): string | undefined {
  const location = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
  if (location === null) return undefined;
  const url = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (url?.protocol === "https:" || url?.protocol === "http:") return url.href;
  throw failure(from, "it redirects to something other than an http(s) URL");
}

/** Errors of the unread body are ignored. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

/** Ends a request when the user aborts it, or when too few bytes arrive for too long. */
class Watch {
  readonly #controller = new AbortController();
  readonly #stopListening: () => void;
  #silent = false;
  /** Milliseconds of waiting, and bytes, since the last progress. */
  #waited = 0;
  #fresh = 0;

  constructor(
    readonly url: string,
    readonly silence: number,
    readonly user: AbortSignal | undefined,
  ) {
    this.#check();
    this.#stopListening = onAbort(user, () => this.#controller.abort());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Records bytes; a few now and then are not progress. */
  saw(bytes: number): void {
    this.#fresh += bytes;
    if (this.#fresh < LEAST_BYTES) return;
    this.#fresh = 0;
    this.#waited = 0;
  }

  /** Waits for the next bytes. Only waiting counts, not the time for using the bytes. */
  async wait<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const timer = setTimeout(() => {
      this.#silent = true;
      this.#controller.abort();
    }, Math.max(0, this.silence - this.#waited));
    try {
      return await work();
    } catch (error) {
      this.#check();
      if (this.#silent) throw new Transient(failure(this.url, `almost no data arrived for ${this.silence / 1000} seconds`, error));
      const { problem, mayPass } = networkFailure(error), failed = failure(this.url, problem, error);
      throw mayPass ? new Transient(failed) : failed;
    } finally {
      clearTimeout(timer);
      this.#waited += performance.now() - began;
    }
  }

  end(): void {
    this.#stopListening();
  }

  #check(): void {
    throwIfAborted(this.user, `reading ${displayUrl(this.url)}`);
  }
}
