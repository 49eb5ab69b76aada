/** Replaces cpu.ts in entries without the CPU: everything fails with `backend/unavailable`. */
import { IJepaError } from "../core/errors.js";
import type { CpuReport } from "./cpu.js";
import type { Variants } from "./variants.js";

const REASON = "ijepa/webgpu has no CPU kernels";

export async function openCpu(): Promise<never> {
  const message = `${REASON}. Pass device webgpu to take any adapter; the entry ijepa has both.`;
  throw new IJepaError("backend/unavailable", message, { backend: "wasm" });
}

export async function cpuVariants(): Promise<Variants> {
  return { present: [], absent: [{ name: "wasm", reason: REASON }] };
}

export async function examineCpu(): Promise<CpuReport> {
  return { simd128: false, relaxedSimd: false, loops: [], int8Loops: [], revectorized: false, reason: REASON };
}
