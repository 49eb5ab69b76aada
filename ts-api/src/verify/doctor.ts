/** What this machine has for the library, and what the library would use. */
import { runtime } from "#runtime";
import { attest } from "../backends/attest.js";
import { raceInt4Loops } from "../backends/wasm/race.js";
import { openWebgpu } from "../backends/webgpu/webgpu.js";

export interface DoctorReport {
  runtime: string;
  cores: number;
  wasm: {
    simd128: boolean;
    relaxedSimd: boolean;
    /** int4 inner loops of the best module, the fastest first. */
    loops: string[];
  };
  webgpu: {
    /** The adapter in words; undefined without WebGPU. */
    device: string | undefined;
    /** Computes on the processor. */
    software: boolean;
    /** Limits of the device, in bytes and invocations. */
    limits: Record<string, number>;
    /** Every probe gave the contract's words. */
    attested: boolean;
    /** Why there is no device, or which probe failed. */
    reason: string | undefined;
  };
}

/** Looks at the engine and its devices; never throws for what is missing. */
export async function doctor(): Promise<DoctorReport> {
  const compiles = (name: "kernels-simd128" | "kernels-relaxed") => runtime.wasmModule(name).catch(() => undefined);
  const [simd128, relaxed] = [await compiles("kernels-simd128"), await compiles("kernels-relaxed")];
  const best = relaxed ?? simd128;
  const loops = best === undefined ? [] : await raceInt4Loops(best);
  return {
    runtime: runtime.name,
    cores: runtime.cores,
    wasm: {
      simd128: simd128 !== undefined,
      relaxedSimd: relaxed !== undefined,
      loops: loops.map((loop) => loop.replace("linear_int4_", "")),
    },
    webgpu: await examineWebgpu(),
  };
}

async function examineWebgpu(): Promise<DoctorReport["webgpu"]> {
  try {
    const backend = await openWebgpu();
    try {
      const failed = await attest(backend);
      const { device, software, limits } = backend;
      return { device, software, limits, attested: failed === undefined, reason: failed && `probe ${failed} gives other words than the contract` };
    } finally {
      backend.dispose();
    }
  } catch (error) {
    return { device: undefined, software: false, limits: {}, attested: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
