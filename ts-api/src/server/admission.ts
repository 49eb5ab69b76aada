/** Limits of what requests may hold in memory: each is admitted and counted, or refused with status 429. */
import { HttpError } from "./http-error.js";

export interface AdmissionLimits {
  /** Most images of all requests under way. */
  readonly images: number;
  /** Most bytes of their bodies. */
  readonly bytes: number;
}

/** An admitted request. */
export interface Ticket {
  /**
   * Adds to what the request holds; negative numbers release.
   *
   * @throws HttpError 429
   */
  grow(images: number, bytes: number): void;
  /** It is answered. */
  release(): void;
}

export class Admission {
  requests = 0;
  images = 0;
  bytes = 0;
  #stopping = false;
  #drained: (() => void) | undefined;

  /** @param retryAfter estimated seconds until there is room again */
  constructor(
    private readonly limits: AdmissionLimits,
    private readonly retryAfter: () => number,
  ) {}

  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * Admits a request, counted as one image.
   *
   * @throws HttpError 429 when the server is full, 503 when it is stopping
   */
  admit(bytes: number): Ticket {
    if (this.#stopping) throw new HttpError(503, "server/stopping", "The server is stopping. Send the request to another server, or try again later.", { retryAfter: 1 });
    const held = { images: 0, bytes: 0 };
    const grow = (moreImages: number, moreBytes: number) => {
      this.#checkRoom(moreImages, moreBytes);
      held.images += moreImages;
      held.bytes += moreBytes;
      this.images += moreImages;
      this.bytes += moreBytes;
    };
    grow(1, bytes);
    this.requests++;
    return {
      grow,
      release: () => {
        this.requests--;
        this.images -= held.images;
        this.bytes -= held.bytes;
        if (this.requests === 0) this.#drained?.();
      },
    };
  }

  /** Admits no more requests; resolves when every request is answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.requests > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
  }

  #checkRoom(images: number, bytes: number): void {
    if (this.images + images <= this.limits.images && this.bytes + bytes <= this.limits.bytes) return;
    const retryAfter = this.retryAfter();
    const message = `The server is busy with ${this.images} images. Try again in ${retryAfter} s.`;
    throw new HttpError(429, "server/busy", message, { retryAfter });
  }
}
