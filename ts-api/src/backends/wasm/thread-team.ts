/**
 * Several threads on one memory: every thread runs the same list of steps, each its share of the units, and waits for the
 * others after each step. Units are independent, so the bits are those of one thread.
 *
 * The threads meet in a SharedArrayBuffer: words for the barrier, then the current program.
 */
import type { Step } from "./kernels.js";

export type Kernel = (...args: number[]) => void;

/** Words of the control block. */
const PHASE = 0;
const ARRIVED = 1;
const PROGRAM = 2;
const FAILED = 3;
/** Units of the step under way that the threads have taken beyond their own shares. */
const TAKEN = 4;
const WORDS = 8;
/** Most steps of one program, and room for each: five numbers and its arguments, in doubles. */
export const MAX_STEPS = 128;
const STEP_NUMBERS = 32;
/**
 * A thread reads a word this often before it sleeps: about the time of a small step. Waking up takes longer, above all on a virtual
 * machine. But if there are more threads than processors, spinning takes time from the thread that is waited for.
 */
const SPINS = 10000;
/** Thread 0 waits for the others this often, for a second each time, before it gives them up: no share of a step takes that long. */
const PATIENCE = 60;
const SLICE_MS = 1000;
/**
 * Each thread has a fixed share of the units of a step. The last fourth of the units is taken in ever smaller pieces by whichever thread
 * is free. So an interrupted thread does not delay the others by all it missed, and at the end they wait for at most one unit.
 */
const OWN_PART = 0.75;

/** The data that a thread receives at its start, by structured clone. */
export interface ThreadData {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  control: SharedArrayBuffer;
  /** 1 ... threads - 1; the opener is 0. */
  index: number;
  threads: number;
  /** Names of the kernels, in the order by which programs call them. */
  kernels: string[];
}

export function newControl(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4 + (1 + MAX_STEPS * STEP_NUMBERS) * 8);
}

/** Ends the work of a team that has lost a thread. */
export function markLost(control: SharedArrayBuffer): void {
  Atomics.store(new Int32Array(control), FAILED, 1);
}

/** One member of the team. */
export class Member {
  private readonly words: Int32Array;
  private readonly program: Float64Array;
  /** False where the host forbids Atomics.wait (a browser's main thread): it spins instead. */
  private readonly mayWait: boolean;

  /** @param patience seconds that thread 0 waits before it gives the others up */
  constructor(
    control: SharedArrayBuffer,
    private readonly kernels: readonly Kernel[],
    private readonly index: number,
    private readonly threads: number,
    private readonly patience = PATIENCE,
  ) {
    this.words = new Int32Array(control, 0, WORDS);
    this.program = new Float64Array(control, WORDS * 4);
    this.mayWait = maySleep();
  }

  /**
   * Runs at most MAX_STEPS steps with all threads; thread 0 alone calls it.
   *
   * @throws Error when a thread failed or ended, now or before: the contents of the memory are then undefined
   */
  lead(steps: readonly { kernel: number; step: Step }[], scratch: number, scratchStride: number): void {
    if (Atomics.load(this.words, FAILED) !== 0) throw new Error("A thread failed before.");
    if (steps.length > MAX_STEPS) throw new RangeError(`${steps.length} steps; a program has at most ${MAX_STEPS}.`);
    let at = 0;
    const push = (value: number) => (this.program[at++] = value);
    push(steps.length);
    for (const { kernel, step } of steps) {
      [kernel, step.units, step.scratch > 0 ? scratch : 0, scratchStride, step.args.length, ...step.args].forEach(push);
    }
    Atomics.add(this.words, PROGRAM, 1);
    Atomics.notify(this.words, PROGRAM);
    const cause = this.runShare();
    if (Atomics.load(this.words, FAILED) !== 0) throw new Error("A thread failed.", { cause });
  }

  /** The life of threads 1, 2, ...: waits for programs until the host ends the thread. */
  follow(): never {
    for (let seen = 0; ; seen++) {
      this.waitWhile(PROGRAM, seen);
      this.runShare();
    }
  }

  /** Runs this thread's part of every step; a failure is returned after the last, because the others wait at each. */
  private runShare(): unknown {
    let failure: unknown;
    let at = 0;
    const next = () => this.program[at++];
    for (let left = next(); left > 0; left--) {
      const kernel = this.kernels[next()], units = next(), scratch = next(), scratchStride = next();
      const args = Array.from({ length: next() }, next);
      if (scratch > 0) args.push(scratch + scratchStride * this.index);
      try {
        for (const [begin, end] of this.shares(units)) kernel(...args, begin, end);
      } catch (error) {
        failure ??= error;
        Atomics.store(this.words, FAILED, 1);
      }
      this.meet();
    }
    return failure;
  }

  /** Ranges of the units of a step that are this thread's; together the threads have every unit once. */
  private *shares(units: number): Generator<[begin: number, end: number]> {
    const own = Math.floor((units * OWN_PART) / this.threads), first = own * this.threads;
    if (own > 0) yield [own * this.index, own * (this.index + 1)];
    for (;;) {
      const taken = Atomics.load(this.words, TAKEN), begin = first + taken;
      if (begin >= units) return;
      const piece = Math.ceil((units - begin) / (2 * this.threads));
      if (Atomics.compareExchange(this.words, TAKEN, taken, taken + piece) === taken) yield [begin, begin + piece];
    }
  }

  /** Returns once every thread is here. */
  private meet(): void {
    const phase = Atomics.load(this.words, PHASE);
    if (Atomics.add(this.words, ARRIVED, 1) === this.threads - 1) {
      Atomics.store(this.words, ARRIVED, 0);
      Atomics.store(this.words, TAKEN, 0);
      Atomics.add(this.words, PHASE, 1);
      Atomics.notify(this.words, PHASE);
    } else {
      this.waitWhile(PHASE, phase);
    }
  }

  private waitWhile(word: number, value: number): void {
    for (let spin = 0; spin < SPINS; spin++) if (Atomics.load(this.words, word) !== value) return;
    // The host ends the other threads, so they may sleep without a limit.
    const [slices, milliseconds] = this.index === 0 ? [this.patience, SLICE_MS] : [Infinity, Infinity];
    for (let slice = 0; Atomics.load(this.words, word) === value; slice++) {
      if (slice === slices) {
        Atomics.store(this.words, FAILED, 1);
        throw new Error(`A thread has not answered for ${slices} seconds.`);
      }
      if (this.mayWait) Atomics.wait(this.words, word, value, milliseconds);
      else this.spinWhile(word, value, milliseconds);
    }
  }

  private spinWhile(word: number, value: number, milliseconds: number): void {
    for (const end = performance.now() + milliseconds; performance.now() < end; ) {
      for (let spin = 0; spin < SPINS; spin++) if (Atomics.load(this.words, word) !== value) return;
    }
  }
}

/** Whether this thread may block. It tries without waiting. */
function maySleep(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

/** The program of a thread: instantiates the kernels on the shared memory, says `ready`, then follows. */
export async function serveThread(data: ThreadData, ready: () => void): Promise<never> {
  const { module, memory, control, index, threads, kernels } = data;
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const member = new Member(control, kernels.map((name) => exports[name] as Kernel), index, threads);
  ready();
  return member.follow();
}
