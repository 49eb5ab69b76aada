/** From many scored results to the k best, with little memory. */

export interface Scored {
  readonly score: number;
  readonly id: string;
  /** The patch, which orders results with equal ids. */
  readonly unit: number;
  readonly part: number;
  readonly row: number;
}

/** The k best by score; ties by id, then by patch, the lower first. */
export class TopResults {
  #results: Scored[] = [];

  constructor(private readonly k: number) {}

  add(result: Scored): void {
    this.#results.push(result);
    if (this.#results.length >= 2 * this.k + 64) this.#cut();
  }

  /** True if no score up to `high` can be among the results any more. */
  isBeyond(high: number): boolean {
    this.#cut();
    return this.#results.length === this.k && high < this.#results[this.k - 1].score;
  }

  sorted(): Scored[] {
    this.#cut();
    return this.#results;
  }

  #cut(): void {
    this.#results = this.#results.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : a.id > b.id ? 1 : a.unit - b.unit)).slice(0, this.k);
  }
}

/** Keeps the k largest numbers in a heap. */
export function keepLargest(k: number): { add(value: number): void; readonly least: number } {
  const heap: number[] = [];
  const sift = (at: number): void => {
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
      if (heap[at] <= heap[child]) return;
      [heap[at], heap[child]] = [heap[child], heap[at]];
      at = child;
    }
  };
  const rise = (at: number): void => {
    for (let parent = (at - 1) >> 1; at > 0 && heap[at] < heap[parent]; parent = (at - 1) >> 1) {
      [heap[at], heap[parent]] = [heap[parent], heap[at]];
      at = parent;
    }
  };
  return {
    add(value) {
      if (heap.length < k) {
        heap.push(value);
        rise(heap.length - 1);
      } else if (value > heap[0]) {
        heap[0] = value;
        sift(0);
      }
    },
    /** The smallest of them; -Infinity before there are k. */
    get least() {
      return heap.length < k ? -Infinity : heap[0];
    },
  };
}
