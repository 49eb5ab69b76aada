/** Replaces webgpu/webgpu.ts in entries without WebGPU: opening fails with `backend/unavailable`. */
import { IJepaError } from "../core/errors.js";

export async function openWebgpu(): Promise<never> {
  const message = "ijepa/wasm, and ijepa on Workers, compute on the CPU alone. Use device wasm.";
  throw new IJepaError("backend/unavailable", message, { backend: "webgpu" });
}
