/** What `ijepa/webgpu` computes on. */
export { cpuVariants, examineCpu, openCpu } from "./no-cpu.js";
export { openWebgpu } from "./webgpu/webgpu.js";
