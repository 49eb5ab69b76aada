/**
 * Which int4 inner loop is the fastest here. All give the same words, so the choice is free; it depends on the processor and
 * on what the engine makes of relaxed SIMD (one instruction with VNNI or SDOT, five without).
 */
import { IJepaError } from "../../core/errors.js";
import { bytesView } from "../backend.js";
import { INT4_LOOPS, NARROW_LOOP, WIDE_LOOP } from "./kernels.js";
import { openWasm } from "./wasm.js";

/** As many that unpacking the weights is a small part, as it is in a model. */
const ROWS = 96;
const COLS = 32;
const INNER = 512;
/** Each loop runs at least this long in each round. */
const ROUND_MS = 2;
/** Engines compile in two steps, the second beside the race: it goes on until this many rounds have made no loop faster. */
const STEADY_ROUNDS = 2;
const MAX_ROUNDS = 20;
/** A time below this share of the best one is faster. */
const FASTER = 0.97;
/** Where the clock stands still while a program computes (Workers) nothing can be timed: no more runs than this, and this loop. */
const MAX_RUNS = 100;
const UNTIMED = NARROW_LOOP;

export interface Racer {
  /** Name of an int4 kernel. */
  loop: string;
  /** Milliseconds for the race's product; 0 where the clock stands still. */
  time: number;
}

/**
 * The loops of the module that may be the fastest, the fastest first; with `revectorized` those for vectors of 256 bits.
 * Throws `backend/inexact` when two loops of the module give different words.
 */
export async function raceInt4Loops(module: WebAssembly.Module, revectorized = false): Promise<Racer[]> {
  const available = WebAssembly.Module.exports(module).map((entry) => entry.name);
  const loops = INT4_LOOPS.filter((loop) => available.includes(loop));
  const runners = await Promise.all(loops.map((loop) => prepare(module, loop)));
  const words = await Promise.all(runners.map((runner) => runner.words()));
  const odd = words.findIndex((result) => result.some((byte, i) => byte !== words[0][i]));
  if (odd > 0) {
    const message = `The kernels ${loops[0]} and ${loops[odd]} give different words on this engine; its relaxed SIMD is not usable.`;
    throw new IJepaError("backend/inexact", message, { backend: "wasm", case: loops[odd] });
  }
  const racers = runners.filter(({ loop }) => loop !== (revectorized ? NARROW_LOOP : WIDE_LOOP));
  const best = racers.map(() => Infinity);
  for (let round = 0, steady = 0; round < MAX_ROUNDS && steady < STEADY_ROUNDS; round++) {
    steady++;
    for (const [i, racer] of racers.entries()) {
      const time = racer.time();
      if (time === 0) return racers.map(({ loop }) => ({ loop, time: 0 })).sort((a, b) => Number(b.loop === UNTIMED) - Number(a.loop === UNTIMED));
      if (time < best[i] * FASTER) steady = 0;
      best[i] = Math.min(best[i], time);
    }
  }
  return racers.map(({ loop }, i) => ({ loop, time: best[i] })).sort((a, b) => a.time - b.time);
}

interface Runner {
  loop: string;
  words(): Promise<Uint8Array>;
  time(): number;
}

async function prepare(module: WebAssembly.Module, loop: string): Promise<Runner> {
  const backend = await openWasm({ module, device: loop, allow: (kernel) => kernel === loop });
  const fill = (name: string, type: "i8" | "u8" | "bf16" | "f32" | "u32", dims: number[], bytes: Uint8Array) => {
    const tensor = backend.alloc({ name, type, dims });
    backend.write(tensor, bytes);
    return tensor;
  };
  const panels = COLS / 8, groups = INNER / 32;
  const q = Int8Array.from({ length: ROWS * INNER }, (_, i) => ((i * 37) % 255) - 127);
  const blocks = new Int32Array(ROWS * groups * 2);
  for (let block = 0; block < ROWS * groups; block++) {
    const pair = [0, 0];
    for (let i = 0; i < 32; i++) pair[(i % 4) >> 1] -= 8 * q[block * 32 + i];
    blocks[block * 2] = 120 << 23;
    blocks[block * 2 + 1] = (pair[0] & 0xffff) | (pair[1] << 16);
  }
  const y = backend.alloc({ name: "y", type: "f32", dims: [ROWS, COLS] });
  const program = await backend.compile([
    {
      op: "linear", format: "int4", rows: ROWS, cols: COLS, inner: INNER, activation: "none",
      x: fill("x", "i8", [ROWS, INNER], bytesView(q)),
      blocks: fill("blocks", "u32", [ROWS, groups, 2], bytesView(blocks)),
      w: fill("w", "u8", [panels, INNER / 4, 16], Uint8Array.from({ length: (COLS * INNER) / 2 }, (_, i) => (i * 89) & 255)),
      scales: fill("scales", "bf16", [panels, groups, 8], bytesView(new Uint16Array(COLS * groups).fill(0x3c80))),
      bias: fill("bias", "f32", [COLS], new Uint8Array(COLS * 4)),
      y,
    },
  ]);
  return {
    loop,
    async words() {
      backend.run(program);
      return backend.read(y);
    },
    /** Milliseconds of the fastest run of a round; of the average one where the clock is too coarse; 0 where it did not move. */
    time() {
      const start = performance.now();
      let runs = 0, elapsed = 0, best = Infinity;
      for (; elapsed < ROUND_MS && runs < MAX_RUNS; runs++) {
        const before = elapsed;
        backend.run(program);
        elapsed = performance.now() - start;
        best = Math.min(best, elapsed - before);
      }
      return best > 0 ? best : elapsed / runs;
    },
  };
}
