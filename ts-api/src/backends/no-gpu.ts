/** In the place of webgpu/webgpu.ts where the package's user has left WebGPU out. */
import { IJepaError } from "../core/errors.js";

export async function openWebgpu(): Promise<never> {
  const message = "ijepa/wasm, and ijepa on Workers, compute on the CPU alone. Use device wasm.";
  throw new IJepaError("backend/unavailable", message, { backend: "webgpu" });
}
