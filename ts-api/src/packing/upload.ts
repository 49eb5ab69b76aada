/** From a packed buffer to a tensor on a backend. */
import type { Backend } from "../backends/backend.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { PackedBuffer } from "./pack.js";

/** A new tensor on the backend with the buffer's bytes. */
export function place(backend: Backend, { bytes, ...desc }: PackedBuffer): DeviceTensor {
  const tensor = backend.alloc(desc);
  backend.write(tensor, bytes);
  return tensor;
}
