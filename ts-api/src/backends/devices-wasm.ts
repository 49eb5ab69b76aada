/** What `ijepa/wasm` and `ijepa/worker` compute on. */
export { cpuVariants, examineCpu, openCpu } from "./cpu.js";
export { openWebgpu } from "./no-gpu.js";
