/**
 * Begins work a few pieces at a time, and lets the event loop go round in between. What comes in a flood waits here, in order, and not
 * in the loop, where everything else would wait behind all of it.
 */
export class TickQueue {
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  /** @param most pieces that begin in one round of the event loop */
  constructor(private readonly most: number) {}

  /** Calls `begin` when its turn comes. */
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
