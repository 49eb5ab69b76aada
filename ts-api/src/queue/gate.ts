/** Jobs side by side, so that images of the next are decoded while one computes; those that may end the process alone. */

export class Gate {
  #running = 0;
  #alone = false;
  #closed = false;

  /** @param close so that no more jobs come, and `open` again, in turn */
  constructor(private readonly close: () => void, private readonly open: () => void) {}

  /** False for a job that has to be given back: another worker takes it, or this one later. */
  enter(alone: boolean): boolean {
    if (this.#alone || (alone && this.#running > 0)) {
      if (!this.#closed) this.close();
      this.#closed = true;
      return false;
    }
    this.#alone = alone;
    this.#running++;
    return true;
  }

  /** A job that entered is over. */
  leave(): void {
    this.#running--;
    this.#alone = false;
    if (this.#running > 0 || !this.#closed) return;
    this.#closed = false;
    this.open();
  }
}
