/**
 * Finds the fastest kernels of a family on this machine. All give the same words, so any choice is right. The fastest depends on the
 * processor (a relaxed dot product is one instruction with VNNI or SDOT, five without) and on the engine's compiler.
 */
import { IJepaError } from "../../core/errors.js";
import type { DeviceTensor, ElementType } from "../../ops/contract.js";
import type { CallOf } from "../../ops/table.js";
import { bytesView } from "../backend.js";
import { allowing, racersOf, type Family } from "./kernels.js";
import { openWasm } from "./wasm.js";

/** Enough rows that unpacking the weights takes little of the time, and enough columns that packing the rows does, as in a model. */
const ROWS = 64;
const COLS = 64;
const INNER = 512;
/** Each racer runs this long in each round, and longer if the clock is coarse. */
const ROUND_MS = 1;
const CLOCK_STEPS = 20;
/**
 * Engines compile twice, the second time while the race runs. The race goes on until every racer is faster than in its first runs by this
 * factor and none becomes faster for some rounds. It also ends after some time, since an engine may have finished compiling before the
 * race.
 */
const COMPILED = 0.6;
const PATIENCE_MS = 250;
const STEADY_ROUNDS = 3;
/** A time below this share of the best one counts as faster. */
const FASTER = 0.97;
/** If the clock stands still while a program computes (Workers), nothing can be timed, and these are taken. */
const UNTIMED: Record<Family, string> = { int8: "linear_int8_plain", int4: "linear_int4_dot16_lanes", exact: "offsets", pinned: "offsets" };

/** Loops that do half the work a step or less: they do not race where there are loops of relaxed SIMD. */
const PLAIN_LOOPS = ["linear_int4_plain", "linear_int4_plain_turns"];
/** No engine makes vectors of 256 bits of these. */
const NARROW_LOOPS = ["linear_int4_dot16_lanes", "linear_int4_dot16_lanes_turns"];

export interface Racer {
  /** `racer.name` of its kernels. */
  name: string;
  /** Milliseconds for the race's product; 0 where the clock stands still. */
  time: number;
}

/**
 * The racers of a module that may be the fastest, the fastest first; with `revectorized` those for vectors of 256 bits.
 * Throws `backend/inexact` when two racers of the module give different words.
 */
export async function race(module: WebAssembly.Module, family: Family, revectorized = false): Promise<Racer[]> {
  const names = racersOf(module, family);
  const runners = await Promise.all(names.map((name) => prepare(module, family, name)));
  const words = await Promise.all(runners.map((runner) => runner.words()));
  const odd = words.findIndex((result) => result.some((byte, i) => byte !== words[0][i]));
  if (odd > 0) {
    const message = `The kernels ${names[0]} and ${names[odd]} (${family}) give different results on this engine; its relaxed SIMD cannot be used.`;
    throw new IJepaError("backend/inexact", message, { backend: "wasm", case: names[odd] });
  }
  const relaxed = names.some((name) => NARROW_LOOPS.includes(name)), out = [...(relaxed ? PLAIN_LOOPS : []), ...(revectorized ? NARROW_LOOPS : [])];
  const racers = runners.filter(({ name }) => !out.includes(name));
  const step = clockStep(), roundMs = Math.max(ROUND_MS, CLOCK_STEPS * step);
  if (step === 0) return racers.map(({ name }) => ({ name, time: 0 })).sort((a, b) => Number(b.name === UNTIMED[family]) - Number(a.name === UNTIMED[family]));
  const best = racers.map((racer) => racer.time(roundMs)), first = racers.map((racer, i) => Math.max(racer.early(), best[i])), start = performance.now();
  for (let steady = 0; steady < STEADY_ROUNDS || (performance.now() - start < PATIENCE_MS && best.some((time, i) => time > first[i] * COMPILED)); ) {
    steady++;
    for (const [i, racer] of racers.entries()) {
      const time = racer.time(roundMs);
      if (time < best[i] * FASTER) steady = 0;
      best[i] = Math.min(best[i], time);
    }
    if (performance.now() - start > PATIENCE_MS * 2) break;
  }
  return racers.map(({ name }, i) => ({ name, time: best[i] })).sort((a, b) => a.time - b.time);
}

interface Runner {
  name: string;
  words(): Promise<Uint8Array>;
  /** Milliseconds of the run right after that of `words`, which compiled the kernel: the engine had no time to optimise it. */
  early(): number;
  time(roundMs: number): number;
}

async function prepare(module: WebAssembly.Module, family: Family, name: string): Promise<Runner> {
  const backend = await openWasm({ module, device: name, allow: allowing({ [family]: name }) });
  const y = backend.alloc({ name: "y", type: "f32", dims: [ROWS, COLS] });
  const fill: Fill = (tensor, type, dims, bytes) => {
    const placed = backend.alloc({ name: tensor, type, dims });
    backend.write(placed, bytes);
    return placed;
  };
  const bias = fill("bias", "f32", [COLS], new Uint8Array(COLS * 4));
  const call = { op: "linear", rows: ROWS, cols: COLS, inner: INNER, activation: "none", bias, y } as const;
  const program = await backend.compile([{ ...call, ...operands[family](fill) }]);
  let early = 0;
  return {
    name,
    async words() {
      backend.run(program);
      const start = performance.now();
      backend.run(program);
      early = performance.now() - start;
      return backend.read(y);
    },
    early: () => early,
    /** Milliseconds of a run, the average of a round. */
    time(roundMs) {
      const start = performance.now();
      let runs = 0, elapsed = 0;
      for (; elapsed < roundMs; runs++) {
        backend.run(program);
        elapsed = performance.now() - start;
      }
      return elapsed / runs;
    },
  };
}

/** Milliseconds between two readings of the clock that differ; 0 if it stands still. */
function clockStep(): number {
  let step = 0, last = performance.now();
  for (let looks = 0, steps = 0; looks < 1e5 && steps < 3; looks++) {
    const now = performance.now();
    if (now === last) continue;
    step = Math.max(step, steps === 0 ? 0 : now - last);
    last = now;
    steps++;
  }
  return step;
}

type Fill = (name: string, type: ElementType, dims: number[], bytes: Uint8Array) => DeviceTensor;

type Operands = Pick<CallOf<"linear">, "format" | "x" | "blocks" | "w" | "scales">;

function integerOperands(format: "int8" | "int4", fill: Fill): Operands {
  const panels = COLS / 8, groups = INNER / 32, [type, width] = format === "int8" ? (["i8", 32] as const) : (["u8", 16] as const);
  const q = Int8Array.from({ length: ROWS * INNER }, (_, i) => ((i * 37) % 255) - 127);
  const blocks = new Int32Array(ROWS * groups * 2);
  for (let block = 0; block < ROWS * groups; block++) {
    const pair = [0, 0];
    for (let i = 0; i < 32; i++) pair[(i % 4) >> 1] -= 8 * q[block * 32 + i];
    blocks[block * 2] = 120 << 23;
    blocks[block * 2 + 1] = (pair[0] & 0xffff) | (pair[1] << 16);
  }
  return {
    format,
    x: fill("x", "i8", [ROWS, INNER], bytesView(q)),
    blocks: fill("blocks", "u32", [ROWS, groups, 2], bytesView(blocks)),
    w: fill("w", type, [panels, INNER / 4, width], Uint8Array.from({ length: (panels * INNER * width) / 4 }, (_, i) => (i * 89) & 255)),
    scales: fill("scales", "bf16", [panels, groups, 8], bytesView(new Uint16Array(COLS * groups).fill(0x3c80))),
  };
}

/** Sizes of the product that a family is timed with. */
const operands: Record<Family, (fill: Fill) => Operands> = {
  int8: (fill) => integerOperands("int8", fill),
  int4: (fill) => integerOperands("int4", fill),
  exact: (fill) => ({
    format: "bf16",
    x: fill("x", "f32", [ROWS, INNER], bytesView(someFloats(ROWS * INNER))),
    w: fill("w", "bf16", [COLS / 8, INNER, 8], bytesView(Uint16Array.from(new Uint32Array(someFloats(COLS * INNER).buffer), (bits) => bits >>> 16))),
  }),
  pinned: (fill) => ({
    format: "fp32",
    x: fill("x", "f32", [ROWS, INNER], bytesView(someFloats(ROWS * INNER))),
    w: fill("w", "f32", [COLS / 8, INNER, 8], bytesView(someFloats(COLS * INNER))),
  }),
};

/** Values from -1 to 1 that bf16 represents exactly. */
function someFloats(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => ((i * 37) % 255) / 128 - 1);
}
