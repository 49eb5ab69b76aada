/** From the name of a file on the Hub to its commit, size, digest and bytes. */
import { IJepaError } from "../../core/errors.js";
import { show } from "../../core/show.js";
import { Connection, failure, statusFailure, type Reply } from "./connection.js";
import { parseJson } from "../../core/json.js";
import { digestOfEtag, type Digest } from "./digest.js";
import { isCommit, resolveUrl } from "./names.js";
import { displayUrl } from "../sources/url.js";
import { pauseAfter, Transient, type Pace } from "./retry.js";
import type { HubSettings } from "./settings.js";

/** A file of a model, at one commit. */
export interface RemoteFile {
  readonly name: string;
  readonly commit: string;
  /** Its address on the Hub, at that commit. */
  readonly url: string;
  readonly size: number;
  /** The name of its bytes in the cache. */
  readonly etag: string;
  /** The digest of its bytes, if the ETag is one. */
  readonly digest: Digest | undefined;
}

/** A resolved revision, with the requested file; `file` is undefined if the model has none of that name. */
export interface Found {
  /** Undefined if the answer does not tell it. */
  readonly commit: string | undefined;
  readonly file: RemoteFile | undefined;
}

export interface FindOptions {
  /** How often a temporary failure is tried. */
  tries?: number | undefined;
  /** Without the file the model cannot be opened. Default true. */
  required?: boolean;
}

/** The model's files as `GET /api/models/REPO/revision/REVISION?blobs=true` lists them. */
interface Listing {
  sha?: string;
  siblings?: { rfilename?: string; size?: number; blobId?: string; lfs?: { sha256?: string; size?: number } }[];
}

/** How often the first request is tried while there is no answer. */
const FIRST_TRIES = 2;

export class HubClient {
  readonly #connection: Connection;
  /** Targets of redirects, by address on the Hub. They are signed and expire. */
  readonly #locations = new Map<string, string>();
  /** Addresses whose servers do not support ranges. */
  readonly #whole = new Set<string>();
  #listing: { revision: string; json: Promise<Listing> } | undefined;

  constructor(
    readonly repo: string,
    readonly settings: HubSettings,
    readonly pace: Pace,
  ) {
    this.#connection = new Connection({ ...settings, silence: pace.silence });
  }

  /**
   * @throws IJepaError `hub/missing`, `hub/access`, `io/read`, `aborted`
   */
  async find(name: string, revision: string, signal: AbortSignal | undefined, { tries = this.pace.tries, required = true }: FindOptions = {}): Promise<Found> {
    for (let tried = 1; ; tried++) {
      try {
        const found = await (this.#connection.redirectsAreHidden ? this.#findInListing(name, revision, signal) : this.#findByHead(name, revision, required, signal));
        this.#checkCommit(name, revision, found.commit);
        return found;
      } catch (error) {
        // A Hub that has never answered probably cannot be reached: more tries would only keep the user waiting.
        const patience = this.#connection.answered ? tries : Math.min(tries, FIRST_TRIES);
        await pauseAfter(error, tried, { ...this.pace, tries: patience }, signal);
      }
    }
  }

  /** Follows the redirects of a file once, for all its parts; true if the server supports ranges. */
  async sendsRanges(file: RemoteFile, signal: AbortSignal | undefined): Promise<boolean> {
    for (let tried = 1; ; tried++) {
      try {
        (await this.#get(file, 0, 1, signal)).drop();
        return !this.#whole.has(file.url);
      } catch (error) {
        await pauseAfter(error, tried, this.pace, signal);
      }
    }
  }

  /**
   * The bytes from `begin` to before `end`, exactly; a connection that ends early is resumed.
   * @throws IJepaError `hub/missing`, `hub/access`, `io/read`, `aborted`
   */
  async *bytes(file: RemoteFile, begin: number, end: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
    for (let at = begin, tried = 1, fresh = 0; at < end; tried++) {
      try {
        const reply = await this.#get(file, at, end, signal);
        let skip = reply.response.status === 200 ? at : 0;
        for await (const chunk of reply.body()) {
          const part = chunk.subarray(Math.min(skip, chunk.length)).subarray(0, end - at);
          skip -= Math.min(skip, chunk.length);
          if (part.length === 0) continue;
          at += part.length;
          fresh += part.length;
          if (fresh >= this.pace.leastProgress) {
            fresh = 0;
            tried = 1;
          }
          yield part;
          if (at === end) return;
        }
        throw new Transient(failure(file.url, `the connection ended at byte ${at} of ${file.size}`));
      } catch (error) {
        await pauseAfter(error, tried, this.pace, signal);
      }
    }
  }

  async #get(file: RemoteFile, begin: number, end: number, signal: AbortSignal | undefined): Promise<Reply> {
    const known = this.#locations.get(file.url), url = known ?? file.url;
    const isWhole = this.#whole.has(file.url) || (begin === 0 && end === file.size);
    const reply = await this.#connection.request(url, "GET", isWhole ? {} : { range: `bytes=${begin}-${end - 1}` }, "anywhere", signal);
    const { response } = reply;
    if (!this.#connection.isHub(reply.url)) this.#locations.set(file.url, reply.url);
    if (response.status === 200 || response.status === 206) {
      if (response.status === 200 && !isWhole) this.#whole.add(file.url);
      const problem = problemOf(response, begin, file.size);
      if (problem === undefined) return reply;
      reply.drop();
      this.#locations.delete(file.url);
      throw new Transient(failure(url, problem));
    }
    reply.drop();
    this.#locations.delete(file.url);
    if (response.status === 416 && !isWhole) {
      this.#whole.add(file.url);
      throw new Transient(failure(url, "the server cannot send the range asked for (HTTP status 416)"));
    }
    if (this.#connection.isHub(reply.url)) throw this.#refusal(reply);
    const failed = statusFailure(reply.url, response);
    // A signed address expires; the Hub gives a new one.
    throw known === undefined || failed instanceof Transient ? failed : new Transient(failed);
  }

  /** Files of two commits do not belong together, even if the server sends them. */
  #checkCommit(name: string, revision: string, commit: string | undefined): void {
    if (commit === undefined || commit === revision || !isCommit(revision)) return;
    const url = resolveUrl(this.settings.endpoint, this.repo, revision, name);
    throw failure(url, `the server names the commit ${show(commit)} where ${revision} was asked for; files of two commits do not belong together`);
  }

  async #findByHead(name: string, revision: string, required: boolean, signal: AbortSignal | undefined): Promise<Found> {
    const { endpoint } = this.settings;
    const url = resolveUrl(endpoint, this.repo, revision, name);
    // A compressed answer would have another length.
    const reply = await this.#connection.request(url, "HEAD", { "accept-encoding": "identity" }, "hub", signal);
    if (this.#connection.redirectsAreHidden) return this.#findInListing(name, revision, signal);
    reply.drop();
    const { response } = reply;
    const commit = reply.header("x-repo-commit");
    if (isEntryMissing(response, revision) || (!required && isForbiddenEntry(response, revision))) return { commit, file: undefined };
    const isRedirect = response.status >= 300 && response.status < 400;
    if (!response.ok && !isRedirect) throw this.#refusal(reply, revision);
    const etag = reply.header("x-linked-etag") ?? response.headers.get("etag") ?? undefined;
    const size = reply.header("x-linked-size") ?? (isRedirect ? undefined : response.headers.get("content-length"));
    return { commit, file: this.#file(name, commit, etag, size ?? undefined) };
  }

  /** If redirects are hidden, so are the headers of the Hub; its list of files has the same facts. */
  async #findInListing(name: string, revision: string, signal: AbortSignal | undefined): Promise<Found> {
    if (this.#listing?.revision !== revision) this.#listing = { revision, json: this.#list(revision, signal) };
    const listing = this.#listing;
    try {
      const { sha, siblings = [] } = await listing.json;
      const entry = siblings.find(({ rfilename }) => rfilename === name);
      if (entry === undefined) return { commit: sha, file: undefined };
      return { commit: sha, file: this.#file(name, sha, entry.lfs?.sha256 ?? entry.blobId, entry.lfs?.size ?? entry.size) };
    } catch (error) {
      if (this.#listing === listing) this.#listing = undefined;
      throw error;
    }
  }

  async #list(revision: string, signal: AbortSignal | undefined): Promise<Listing> {
    const url = `${this.settings.endpoint}/api/models/${this.repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
    const reply = await this.#connection.request(url, "GET", { accept: "application/json" }, "hub", signal);
    if (!reply.response.ok) {
      reply.drop();
      throw this.#refusal(reply, revision);
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of reply.body()) pieces.push(piece);
    try {
      return parseJson(new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer())) as Listing;
    } catch (cause) {
      throw failure(url, "it is not the JSON of the Hub", cause);
    }
  }

  #file(name: string, commit: string | undefined, etag: string | undefined, size: string | number | undefined): RemoteFile {
    const url = resolveUrl(this.settings.endpoint, this.repo, commit ?? "main", name);
    const notTheHub = (what: string): IJepaError =>
      failure(url, `the server does not answer like the Hugging Face Hub: ${what}. Where it is another server, pass the URL of the folder as the model`);
    if (commit === undefined || !/^[0-9a-f]{40}$/.test(commit)) throw notTheHub("it does not name the commit");
    const plain = etag?.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
    if (plain === undefined || !/^\w[\w.-]{0,199}$/.test(plain)) throw notTheHub("it gives no usable ETag");
    const bytes = Number(size);
    if (!/^\d+$/.test(String(size)) || !Number.isSafeInteger(bytes)) throw notTheHub("it does not give the size");
    return { name, commit, url, size: bytes, etag: plain, digest: digestOfEtag(plain) };
  }

  /** The error for an answer of the Hub other than a file. */
  #refusal({ response, url }: Reply, revision = this.settings.revision): IJepaError | Transient {
    const { status, headers } = response, { repo } = this, { token } = this.settings;
    const code = headers.get("x-error-code"), words = headers.get("x-error-message");
    const what = `the model ${repo} of ${new URL(url).host}`;
    const bucket = status === 403 && code === null ? ` That was the answer for ${displayUrl(url)}; S3 and CloudFront also give it for a file that is not there.` : "";
    const says = words === null ? bucket : ` The Hub says: ${JSON.stringify(words.slice(0, 200))}.`;
    if (code === "RevisionNotFound") return new IJepaError("hub/missing", `There is no revision ${revision} of ${what}.`, { repo, revision });
    if (code === "RepoNotFound" || isAbsence(status)) {
      const hint = token === undefined ? "If it is private or gated, set HF_TOKEN." : "If it is private, check that the token may read it.";
      return new IJepaError("hub/missing", `There is neither a folder ${repo} here, nor ${what}.${says} ${hint}`, { repo, revision });
    }
    if (status === 401 || status === 403) {
      const hint =
        token === undefined
          ? "Accept its conditions on its page if it has any, and set HF_TOKEN to a token of yours."
          : "Check the token, and on the page of the model that its owner may read it.";
      return new IJepaError("hub/access", `Access to ${what} is refused (HTTP status ${status}).${says} ${hint}`, { repo, status });
    }
    return statusFailure(url, response);
  }
}

/** Not found, or gone. */
function isAbsence(status: number): boolean {
  return status === 404 || status === 410;
}

/** Only the file is missing: the Hub itself named this commit, so the model and the revision exist. */
function isEntryMissing({ status, headers }: Response, revision: string): boolean {
  const code = headers.get("x-error-code");
  return isAbsence(status) && (code === "EntryNotFound" || (code === null && (isCommit(revision) || headers.get("x-repo-commit") !== null)));
}

/** Mirrors on S3 or CloudFront answer 403 for missing files of a commit that exists. */
function isForbiddenEntry({ status, headers }: Response, revision: string): boolean {
  return status === 403 && isCommit(revision) && headers.get("x-error-code") === null && headers.get("x-error-message") === null;
}

/** What is wrong with an answer of status 200 or 206; undefined if nothing is, or if the server hides its headers. */
function problemOf({ status, headers }: Response, begin: number, size: number): string | undefined {
  if (status === 206) {
    const [, start, total = size] = /^bytes (\d+)-\d+\/(\d+)?/.exec(headers.get("content-range") ?? "") ?? [];
    if (start !== undefined && Number(start) !== begin) return "the server sent another range than asked for";
    return Number(total) === size ? undefined : `the server has ${total} bytes of it, the Hub says ${size}`;
  }
  const length = headers.get("content-length");
  if (length === null || headers.get("content-encoding") !== null || Number(length) === size) return undefined;
  return `the server has ${length} bytes of it, the Hub says ${size}`;
}
