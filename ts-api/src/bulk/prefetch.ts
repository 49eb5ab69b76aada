/** From a list of items to their results, in order: work begins a bounded number of items ahead of the result that is taken. */
import { onAbort } from "../core/abort.js";
import { throwIfAborted } from "../core/errors.js";

export class Prefetch<T, R> {
  readonly #iterator: AsyncIterator<T> | Iterator<T>;
  /** Pending results, in order. They reject only with errors that end the whole job. */
  readonly #slots: Promise<R>[] = [];
  #ended = false;
  #filling = false;
  #wake: (() => void) | undefined;
  readonly #stopListening: () => void;

  /**
   * @param begin begins the work of one item; if it rejects, `take` throws that error when the item's turn comes
   * @param limit most items that were begun and whose result was not taken yet
   * @param signal ends waiting for an item that does not arrive
   */
  constructor(
    items: AsyncIterable<T> | Iterable<T>,
    private readonly begin: (item: T) => Promise<R>,
    private readonly limit: number,
    private readonly signal: AbortSignal,
  ) {
    this.#iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    this.#stopListening = onAbort(signal, () => this.#wake?.());
    void this.#fill();
  }

  /** Items that were begun and whose result was not taken yet. */
  get begun(): number {
    return this.#slots.length;
  }

  /**
   * The next result; undefined after the last.
   *
   * @throws IJepaError `aborted`; what the items or `begin` throw
   */
  async take(): Promise<{ result: R } | undefined> {
    for (;;) {
      throwIfAborted(this.signal, "waiting for an image");
      const slot = this.#slots.shift();
      if (slot !== undefined) {
        void this.#fill();
        return { result: await slot };
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Asks for no more items, and does not wait for those that were begun. */
  close(): void {
    this.#ended = true;
    this.#stopListening();
    // The promise is not awaited: an iterator that still waits for its source would delay it.
    void Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
  }

  async #fill(): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    while (!this.#ended && this.#slots.length < this.limit) {
      try {
        const next = await this.#iterator.next();
        if (next.done === true) this.#ended = true;
        else this.#push(this.begin(next.value));
      } catch (error) {
        this.#ended = true;
        this.#push(Promise.resolve().then(() => {
          throw error;
        }));
      }
      this.#wake?.();
    }
    this.#filling = false;
  }

  #push(slot: Promise<R>): void {
    slot.catch(() => undefined);
    this.#slots.push(slot);
  }
}
