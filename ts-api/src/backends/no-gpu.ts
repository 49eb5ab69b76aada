/** In the place of webgpu/webgpu.ts where the package's user has left WebGPU out. */
import { IJepaError } from "../core/errors.js";

export async function openWebgpu(): Promise<never> {
  throw new IJepaError("backend/unavailable", "ijepa/wasm and ijepa/worker compute on the CPU alone; the entry ijepa has WebGPU.", { backend: "webgpu" });
}
