/** The devices of `ijepa/webgpu`: WebGPU. */
export { cpuVariants, examineCpu, openCpu } from "./no-cpu.js";
export { openWebgpu } from "./webgpu/webgpu.js";
