/**
 * Starts a few tasks in each round of the event loop. A flood of tasks waits here, in order, instead of in the event loop, where
 * everything else would wait behind it.
 */
export class TickQueue {
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  /** @param most tasks that begin in one round of the event loop */
  constructor(private readonly most: number) {}

  /** Calls `begin` in a later round, in order. */
  wait(begin: () => void): void {
    this.#waiting.push(begin);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const begin of this.#waiting.splice(0, this.most)) begin();
      this.#schedule();
    });
  }
}
