import { runtime } from "#runtime";
import { IJepaError } from "../core/errors.js";
import type { Backend } from "./backend.js";
import { INT4_LOOPS } from "./wasm/kernels.js";
import { raceInt4Loops } from "./wasm/race.js";
import { openWasm } from "./wasm/wasm.js";

export const DEVICES = ["auto", "wasm"] as const;
export type Device = (typeof DEVICES)[number];

/** The module and loop that this process uses; found once. */
let choice: Promise<{ module: WebAssembly.Module; loop: string; simd: string }> | undefined;

/**
 * Opens the backend for `device`; "auto" is the CPU.
 *
 * @throws IJepaError `backend/unavailable` when this runtime cannot run it; TypeError for an unknown device
 */
export async function openBackend(device: Device = "auto"): Promise<Backend> {
  if (!DEVICES.includes(device)) throw new TypeError(`device must be one of ${DEVICES.join(", ")}, not ${JSON.stringify(device)}.`);
  choice ??= choose();
  const { module, loop, simd } = await choice;
  const others: readonly string[] = INT4_LOOPS.filter((name) => name !== loop);
  const text = `${runtime.name}, ${simd}, ${loop.replace("linear_int4_", "int4 ")} loop, 1 thread`;
  return openWasm({ module, device: text, allow: (kernel) => !others.includes(kernel) });
}

async function choose(): Promise<{ module: WebAssembly.Module; loop: string; simd: string }> {
  try {
    const module = await runtime.wasmModule("kernels-relaxed");
    return { module, loop: (await raceInt4Loops(module))[0], simd: "relaxed SIMD" };
  } catch (error) {
    // Engines without relaxed SIMD refuse the module; one whose relaxed SIMD is inexact may not use it.
    if (!(error instanceof WebAssembly.CompileError || (error instanceof IJepaError && error.code === "backend/inexact"))) throw error;
  }
  const module = await runtime.wasmModule("kernels-simd128").catch((cause: unknown) => {
    const message = `This engine cannot compile the SIMD kernels: ${String(cause)}. It needs WebAssembly SIMD.`;
    throw new IJepaError("backend/unavailable", message, { backend: "wasm" }, { cause });
  });
  return { module, loop: (await raceInt4Loops(module))[0], simd: "SIMD" };
}
