/** The devices of `ijepa/wasm`, and of every entry on Workers: the CPU. */
export { cpuVariants, examineCpu, openCpu } from "./cpu.js";
export { openWebgpu } from "./no-gpu.js";
