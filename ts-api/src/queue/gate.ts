/**
 * Lets several jobs run side by side, so that the next one's images are decoded while one computes. A job that may crash the process runs
 * alone.
 */

export class Gate {
  #running = 0;
  #alone = false;
  #closed = false;

  /** @param close stops the arrival of jobs; `open` allows it again */
  constructor(private readonly close: () => void, private readonly open: () => void) {}

  /** False for a job that must be given back: another worker takes it, or this one later. */
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

  /** Call it when a job that entered has ended. */
  leave(): void {
    this.#running--;
    this.#alone = false;
    if (this.#running > 0 || !this.#closed) return;
    this.#closed = false;
    this.open();
  }
}
