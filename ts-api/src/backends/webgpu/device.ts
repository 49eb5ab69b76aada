/** Where a GPUDevice comes from: the caller, `navigator.gpu`, or the optional package `webgpu` (Dawn for Node and Bun). */
import { IJepaError } from "../../core/errors.js";

export interface DeviceOptions {
  /** The caller's own device: it is used as it is, and `dispose` does not destroy it. */
  gpuDevice?: GPUDevice | undefined;
  /** Where to ask for an adapter; default `navigator.gpu`, then the package `webgpu`. */
  gpu?: GPU | undefined;
  /** Which adapter to ask the browser for: "low-power" or "high-performance" (default). */
  powerPreference?: GPUPowerPreference | undefined;
}

export interface OpenedDevice {
  device: GPUDevice;
  /** Human words. */
  name: string;
  /** WGSL language features. */
  features: ReadonlySet<string>;
  /** True for adapters that compute on the CPU. */
  software: boolean;
  /** True if `dispose` destroys the device. */
  owned: boolean;
}

/** The package's `GPU` must outlive its adapters. */
let packageGpu: Promise<GPU | undefined> | undefined;

/** `navigator.gpu`, or the `GPU` of the package `webgpu` if it is installed. */
export async function findGpu(): Promise<GPU | undefined> {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  if (navigator?.gpu !== undefined) return navigator.gpu;
  packageGpu ??= loadPackage();
  return packageGpu;
}

async function loadPackage(): Promise<GPU | undefined> {
  // A variable, so that bundlers do not follow the name: the package is optional, and browsers never reach this line.
  const name = "webgpu";
  try {
    const { create } = (await import(name)) as { create(options: string[]): GPU };
    return create([]);
  } catch {
    return undefined;
  }
}

const NO_GPU_IN_BROWSER = "browser has no WebGPU, or offers it only to pages served over https. Try a newer browser.";
const NO_GPU_ELSEWHERE = "runtime has no WebGPU. In Node and Bun, npm install webgpu provides it.";

/** Pages have a document, their workers a scope. */
function inBrowser(): boolean {
  return "document" in globalThis || "WorkerGlobalScope" in globalThis;
}

/**
 * @throws IJepaError `backend/unavailable` without WebGPU, without an adapter, or when the adapter gives no device
 */
export async function openDevice(options: DeviceOptions = {}): Promise<OpenedDevice> {
  const gpu = options.gpu ?? (await findGpu());
  const features = languageFeatures(gpu);
  if (options.gpuDevice !== undefined) {
    const { adapterInfo } = options.gpuDevice;
    return { device: options.gpuDevice, name: nameOf(adapterInfo), features, software: isSoftware(adapterInfo), owned: false };
  }
  if (gpu === undefined) {
    throw unavailable(`This ${inBrowser() ? NO_GPU_IN_BROWSER : NO_GPU_ELSEWHERE} Or use device wasm.`);
  }
  const adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" }).catch((cause: unknown) => {
    throw unavailable(`WebGPU failed to look for an adapter: ${String(cause)}. Use device wasm.`, cause);
  });
  if (adapter === null) throw unavailable("WebGPU has no adapter here: no GPU, or no driver for it. Install a Vulkan driver, or use device wasm.");
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } }).catch((cause: unknown) => {
    throw unavailable(`The adapter ${nameOf(adapter.info)} provides no device: ${String(cause)}. Use device wasm.`, cause);
  });
  return { device, name: nameOf(adapter.info), features, software: isSoftware(adapter.info), owned: true };
}

function languageFeatures(gpu: GPU | undefined): ReadonlySet<string> {
  return new Set(gpu?.wgslLanguageFeatures ?? []);
}

/** Info is absent in older implementations. */
function nameOf(info: GPUAdapterInfo | undefined): string {
  const words = [info?.vendor, info?.architecture, info?.description || info?.device].filter((word) => word !== undefined && word !== "");
  return words.length === 0 ? "unnamed adapter" : words.join(" ");
}

function isSoftware(info: GPUAdapterInfo | undefined): boolean {
  return info?.isFallbackAdapter === true || /swiftshader|llvmpipe|basic render/i.test(nameOf(info));
}

function unavailable(message: string, cause?: unknown): IJepaError {
  return new IJepaError("backend/unavailable", message, { backend: "webgpu" }, cause === undefined ? undefined : { cause });
}
