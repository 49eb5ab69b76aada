/** From the user's `device` to an open backend, and the reasons why other devices were passed over. */
import { openCpu, openWebgpu } from "#devices";
import { IJepaError, isIJepaError, type ErrorCode } from "../core/errors.js";
import { attest } from "./attest.js";
import type { Backend } from "./backend.js";
import type { CpuOptions } from "./open-cpu.js";
import type { WebgpuBackend, WebgpuOptions } from "./webgpu/webgpu.js";

export type { CpuOptions, Threads } from "./open-cpu.js";

export const DEVICES = ["auto", "wasm", "webgpu"] as const;
/** What a model computes on: "wasm" is the CPU, "auto" a hardware GPU where there is one, else the CPU. */
export type Device = (typeof DEVICES)[number];

/**
 * What to do with a device whose bits are not the contract's: refuse it ("require"), or use it and report the failed probe ("report").
 */
export type Determinism = "require" | "report";

export interface OpenOptions extends CpuOptions, Pick<WebgpuOptions, "gpu" | "gpuDevice" | "powerPreference" | "sources"> {
  /** Default "require". */
  determinism?: Determinism | undefined;
}

/** A device that "auto" passed over. */
export interface Rejection {
  /** The device that was tried. */
  device: Device;
  /** Code of the error that the device failed with. */
  code: ErrorCode;
  /** Message of that error. */
  reason: string;
}

export interface Opened {
  backend: Backend;
  /** Devices that were tried before, and why they were not taken. */
  rejected: Rejection[];
  /** With determinism "report": the first probe that this device computes wrongly; undefined if all are right. */
  inexact: string | undefined;
}

/**
 * Opens the backend for `device`. "auto" takes WebGPU when there is a hardware adapter and it attests, else the CPU.
 *
 * @throws IJepaError `backend/unavailable` when this runtime cannot run it, `backend/inexact` when its bits are wrong;
 *   TypeError for an unknown device
 */
export async function openDevice(device: Device = "auto", options: OpenOptions = {}): Promise<Opened> {
  if (!DEVICES.includes(device)) throw new TypeError(`device must be one of ${DEVICES.join(", ")}, not ${JSON.stringify(device)}.`);
  const rejected: Rejection[] = [];
  if (device !== "wasm") {
    try {
      return { ...(await openAttested(options, device === "auto")), rejected };
    } catch (error) {
      if (device === "webgpu" || !isIJepaError(error)) throw error;
      rejected.push({ device: "webgpu", code: error.code, reason: error.message });
    }
  }
  return { backend: await openCpu(options), rejected, inexact: undefined };
}

/** `openDevice`, without the reasons. */
export async function openBackend(device: Device = "auto", options: OpenOptions = {}): Promise<Backend> {
  return (await openDevice(device, options)).backend;
}

/** WebGPU with the fastest kernels that give the contract's words. */
async function openAttested(options: OpenOptions, hardwareOnly: boolean): Promise<Pick<Opened, "backend" | "inexact">> {
  // If the fast tier fails, every sum is pinned, and packed dot products are not used.
  const tiers: WebgpuOptions[] = [
    { ...options, tier: "fast" },
    { ...options, tier: "pinned", allow: (kernel) => !kernel.includes("_dot4") },
  ];
  let failed = "", name = "";
  for (const tier of tiers) {
    const backend = await openWebgpu(tier);
    try {
      if (hardwareOnly && backend.software) throw softwareOnly(backend);
      const probe = await attest(backend, options.dtype);
      if (probe === undefined) return { backend, inexact: undefined };
      [failed, name] = [probe, backend.device];
      if (options.determinism === "report" && tier === tiers.at(-1)) return { backend, inexact: failed };
    } catch (error) {
      backend.dispose();
      throw error;
    }
    backend.dispose();
  }
  const message =
    `${name} does not compute the bits of the numeric contract (probe "${failed}"). ` +
    `Update its driver, use device wasm, or pass determinism "report" to use it anyway.`;
  throw new IJepaError("backend/inexact", message, { backend: "webgpu", case: failed });
}

function softwareOnly(backend: WebgpuBackend): IJepaError {
  const message = `${backend.device} computes on the CPU, where device wasm is faster. Pass device webgpu to use it anyway.`;
  return new IJepaError("backend/unavailable", message, { backend: "webgpu" });
}
