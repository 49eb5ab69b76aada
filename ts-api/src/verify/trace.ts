/** Runs a plan part by part and keeps the digest of every result, so that the first op that differs can be named. */
import type { Backend, Program } from "../backends/backend.js";
import { sha256 } from "../core/numerics.js";
import { resultBytes, resultsOf, type OpCall } from "../ops/table.js";

/** One result of one part of one program run. */
export interface TracedResult {
  /** Runs count programs: 0 the embedding, then the layers, then the final norm. */
  run: number;
  /** Index of the call that writes it. */
  index: number;
  /** The call's op; of a pair both. */
  op: string;
  /** The buffer of the call. */
  buffer: string;
  type: string;
  dims: readonly number[];
  digest: string;
  /** The bytes, if they were requested. */
  bytes: Uint8Array | undefined;
}

interface TracedProgram extends Program {
  readonly parts: readonly Program[];
}

export interface TraceOptions {
  /**
   * Either every call runs alone and every result is kept; or an operand's call runs together with the call before it, since backends
   * have kernels for such pairs, and only operands are kept.
   */
  pairs?: boolean;
  /** Index of the result whose bytes are kept. */
  keep?: number | undefined;
}

export interface Tracer {
  /** A backend that behaves like the one it wraps. */
  backend: Backend;
  /** All results so far, in order. */
  results(): Promise<TracedResult[]>;
}

export function traced(inner: Backend, { pairs = false, keep }: TraceOptions = {}): Tracer {
  const pending: Promise<TracedResult>[] = [];
  let run = 0;
  const record = (calls: readonly OpCall[], index: number) => {
    const last = calls.at(-1)!, op = calls.map((call) => call.op).join(" and ");
    // read() copies before later runs change the tensor; only its result is awaited.
    for (const result of resultsOf(last)) {
      const { buffer, tensor, dims } = result, entry = { run, index, op, buffer, type: tensor.type, dims };
      const kept = pending.length === keep;
      pending.push(inner.read(tensor).then(async (all) => {
        const bytes = all.subarray(0, resultBytes(result));
        return { ...entry, digest: await sha256(bytes), bytes: kept ? bytes : undefined };
      }));
    }
  };
  const backend: Backend = {
    ...inner,
    async compile(calls): Promise<TracedProgram> {
      return { calls, parts: await Promise.all(partsOf(calls, pairs).map((part) => inner.compile(part))) };
    },
    run(program) {
      let index = -1;
      for (const part of (program as TracedProgram).parts) {
        inner.run(part);
        index += part.calls.length;
        if (!pairs || part.calls.length > 1) record(part.calls, index);
      }
      run++;
    },
  };
  return { backend, results: () => Promise.all(pending) };
}

function partsOf(calls: readonly OpCall[], pairs: boolean): OpCall[][] {
  const parts: OpCall[][] = [];
  for (const call of calls) {
    if (pairs && call.op === "quantize-rows" && parts.length > 0) parts.at(-1)!.push(call);
    else parts.push([call]);
  }
  return parts;
}
