/** From counts of finished images to progress: done, failed, images per second, seconds left. */

export interface BulkProgress {
  /** Finished images: computed, skipped or failed. */
  readonly done: number;
  /** Of these, those whose features were computed. */
  readonly computed: number;
  /** Of these, those that were known already. */
  readonly skipped: number;
  /** Of these, those that could not be read. */
  readonly failed: number;
  /** Images of the job; undefined if unknown. */
  readonly total: number | undefined;
  /** Computed images a second, over the last half minute. */
  readonly rate: number;
  /** Seconds left at this rate; undefined if the total is unknown or nothing was computed yet. */
  readonly secondsLeft: number | undefined;
  /** The last image that was done. */
  readonly source: string;
}

export type Outcome = "computed" | "skipped" | "failed";

const WINDOW_MS = 30_000;

export class ProgressCounter {
  readonly #counts: Record<Outcome, number> = { computed: 0, skipped: 0, failed: 0 };
  /** Samples: times, with the counts at each. */
  #moments: { at: number; done: number; computed: number }[];

  constructor(
    private total: number | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#moments = [{ at: now(), done: 0, computed: 0 }];
  }

  expect(total: number | undefined): void {
    this.total = total;
  }

  count(outcome: Outcome): void {
    this.#counts[outcome]++;
  }

  /** @param source the last image that was done */
  progress(source: string): BulkProgress {
    const { computed, skipped, failed } = this.#counts, done = computed + skipped + failed, at = this.now();
    this.#moments.push({ at, done, computed });
    // The first sample that is kept is the last one before the window.
    while (this.#moments.length > 2 && this.#moments[1].at < at - WINDOW_MS) this.#moments.shift();
    const [first] = this.#moments, seconds = (at - first.at) / 1000;
    const perSecond = (count: number) => (seconds > 0 ? count / seconds : 0);
    const pace = perSecond(done - first.done);
    const secondsLeft = this.total === undefined || pace === 0 ? undefined : Math.max(0, this.total - done) / pace;
    return { done, computed, skipped, failed, total: this.total, rate: perSecond(computed - first.computed), secondsLeft, source };
  }
}
