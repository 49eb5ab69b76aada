/** Given to node by --import: `navigator.gpu` of the tests, for a program that looks for it there. */
import { gpuHere } from "./webgpu.js";

const { gpu, reason } = await gpuHere();
if (gpu === undefined) throw new Error(reason);
Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
