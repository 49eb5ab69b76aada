import { runtime } from "#runtime";
import { IJepaError } from "../../core/errors.js";
import type { KernelModuleName } from "../../runtime/env.js";
import { INT4_LOOPS } from "./kernels.js";
import { raceInt4Loops } from "./race.js";
import { openWasm, type WasmBackend } from "./wasm.js";

/** More threads than this only wait for each other. */
const MAX_THREADS = 64;

/** "auto": one thread per processor, and one where the runtime has no threads. */
export type Threads = number | "auto";

interface Choice {
  module: KernelModuleName;
  loop: string;
}

/** What this process uses; found once, and looked for again after a failure. */
let choice: Promise<Choice> | undefined;

/**
 * The CPU backend with the best module and int4 loop of this engine.
 *
 * @throws IJepaError `backend/unavailable` when the engine lacks what it needs, or threads are asked for by number where there are
 *   none; `io/read` without the kernels; TypeError for threads that are no such number
 */
export async function openCpu(threads: Threads = 1): Promise<WasmBackend> {
  const count = threads === "auto" ? Math.min(runtime.cores, MAX_THREADS) : threads;
  if (!Number.isInteger(count) || count < 1 || count > MAX_THREADS) {
    throw new TypeError(`threads must be "auto" or a whole number from 1 to ${MAX_THREADS}, not ${String(threads)}.`);
  }
  const { noThreads } = runtime;
  if (count > 1 && noThreads !== undefined) {
    const message = `Cannot compute on ${count} threads: ${noThreads}. Use 1 thread, or "auto", which is 1 here.`;
    throw new IJepaError("backend/unavailable", message, { backend: "wasm" });
  }
  choice ??= choose().catch((error: unknown) => {
    choice = undefined;
    throw error;
  });
  const { module, loop } = await choice;
  const others: readonly string[] = INT4_LOOPS.filter((name) => name !== loop);
  const alone = threads === "auto" && noThreads !== undefined ? `1 thread (${noThreads})` : "1 thread";
  const simd = module === "kernels-relaxed" ? "relaxed SIMD" : "SIMD";
  return openWasm({
    module: await runtime.wasmModule(count > 1 ? `${module as "kernels-relaxed"}-shared` : module),
    device: `${runtime.name}, ${simd}, ${loop.replace("linear_int4_", "int4 ")} loop, ${count === 1 ? alone : `${count} threads`}`,
    allow: (kernel) => !others.includes(kernel),
    threads: count,
    startThread: runtime.startThread,
  });
}

async function choose(): Promise<Choice> {
  try {
    return { module: "kernels-relaxed", loop: (await raceInt4Loops(await runtime.wasmModule("kernels-relaxed")))[0] };
  } catch (error) {
    // Engines without relaxed SIMD refuse the module; one whose relaxed SIMD is inexact may not use it.
    if (!(error instanceof WebAssembly.CompileError || (error instanceof IJepaError && error.code === "backend/inexact"))) throw error;
  }
  const module = await runtime.wasmModule("kernels-simd128").catch((cause: unknown) => {
    if (cause instanceof IJepaError) throw cause;
    const message = `This engine cannot compile the SIMD kernels: ${String(cause)}. It needs WebAssembly SIMD.`;
    throw new IJepaError("backend/unavailable", message, { backend: "wasm" }, { cause });
  });
  return { module: "kernels-simd128", loop: (await raceInt4Loops(module))[0] };
}
