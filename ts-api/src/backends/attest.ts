/** Whether a device computes the bits of the numeric contract: no specification says so, so it is asked, at open. */
import type { Dtype } from "../core/numerics.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { Backend } from "./backend.js";
import { outputBytes, probeDigest, probesFor, type Probe } from "./probes.js";

/** Hex digits that are kept of an SHA-256. */
const DIGITS = 16;

/**
 * Runs the probes; undefined when every word is right, else the id of the first that is not.
 *
 * @param dtype only what a model of this weight format uses
 * @throws IJepaError `backend/*` when the device fails
 */
export async function attest(backend: Backend, dtype?: Dtype): Promise<string | undefined> {
  for (const probe of probesFor(dtype)) {
    if ((await runProbe(backend, probe)) !== probeDigest(probe.id)) return probe.id;
  }
  return undefined;
}

/** The digest of a probe's outputs on `backend`. */
export async function runProbe(backend: Backend, probe: Pick<Probe, "id" | "tensors" | "call">): Promise<string> {
  const entries = Object.entries(probe.tensors);
  const tensors: Record<string, DeviceTensor> = {};
  for (const [name, { type, dims, bytes }] of entries) {
    tensors[name] = backend.alloc({ name: `${probe.id} ${name}`, type, dims });
    backend.write(tensors[name], bytes ?? new Uint8Array(tensors[name].bytes));
  }
  backend.run(await backend.compile([probe.call(tensors)]));
  const outputs = entries.filter(([, { bytes }]) => bytes === undefined);
  const all = new Uint8Array(outputs.reduce((sum, [, tensor]) => sum + outputBytes(tensor), 0));
  let at = 0;
  for (const [name, tensor] of outputs) {
    all.set((await backend.read(tensors[name])).subarray(0, outputBytes(tensor)), at);
    at += outputBytes(tensor);
  }
  Object.values(tensors).forEach((tensor) => backend.release(tensor));
  const sha = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return Array.from(sha, (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, DIGITS);
}
