/** The CPU for the rest of the library: `openCpu`, its kernel variants, and a report for `ijepa doctor`. */
import { runtime } from "#runtime";
import { messageOf } from "../core/show.js";
import type { KernelModuleName } from "../runtime/env.js";
import type { Variant, Variants } from "./variants.js";
import { allowing, FORMS, racersOf } from "./wasm/kernels.js";
import { race } from "./wasm/race.js";
import { openCpu } from "./open-cpu.js";
import { openWasm } from "./wasm/wasm.js";

export { openCpu } from "./open-cpu.js";

/** What the engine has for the CPU backend. */
export interface CpuReport {
  simd128: boolean;
  relaxedSimd: boolean;
  /** int4 inner loops of the best module, the fastest first. */
  loops: string[];
  /** The same for int8. */
  int8Loops: string[];
  /** True if the engine makes vectors of 256 bits and they give the contract's words. */
  revectorized: boolean;
  /** Why not. */
  reason: string | undefined;
}

export async function cpuVariants(): Promise<Variants> {
  const parts = await Promise.all([wasmVariants("simd128"), wasmVariants("relaxed"), revectorizedVariants()]);
  return { present: parts.flatMap(({ present }) => present), absent: parts.flatMap(({ absent }) => absent) };
}

/** A missing feature is reported, never thrown. */
export async function examineCpu(): Promise<CpuReport> {
  const compiles = (name: KernelModuleName) => runtime.wasmModule(name).catch(() => undefined);
  const [simd128, relaxed] = [await compiles("kernels-simd128"), await compiles("kernels-relaxed")];
  const best = relaxed ?? simd128;
  const loopsOf = async (family: "int8" | "int4") => (best === undefined ? [] : [...new Set((await race(best, family)).map(({ name }) => name.replace(/linear_int[84]_|_turns$/g, "")))]);
  const loops = await loopsOf("int4"), int8Loops = await loopsOf("int8");
  const reason = await openCpu({ revectorize: true }).then((backend) => {
    backend.dispose();
    return undefined;
  }, messageOf);
  return { simd128: simd128 !== undefined, relaxedSimd: relaxed !== undefined, loops, int8Loops, revectorized: reason === undefined, reason };
}

type Compile = (name: KernelModuleName) => Promise<WebAssembly.Module>;

/** Every inner loop of a module, each with another form of the other products, and the module for threads. */
async function wasmVariants(simd: "simd128" | "relaxed", compile: Compile = runtime.wasmModule, words: string = simd): Promise<Variants> {
  const onThreads = `wasm ${words} 2 threads`;
  try {
    const compiled = await compile(`kernels-${simd}`), loops = racersOf(compiled, "int4"), int8Loops = racersOf(compiled, "int8");
    const variant = (name: string, module: KernelModuleName, index: number, threads: number): Variant => {
      const form = FORMS[index % FORMS.length];
      const allow = allowing({ int8: int8Loops[index % int8Loops.length], int4: loops[index % loops.length], exact: form, pinned: form });
      return { name, open: async () => openWasm({ module: await compile(module), device: name, allow, threads, startThread: runtime.startThread }) };
    };
    // At least as many as there are forms.
    const names = Array.from({ length: Math.max(loops.length, FORMS.length) }, (_, i) => {
      const loop = loops[i % loops.length].replace("linear_int4_", "");
      return `wasm ${words} ${i < loops.length ? loop : `${loop} ${FORMS[i]}`}`;
    });
    const present = names.map((name, i) => variant(name, `kernels-${simd}`, i, 1));
    if (runtime.noThreads !== undefined) return { present, absent: [{ name: onThreads, reason: runtime.noThreads }] };
    return { present: [...present, variant(onThreads, `kernels-${simd}-shared`, 0, 2)], absent: [] };
  } catch (error) {
    return { present: [], absent: [{ name: `wasm ${words}`, reason: `this engine rejects the module: ${messageOf(error)}` }] };
  }
}

/** Not attested: the caller compares them. */
async function revectorizedVariants(): Promise<Variants> {
  if (runtime.revectorizedModule !== undefined) return wasmVariants("relaxed", runtime.revectorizedModule, "revectorized");
  return { present: [], absent: [{ name: "wasm revectorized", reason: `${runtime.name} cannot use 256-bit vectors; Node 24 on x86-64 can` }] };
}
