/** The loop around every part of the fuzzing: a seed for each input, counts of what came of them, and the faults. */
import { Worker } from "node:worker_threads";
import { Random } from "./random.js";

/** One kind of inputs. */
export interface FuzzPart {
  /** Everything that inputs share. */
  open(): Promise<FuzzTarget>;
}

export interface FuzzTarget {
  /**
   * Makes an input of `random`, tries it, and checks what comes of it.
   *
   * @returns the kind of outcome, for counting: "ok", or the code of an error that is right
   * @throws for whatever must not happen; the message says what did
   */
  run(random: Random): Promise<string>;
  close?(): Promise<void>;
}

export interface FuzzOptions {
  /** No input is begun after so many seconds. */
  seconds: number;
  /** The first input's seed; the next ones follow. */
  seed: number;
  /** At most so many inputs. */
  runs?: number;
}

export interface FuzzReport {
  runs: number;
  seconds: number;
  outcomes: Record<string, number>;
  faults: { seed: number; message: string }[];
}

/** An input that keeps the program busy for longer ends it, with its seed. */
const HANG_SECONDS = 120;
const MAX_FAULTS = 20;

/** Runs one part. A fault does not stop it, but the twentieth does. */
export async function fuzz(name: string, part: FuzzPart, { seconds, seed: first, runs = Infinity }: FuzzOptions): Promise<FuzzReport> {
  const current = new Int32Array(new SharedArrayBuffer(4));
  const watchdog = new Worker(new URL("./watchdog.js", import.meta.url), { workerData: { name, current, seconds: HANG_SECONDS } });
  const target = await part.open();
  const report: FuzzReport = { runs: 0, seconds: 0, outcomes: {}, faults: [] };
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  try {
    for (let seed = first; report.runs < runs && elapsed() < seconds && report.faults.length < MAX_FAULTS; seed++) {
      Atomics.store(current, 0, seed);
      Atomics.notify(current, 0);
      let outcome = "fault";
      try {
        outcome = await target.run(new Random(seed));
      } catch (error) {
        report.faults.push({ seed, message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      }
      report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + 1;
      report.runs++;
    }
  } finally {
    await watchdog.terminate();
    await target.close?.();
  }
  return { ...report, seconds: elapsed() };
}

/** The report as lines of text, with the command that repeats each fault. */
export function describe(name: string, { runs, seconds, outcomes, faults }: FuzzReport): string {
  const counts = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
  const head = `${name}: ${runs} inputs in ${seconds.toFixed(0)} s; ${counts.map(([outcome, count]) => `${outcome} ${count}`).join(", ")}`;
  return [head, ...faults.map(({ seed, message }) => `seed ${seed}: ${message}\n  again: npm run fuzz -- ${name} --seed ${seed} --runs 1`)].join("\n");
}
