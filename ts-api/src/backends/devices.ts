/** What `ijepa` computes on. The build puts this file, devices-wasm.ts or devices-webgpu.ts in the place of `#devices`. */
export { cpuVariants, examineCpu, openCpu } from "./cpu.js";
export { openWebgpu } from "./webgpu/webgpu.js";
