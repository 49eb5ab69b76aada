/** Runs a plan call by call and keeps the digest of every result, so that the first op that differs can be named. */
import type { Backend, Program } from "../backends/backend.js";
import { sha256 } from "../core/numerics.js";
import type { OpCall } from "../ops/table.js";
import { resultBytes, resultsOf } from "../ops/table.js";

/** One result of one call of one program run. */
export interface TracedResult {
  /** Runs count programs: 0 the embedding, then the layers, then the final norm. */
  run: number;
  op: OpCall["op"];
  /** The buffer of the call. */
  buffer: string;
  type: string;
  dims: readonly number[];
  digest: string;
  /** The bytes, where they were asked for. */
  bytes: Uint8Array | undefined;
}

interface TracedProgram extends Program {
  readonly parts: readonly Program[];
}

export interface Tracer {
  /** A backend that behaves as the one it was made of. */
  backend: Backend;
  /** All results so far, in order. */
  results(): Promise<TracedResult[]>;
}

/**
 * @param keep index of the result whose bytes are kept
 */
export function traced(inner: Backend, keep?: number): Tracer {
  const pending: Promise<TracedResult>[] = [];
  let run = 0;
  const backend: Backend = {
    ...inner,
    async compile(calls): Promise<TracedProgram> {
      return { calls, parts: await Promise.all(calls.map((call) => inner.compile([call]))) };
    },
    run(program) {
      for (const part of (program as TracedProgram).parts) {
        inner.run(part);
        // read() copies before later runs change the tensor; only its result is waited for.
        for (const result of resultsOf(part.calls[0])) {
          const { buffer, tensor, dims } = result, entry = { run, op: part.calls[0].op, buffer, type: tensor.type, dims };
          const kept = pending.length === keep;
          pending.push(inner.read(tensor).then(async (all) => {
            const bytes = all.subarray(0, resultBytes(result));
            return { ...entry, digest: await sha256(bytes), bytes: kept ? bytes : undefined };
          }));
        }
      }
      run++;
    },
  };
  return { backend, results: () => Promise.all(pending) };
}
