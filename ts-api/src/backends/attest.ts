/** Tests whether a device computes the bits of the numeric contract, when it is opened: no specification promises them. */
import { concatBytes } from "../core/bytes.js";
import { sha256, type Dtype } from "../core/numerics.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { Backend } from "./backend.js";
import { outputBytes, probeDigest, probesFor, type Probe } from "./probes.js";

/** Hex digits that are kept of a SHA-256. */
const DIGITS = 16;

/**
 * Runs the probes; undefined when every word is right, else the id of the first that is not.
 *
 * @param dtype only what a model of this weight format uses
 * @throws IJepaError `backend/*` when the device fails
 */
export async function attest(backend: Backend, dtype?: Dtype, probes: readonly Probe[] = probesFor(dtype)): Promise<string | undefined> {
  // Compile all pipelines first: devices compile in parallel.
  const prepared = await Promise.all(probes.map((probe) => prepare(backend, probe)));
  let failed: string | undefined;
  for (const { probe, digest, release } of prepared) {
    if (failed === undefined && (await digest()) !== probeDigest(probe.id)) failed = probe.id;
    release();
  }
  return failed;
}

/** The digest of a probe's outputs on `backend`. */
export async function runProbe(backend: Backend, probe: ProbeCase): Promise<string> {
  const { digest, release } = await prepare(backend, probe);
  const result = await digest();
  release();
  return result;
}

type ProbeCase = Pick<Probe, "id" | "tensors" | "call">;

/** A probe on the device: `digest` runs it and reads its outputs. */
async function prepare(backend: Backend, probe: ProbeCase): Promise<{ probe: ProbeCase; digest(): Promise<string>; release(): void }> {
  const entries = Object.entries(probe.tensors);
  const tensors: Record<string, DeviceTensor> = {};
  for (const [name, { type, dims, bytes, scratch = false }] of entries) {
    tensors[name] = backend.alloc({ name: `${probe.id} ${name}`, type, dims, scratch });
    backend.write(tensors[name], bytes ?? new Uint8Array(tensors[name].bytes));
  }
  const program = await backend.compile([probe.call(tensors)].flat());
  const outputs = entries.filter(([, { bytes, scratch }]) => bytes === undefined && scratch !== true);
  return {
    probe,
    async digest() {
      backend.run(program);
      const read: Uint8Array[] = [];
      for (const [name, tensor] of outputs) read.push((await backend.read(tensors[name])).subarray(0, outputBytes(tensor)));
      return (await sha256(concatBytes(read))).slice(0, DIGITS);
    },
    release: () => Object.values(tensors).forEach((tensor) => backend.release(tensor)),
  };
}
