/** What `ijepa/wasm`, and every entry on Workers, computes on. */
export { cpuVariants, examineCpu, openCpu } from "./cpu.js";
export { openWebgpu } from "./no-gpu.js";
