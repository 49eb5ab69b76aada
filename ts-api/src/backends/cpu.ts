/** The CPU as a device of this machine: opened, in all its variants, examined. */
import { runtime } from "#runtime";
import type { KernelModuleName } from "../runtime/env.js";
import type { Variant, Variants } from "./variants.js";
import { INT4_LOOPS } from "./wasm/kernels.js";
import { raceInt4Loops } from "./wasm/race.js";
import { openWasm } from "./wasm/wasm.js";

export { openCpu } from "./wasm/open.js";

/** What the engine has for the CPU backend. */
export interface CpuReport {
  simd128: boolean;
  relaxedSimd: boolean;
  /** int4 inner loops of the best module, the fastest first. */
  loops: string[];
}

type LoopName = (typeof INT4_LOOPS)[number];

export async function cpuVariants(): Promise<Variants> {
  const parts = await Promise.all([wasmVariants("simd128"), wasmVariants("relaxed")]);
  return { present: parts.flatMap(({ present }) => present), absent: parts.flatMap(({ absent }) => absent) };
}

/** Never throws for what is missing. */
export async function examineCpu(): Promise<CpuReport> {
  const compiles = (name: KernelModuleName) => runtime.wasmModule(name).catch(() => undefined);
  const [simd128, relaxed] = [await compiles("kernels-simd128"), await compiles("kernels-relaxed")];
  const best = relaxed ?? simd128;
  const loops = best === undefined ? [] : await raceInt4Loops(best);
  return { simd128: simd128 !== undefined, relaxedSimd: relaxed !== undefined, loops: loops.map((loop) => loop.replace("linear_int4_", "")) };
}

/** Every inner loop of a module, and its module for threads. */
async function wasmVariants(simd: "simd128" | "relaxed"): Promise<Variants> {
  const onThreads = `wasm ${simd} 2 threads`;
  try {
    const module = await runtime.wasmModule(`kernels-${simd}`);
    const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
    const loops = INT4_LOOPS.filter((loop) => exported.has(loop));
    const present = loops.map((loop) => wasmVariant(`wasm ${simd} ${loop.replace("linear_int4_", "")}`, `kernels-${simd}`, loop, 1));
    if (runtime.noThreads !== undefined) return { present, absent: [{ name: onThreads, reason: runtime.noThreads }] };
    return { present: [...present, wasmVariant(onThreads, `kernels-${simd}-shared`, loops[0], 2)], absent: [] };
  } catch (error) {
    const reason = `this engine does not take the module: ${error instanceof Error ? error.message : String(error)}`;
    return { present: [], absent: [{ name: `wasm ${simd}`, reason }] };
  }
}

function wasmVariant(name: string, module: KernelModuleName, loop: LoopName, threads: number): Variant {
  const others: readonly string[] = INT4_LOOPS.filter((other) => other !== loop);
  const allow = (kernel: string) => !others.includes(kernel);
  return {
    name,
    open: async () => openWasm({ module: await runtime.wasmModule(module), device: name, allow, threads, startThread: runtime.startThread }),
  };
}
