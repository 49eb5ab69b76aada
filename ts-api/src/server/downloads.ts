/**
 * Downloads images that clients give by URL: a few at a time over all requests. Memory stays bounded, and no request is refused because
 * of them.
 */
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { shorten } from "../core/show.js";
import type { FetchImage } from "./server-options.js";

const WAITING = "waiting for other downloads";

export class Downloads {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param most images whose bytes are in memory at a time */
  constructor(most: number, private readonly fetchImage: FetchImage, private readonly maxBytes: number) {
    this.#free = most;
  }

  /**
   * Downloads an image and passes its bytes to `use`, when its turn comes.
   *
   * @param source how messages call it
   * @throws IJepaError `input/value` for no URL, `io/read`, `aborted`, and what `use` throws
   */
  async with<T>(address: string, source: string, signal: AbortSignal, use: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    if (!URL.canParse(address)) {
      throw new IJepaError("input/value", `${source} must be the URL of an image, not ${JSON.stringify(shorten(address))}.`, { name: source, value: address });
    }
    await this.#turn(signal);
    try {
      return await use(await this.#read(new URL(address), source, signal));
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async #read(url: URL, source: string, signal: AbortSignal): Promise<Uint8Array> {
    try {
      return await this.fetchImage(url, { maxBytes: this.maxBytes, signal });
    } catch (error) {
      throwIfAborted(signal, `reading ${source}`);
      throw error;
    }
  }

  /** Resolves when the caller has got a place. */
  async #turn(signal: AbortSignal): Promise<void> {
    throwIfAborted(signal, WAITING);
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(new IJepaError("aborted", `Aborted while ${WAITING}.`, { during: WAITING }, { cause: signal.reason }));
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(go);
    });
  }
}
