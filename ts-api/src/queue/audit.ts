/** Chooses the results that are computed a second time, and the results to replace if two workers differ. */
import { checkHas } from "../core/options.js";
import { IJepaError } from "../core/errors.js";
import { outcomesOf, type Audit, type ImageJob, type JobResult, type WorkerInfo } from "./jobs.js";

/** A worker that was found to compute wrongly. */
export interface AuditMismatch {
  /** The worker that is wrong. */
  readonly worker: WorkerInfo;
  /** The image that shows it. */
  readonly source: string;
  /** The results of a worker: the digest of the feature, or the code of a failure. */
  readonly actual: string;
  /** What others did. */
  readonly expected: string;
  /** Images that others compute again. */
  readonly recomputed: number;
}

interface Tracked {
  readonly info: WorkerInfo;
  /** Results up to the last audit that agreed. */
  base: number;
  /** Places of the results after it. */
  since: string[];
  /** Some of those before it: an error that comes and goes can pass an audit. */
  earlier: string[];
  /** Results up to which audits were asked for. */
  asked: number;
  /** Images that are due for an audit; the first job of a worker always has one. */
  due: number;
  last: { readonly source: string; readonly outcome: string };
  wrong: boolean;
}

/** Audited places that are remembered for each worker, besides those that no audit has passed yet. */
const EARLIER = 1024;

/** Images to be audited. */
export type Wanted = Pick<ImageJob, "sources"> & { readonly audit: Audit };

/** The state that a run takes over from an interrupted one. */
export interface SavedAudits {
  readonly workers: readonly Tracked[];
  /** Places whose wrong results were not replaced yet. */
  readonly redo: readonly string[];
}

/**
 * Audits the given share of each worker's images, and its last one, so that each result that is kept is followed by a passed audit of its
 * worker.
 */
export class Auditor {
  readonly #workers = new Map<string, Tracked>();
  /** Places whose results no longer count and must be computed by other workers. */
  readonly redo: Set<string>;
  readonly mismatches: AuditMismatch[] = [];
  #changed = false;

  /**
   * @param share 0 to 1; with 0, nothing is recorded and nothing is audited
   * @throws IJepaError `input/value`
   */
  constructor(private readonly share: number, { workers, redo }: SavedAudits = { workers: [], redo: [] }) {
    if (!(share >= 0 && share <= 1)) throw new IJepaError("input/value", `audit must be a share from 0 to 1, not ${share}.`, { name: "audit", value: share });
    for (const worker of workers) this.#workers.set(worker.info.name, { ...worker, since: [...worker.since], earlier: [...worker.earlier], asked: worker.base });
    this.redo = new Set(redo);
  }

  /** Names of the workers that are wrong. */
  get banned(): string[] {
    return [...this.#workers.values()].filter(({ wrong }) => wrong).map(({ info }) => info.name);
  }

  isWrong({ name }: WorkerInfo): boolean {
    return this.#workers.get(name)?.wrong === true;
  }

  /** The state to store, if it has changed; undefined if there is none. */
  async save(keep: (saved: SavedAudits | undefined) => Promise<void>): Promise<void> {
    if (!this.#changed) return;
    const workers = [...this.#workers.values()].filter(({ since, wrong }) => wrong || since.length > 0), open = workers.some(({ since }) => since.length > 0);
    await keep(open || this.redo.size > 0 ? { workers, redo: [...this.redo] } : undefined);
    this.#changed = false;
  }

  /** Records a result; returns the images of it that another worker has to compute. */
  collected(result: JobResult): Wanted | undefined {
    const outcomes = [...outcomesOf(result)];
    for (const [source] of outcomes) if (this.redo.delete(source)) this.#changed = true;
    if (this.share === 0 || outcomes.length === 0) return undefined;
    const worker = this.#workerOf(result.worker, 1), [source, outcome] = outcomes.at(-1)!;
    worker.since.push(...outcomes.map(([source]) => source));
    worker.last = { source, outcome };
    worker.due += this.share * outcomes.length;
    this.#changed = true;
    const count = Math.min(outcomes.length, Math.floor(worker.due));
    if (count === 0) return undefined;
    worker.due -= count;
    return wanted(worker, pick(outcomes, count));
  }

  /** The last image of each worker that was not audited since. */
  closing(): Wanted[] {
    const open = [...this.#workers.values()].filter(({ since, wrong, base, asked }) => !wrong && since.length > 0 && asked < base + since.length);
    return open.map((worker) => wanted(worker, [[worker.last.source, worker.last.outcome]]));
  }

  agree({ worker: { name }, until }: Audit): void {
    const worker = this.#workers.get(name);
    if (worker === undefined || worker.wrong || until <= worker.base) return;
    worker.earlier = [...worker.earlier, ...worker.since.splice(0, until - worker.base)].slice(-EARLIER);
    worker.base = until;
    this.#changed = true;
  }

  /**
   * Marks a worker as wrong: its results since its last passed audit, and some before, go to `redo`. Undefined if it was marked already.
   */
  blame(info: WorkerInfo, source: string, actual: string, expected: string): AuditMismatch | undefined {
    const worker = this.#workerOf(info, 0);
    if (worker.wrong) return undefined;
    const places = new Set([...worker.earlier, ...worker.since]);
    for (const place of places) this.redo.add(place);
    const mismatch = { worker: info, source, actual: shown(actual), expected: shown(expected), recomputed: places.size };
    worker.wrong = true;
    [worker.since, worker.earlier] = [[], []];
    this.mismatches.push(mismatch);
    this.#changed = true;
    return mismatch;
  }

  #workerOf(info: WorkerInfo, due: number): Tracked {
    const known = this.#workers.get(info.name) ?? { info, base: 0, since: [], earlier: [], asked: 0, due, last: { source: "", outcome: "" }, wrong: false };
    this.#workers.set(info.name, known);
    return known;
  }
}

/** Compares `actual` with `expected`, both as of `outcomesOf`. */
export function compareOutcomes(actual: string | undefined, expected: string | undefined): "same" | "wrong" | "unclear" {
  if (actual === undefined || expected === undefined) return "unclear";
  if (actual === expected) return "same";
  // A file that could not be read, or has changed, proves nothing about the workers.
  if (actual.startsWith("io/") || expected.startsWith("io/")) return "unclear";
  const [[id, digest], [otherId, otherDigest]] = [actual.split(" "), expected.split(" ")];
  return digest !== undefined && otherDigest !== undefined && id !== otherId ? "unclear" : "wrong";
}

/** For whoever runs the workers. */
export function mismatchError(mismatch: AuditMismatch): IJepaError {
  checkHas("The mismatch", mismatch, "what onMismatch is given", "worker", "source");
  const { worker: { name, machine, device }, source, actual, expected, recomputed } = mismatch;
  const message =
    `Worker ${name} on ${machine} (${device}) computed ${actual} for ${source}; others computed ${expected}. ` +
    `Its last ${recomputed} results are computed again by others, and it gets no more jobs. Run "ijepa verify" on that machine.`;
  return new IJepaError("queue/audit", message, { worker: name, machine, device });
}

function wanted(worker: Tracked, images: readonly (readonly [string, string])[]): Wanted {
  worker.asked = worker.base + worker.since.length;
  return { sources: images.map(([source]) => source), audit: { worker: worker.info, until: worker.asked, outcomes: images.map(([, outcome]) => outcome) } };
}

/** The digest of the feature, or the code of the failure. */
function shown(outcome: string): string {
  return outcome.split(" ").at(-1)!;
}

function pick<T>(items: readonly T[], count: number): T[] {
  const left = [...items];
  return Array.from({ length: count }, () => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
}
