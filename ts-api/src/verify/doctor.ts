/** Finds out what this machine can compute on, and what the library would use. */
import { examineCpu, openWebgpu } from "#devices";
import { runtime } from "#runtime";
import { messageOf } from "../core/show.js";
import { attest } from "../backends/attest.js";
import type { CpuReport } from "../backends/cpu.js";
import { gainsOf, type Gain } from "./gains.js";

/** The devices of the machine, and which are used. */
export interface DoctorReport {
  /** The engine and its version, such as "node 24.21.0". */
  runtime: string;
  /** Processors that the engine may use. */
  cores: number;
  /** The CPU: WebAssembly modules, threads and inner loops. */
  wasm: CpuReport;
  /** The GPU, or why it is not used. */
  webgpu: {
    /** The adapter in words; undefined without WebGPU. */
    device: string | undefined;
    /** Computes on the processor. */
    software: boolean;
    /** Limits of the device, in bytes and invocations. */
    limits: Record<string, number>;
    /** Every probe gave the contract's words. */
    attested: boolean;
    /** Why there is no device, or which probe failed. */
    reason: string | undefined;
  };
  /** Options that would make this machine faster, and by how much. */
  gains: readonly Gain[];
}

/** Examines the engine and its devices; missing features are reported, never thrown. */
export async function doctor(): Promise<DoctorReport> {
  const { name, cores, noThreads } = runtime, wasm = await examineCpu(), webgpu = await examineWebgpu();
  const { revectorized } = wasm, gpu = webgpu.attested && !webgpu.software;
  return { runtime: name, cores, wasm, webgpu, gains: gainsOf({ runtime: name, cores, threads: noThreads === undefined, revectorized, gpu }) };
}

async function examineWebgpu(): Promise<DoctorReport["webgpu"]> {
  try {
    const backend = await openWebgpu();
    try {
      const failed = await attest(backend);
      const { device, software, limits } = backend;
      return { device, software, limits, attested: failed === undefined, reason: failed && `probe ${failed} gives other bits than the contract` };
    } finally {
      backend.dispose();
    }
  } catch (error) {
    return { device: undefined, software: false, limits: {}, attested: false, reason: messageOf(error) };
  }
}
