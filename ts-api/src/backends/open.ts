import type { Backend } from "./backend.js";
import { openCpu, type Threads } from "./wasm/open.js";

export const DEVICES = ["auto", "wasm"] as const;
export type Device = (typeof DEVICES)[number];

export interface OpenOptions {
  /** Threads of the CPU backend. Default 1. */
  threads?: Threads | undefined;
}

/**
 * Opens the backend for `device`; "auto" is the CPU.
 *
 * @throws IJepaError `backend/unavailable` when this runtime cannot run it; TypeError for an unknown device
 */
export async function openBackend(device: Device = "auto", { threads }: OpenOptions = {}): Promise<Backend> {
  if (!DEVICES.includes(device)) throw new TypeError(`device must be one of ${DEVICES.join(", ")}, not ${JSON.stringify(device)}.`);
  return openCpu(threads);
}
