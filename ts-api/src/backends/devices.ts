/** The devices of `ijepa`: CPU and WebGPU. The build resolves `#devices` to this file, devices-wasm.ts or devices-webgpu.ts. */
export { cpuVariants, examineCpu, openCpu } from "./cpu.js";
export { openWebgpu } from "./webgpu/webgpu.js";
