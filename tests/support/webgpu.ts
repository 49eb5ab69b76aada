/**
 * WebGPU for tests, or the reason why there is none here. scripts/webgpu.mjs installs the software implementation and sets
 * IJEPA_WEBGPU_PACKAGE to Dawn's folder; Deno and browsers have navigator.gpu.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * SwiftShader compiles the zeroing of workgroup memory that this asks the driver for at a hundred times the price of the loop
 * that Dawn makes instead. The kernels write before they read.
 */
const DAWN_OPTIONS = ["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"];

export interface GpuHere {
  gpu: GPU | undefined;
  /** Why it is undefined. */
  reason: string;
}

let here: Promise<GpuHere> | undefined;

export function gpuHere(): Promise<GpuHere> {
  here ??= find();
  return here;
}

async function find(): Promise<GpuHere> {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  const folder = process.env.IJEPA_WEBGPU_PACKAGE;
  let gpu = navigator?.gpu;
  if (gpu === undefined) {
    if (folder === undefined) return { gpu, reason: "no navigator.gpu, and no IJEPA_WEBGPU_PACKAGE (node scripts/test.mjs sets it)" };
    const { create } = (await import(pathToFileURL(join(folder, "index.js")).href)) as { create(options: string[]): GPU };
    gpu = create(DAWN_OPTIONS);
  }
  const adapter = await gpu.requestAdapter();
  return adapter === null ? { gpu: undefined, reason: "WebGPU has no adapter here" } : { gpu, reason: "" };
}
