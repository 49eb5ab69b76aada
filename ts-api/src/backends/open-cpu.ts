/**
 * From a dtype, a number of threads and `revectorize` to an open CPU backend: the best module of this engine, and the kernels
 * that won its races.
 */
import { runtime } from "#runtime";
import { IJepaError, isIJepaError } from "../core/errors.js";
import type { Dtype } from "../core/numerics.js";
import { messageOf } from "../core/show.js";
import type { KernelModuleName } from "../runtime/env.js";
import { attest } from "./attest.js";
import { allowing, type Chosen, type Family } from "./wasm/kernels.js";
import { race, type Racer } from "./wasm/race.js";
import { openWasm, type WasmBackend } from "./wasm/wasm.js";

/** More threads than this would only wait for each other. */
const MAX_THREADS = 64;

/** "auto": one thread per processor, or one if the runtime has no threads. */
export type Threads = number | "auto";

export interface CpuOptions {
  /** Default 1. */
  threads?: Threads | undefined;
  /**
   * Vectors of 256 bits in place of two of 128 (Node 24 on x86-64): an experimental step of the engine's compiler. Its kernels are used
   * only if they give the contract's words. "auto": if they do and are faster. Default false.
   */
  revectorize?: boolean | "auto" | undefined;
  /** Weight format of the model: only what it needs is attested. Default: everything. */
  dtype?: Dtype | undefined;
}

/** A module compiled one way, and the fastest kernels of each family that a model needs. */
interface Choice {
  /** Of the module for one thread. */
  name: KernelModuleName;
  revectorized: boolean;
  chosen: Chosen;
  /** Of the race of the family where most of a model's time goes. */
  time: number;
}

/**
 * The kernel families that a model needs, first the one that takes most of its time. int4 is always raced: its race shows which module is
 * right.
 */
const FAMILIES: Record<Dtype, readonly Family[]> = {
  fp32: ["pinned", "int4"], bf16: ["exact", "int4"], int8: ["int8", "exact", "int4"], int4: ["int4", "exact"], nf4: ["exact", "pinned", "int4"], fp4: ["exact", "pinned", "int4"],
};
const ALL_FAMILIES: readonly Family[] = ["int4", "int8", "exact", "pinned"];

type Compile = (name: KernelModuleName) => Promise<WebAssembly.Module>;

/** The backend to open: `count` threads, resolved from `threads`, for models of `dtype`. */
interface Opening {
  count: number;
  threads: Threads;
  dtype: Dtype | undefined;
}

/** The best module of this process; found once, and again after a failure. */
const plain = oncePerKey((dtype: Dtype | undefined) => choosePlain(dtype));
const wide = oncePerKey((dtype: Dtype | undefined) => choose("kernels-relaxed", true, dtype));
const fastest = oncePerKey(async (key: `${KernelModuleName} ${"plain" | "wide"} ${Family}`): Promise<Racer> => {
  const [name, width, family] = key.split(" ") as [KernelModuleName, "plain" | "wide", Family];
  const compile = width === "wide" ? revectorizedModule : runtime.wasmModule;
  return (await race(await compile(name), family, width === "wide"))[0];
});
/** Thread counts and formats whose revectorized kernels are known to be right. */
const attested = new Set<string>();

/**
 * The CPU backend with the best module and kernels of this engine.
 *
 * @throws IJepaError `backend/unavailable` when the engine lacks a feature, or a number of threads is given in a runtime without threads;
 *   `backend/inexact` when revectorized kernels are asked for and give other words; `io/read` when the kernels cannot be read; TypeError
 *   for wrong options
 */
export async function openCpu({ threads = 1, revectorize = false, dtype }: CpuOptions = {}): Promise<WasmBackend> {
  const count = threads === "auto" ? Math.min(runtime.cores, MAX_THREADS) : threads;
  if (!Number.isInteger(count) || count < 1 || count > MAX_THREADS) {
    throw new TypeError(`threads must be "auto" or a whole number from 1 to ${MAX_THREADS}, not ${String(threads)}.`);
  }
  if (![true, false, "auto"].includes(revectorize)) throw new TypeError(`revectorize must be true, false or "auto", not ${String(revectorize)}.`);
  const { noThreads } = runtime;
  if (count > 1 && noThreads !== undefined) {
    const message = `Cannot compute on ${count} threads: ${noThreads}. Use 1 thread, or "auto", which is 1 here.`;
    throw new IJepaError("backend/unavailable", message, { backend: "wasm" });
  }
  const options = { count, threads, dtype };
  if (revectorize === true) return openRevectorized(options);
  if (revectorize === "auto" && runtime.revectorizedModule !== undefined) {
    try {
      if ((await wide(dtype)).time < (await plain(dtype)).time) return await openRevectorized(options);
    } catch (error) {
      if (!isIJepaError(error)) throw error;
    }
  }
  return open(await plain(dtype), runtime.wasmModule, options);
}

/** Opens the fastest kernels with vectors of 256 bits, after they have given the contract's words. */
async function openRevectorized(options: Opening): Promise<WasmBackend> {
  const choice = await wide(options.dtype), backend = await open(choice, revectorizedModule, options);
  const subject = `${options.count} ${options.dtype}`;
  if (attested.has(subject)) return backend;
  const failed = await attest(backend, options.dtype).catch((error: unknown) => {
    backend.dispose();
    throw error;
  });
  if (failed !== undefined) {
    backend.dispose();
    const message = `The revectorized kernels give wrong bits on this machine (probe "${failed}"). Leave revectorize out.`;
    throw new IJepaError("backend/inexact", message, { backend: "wasm", case: failed });
  }
  attested.add(subject);
  return backend;
}

async function open({ name, chosen, revectorized }: Choice, compile: Compile, { count, threads, dtype }: Opening): Promise<WasmBackend> {
  const { noThreads } = runtime;
  const words = [
    runtime.name,
    `${name === "kernels-relaxed" ? "relaxed SIMD" : "SIMD"}${revectorized ? " revectorized" : ""}`,
    loopOf(chosen, dtype),
    count > 1 ? `${count} threads` : threads === "auto" && noThreads !== undefined ? `1 thread (${noThreads})` : "1 thread",
  ];
  return openWasm({
    module: await compile(count > 1 ? `${name as "kernels-relaxed"}-shared` : name),
    device: words.join(", "),
    allow: allowing(chosen),
    threads: count,
    startThread: runtime.startThread,
  });
}

/** The integer loop that won its race: of int8 for int8 models, of int4 for all others. */
function loopOf({ int4, int8 }: Chosen, dtype: Dtype | undefined): string {
  const loop = dtype === "int8" ? int8! : int4!;
  return `${loop.replace(/^linear_(int\d)_/, "$1 ")} loop`;
}

async function choosePlain(dtype: Dtype | undefined): Promise<Choice> {
  try {
    return await choose("kernels-relaxed", false, dtype);
  } catch (error) {
    // Engines without relaxed SIMD refuse the module. If an engine's relaxed SIMD is inexact, the module is not used.
    if (!(error instanceof WebAssembly.CompileError || isIJepaError(error, "backend/inexact"))) throw error;
  }
  await runtime.wasmModule("kernels-simd128").catch((cause: unknown) => {
    if (cause instanceof IJepaError) throw cause;
    const message = `This engine cannot compile the SIMD kernels: ${messageOf(cause)}. It needs WebAssembly SIMD; with a Content-Security-Policy, script-src needs 'wasm-unsafe-eval'.`;
    throw new IJepaError("backend/unavailable", message, { backend: "wasm" }, { cause });
  });
  return choose("kernels-simd128", false, dtype);
}

/** Races run one after the other, so that they do not disturb each other. */
async function choose(name: KernelModuleName, revectorized: boolean, dtype: Dtype | undefined): Promise<Choice> {
  const families = dtype === undefined ? ALL_FAMILIES : FAMILIES[dtype], chosen: Chosen = {}, times: number[] = [];
  for (const family of families) {
    const winner = await fastest(`${name} ${revectorized ? "wide" : "plain"} ${family}`);
    chosen[family] = winner.name;
    times.push(winner.time);
  }
  return { name, revectorized, chosen, time: times[0] };
}

async function revectorizedModule(name: KernelModuleName): Promise<WebAssembly.Module> {
  const module = await runtime.revectorizedModule?.(name);
  if (module !== undefined) return module;
  const message = `${runtime.name} cannot use 256-bit vectors in WebAssembly. Node 24 on x86-64 can; elsewhere, leave revectorize out.`;
  throw new IJepaError("backend/unavailable", message, { backend: "wasm" });
}

/** A function that is called once for each key, and again only after it failed. */
function oncePerKey<K, T>(make: (key: K) => Promise<T>): (key: K) => Promise<T> {
  const made = new Map<K, Promise<T>>();
  return (key) => {
    const promise = made.get(key) ?? make(key).catch((error: unknown) => {
      made.delete(key);
      throw error;
    });
    made.set(key, promise);
    return promise;
  };
}
