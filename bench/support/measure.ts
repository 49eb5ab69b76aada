/**
 * Fair timing on a shared machine: all contestants in one process, one after the other in every round, so that a change of
 * clock or load meets all of them. Warm-up ends when times stop falling, that is when the engine has compiled for good.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Contestant {
  name: string;
  run(): void | Promise<void>;
}

/** Milliseconds per run. */
export interface Timing {
  name: string;
  /** One per round. */
  samples: number[];
  min: number;
  median: number;
}

export interface RaceOptions {
  rounds: number;
  /** A sample repeats its contestant for at least this long; slower contestants run once. */
  sampleMs: number;
}

/** Warm-up stops after this many samples in a row that are not 3 % faster than the best before, or after this time. */
const STEADY_SAMPLES = 3;
const STEADY_GAIN = 0.97;
const WARM_UP_MS = 4000;

/** Times every contestant, in rounds; the results are in the order of the contestants. */
export async function race(contestants: readonly Contestant[], options: RaceOptions): Promise<Timing[]> {
  const repeats: number[] = [];
  for (const contestant of contestants) repeats.push(await warmUp(contestant, options.sampleMs));
  const samples: number[][] = contestants.map(() => []);
  for (let round = 0; round < options.rounds; round++) {
    collectGarbage();
    for (const [i, contestant] of contestants.entries()) samples[i].push(await sample(contestant, repeats[i]));
  }
  return contestants.map(({ name }, i) => timingOf(name, samples[i]));
}

export function timingOf(name: string, samples: number[]): Timing {
  return { name, samples, min: Math.min(...samples), median: median(samples) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** Runs until the times are steady; returns how many runs fill a sample. */
async function warmUp(contestant: Contestant, sampleMs: number): Promise<number> {
  const end = performance.now() + WARM_UP_MS;
  let best = Infinity, steady = 0, repeats = 1;
  while (steady < STEADY_SAMPLES && performance.now() < end) {
    const time = await sample(contestant, repeats);
    steady = time < best * STEADY_GAIN ? 0 : steady + 1;
    best = Math.min(best, time);
    repeats = Math.max(1, Math.ceil(sampleMs / best));
  }
  return repeats;
}

async function sample(contestant: Contestant, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    const running = contestant.run();
    if (running !== undefined) await running;
  }
  return (performance.now() - start) / repeats;
}
