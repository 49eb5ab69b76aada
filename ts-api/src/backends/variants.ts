/** Every way in which this machine can compute: each kernel variant of each backend. All must give the same bits. */
import { runtime } from "#runtime";
import type { KernelModuleName } from "../runtime/env.js";
import type { Backend } from "./backend.js";
import { INT4_LOOPS } from "./wasm/kernels.js";
import { openWasm } from "./wasm/wasm.js";
import { openWebgpu, type WebgpuOptions } from "./webgpu/webgpu.js";

export interface Variant {
  /** Such as "wasm relaxed dot16". */
  name: string;
  open(): Promise<Backend>;
}

/** A variant that this machine does not have, and why. */
export interface AbsentVariant {
  name: string;
  reason: string;
}

export interface Variants {
  present: Variant[];
  absent: AbsentVariant[];
}

type LoopName = (typeof INT4_LOOPS)[number];

export async function variantsHere(): Promise<Variants> {
  const parts = await Promise.all([wasmVariants("simd128"), wasmVariants("relaxed"), webgpuVariants()]);
  return { present: parts.flatMap(({ present }) => present), absent: parts.flatMap(({ absent }) => absent) };
}

/** Every inner loop of a module, and its module for threads. */
async function wasmVariants(simd: "simd128" | "relaxed"): Promise<Variants> {
  try {
    const module = await runtime.wasmModule(`kernels-${simd}`);
    const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
    const loops = INT4_LOOPS.filter((loop) => exported.has(loop));
    const present = loops.map((loop) => wasmVariant(`wasm ${simd} ${loop.replace("linear_int4_", "")}`, `kernels-${simd}`, loop, 1));
    present.push(wasmVariant(`wasm ${simd} 2 threads`, `kernels-${simd}-shared`, loops[0], 2));
    return { present, absent: [] };
  } catch (error) {
    return { present: [], absent: [{ name: `wasm ${simd}`, reason: `this engine does not take the module: ${messageOf(error)}` }] };
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

async function webgpuVariants(): Promise<Variants> {
  const variant = (name: string, options: WebgpuOptions): Variant => ({ name: `webgpu ${name}`, open: () => openWebgpu(options) });
  try {
    (await openWebgpu()).dispose();
  } catch (error) {
    return { present: [], absent: [{ name: "webgpu", reason: messageOf(error) }] };
  }
  const withoutDot4 = (kernel: string) => !kernel.endsWith("_dot4");
  return {
    present: [variant("fast", { tier: "fast" }), variant("fast, no dot4", { tier: "fast", allow: withoutDot4 }), variant("pinned", { tier: "pinned" })],
    absent: [],
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
