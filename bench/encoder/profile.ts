/** Times every call of a program. */
import type { Backend, Program } from "../../ts-api/src/backends/backend.js";
import { workOf, type OpCall } from "../../ts-api/src/ops/table.js";

/** Cost of the calls of one kind in one pass. */
export interface Spent {
  kind: string;
  /** A call of this kind. */
  call: OpCall;
  calls: number;
  ms: number;
  /** Of all of them. */
  operations: number;
}

interface SplitProgram extends Program {
  readonly parts: readonly Program[];
}

export interface ProfiledBackend extends Backend {
  /** By kind (op, format and size), in order of first use; starts again from nothing. */
  take(): Spent[];
}

/** A backend whose programs run call by call, each timed. It suits backends that compute in `run`, as the CPU's does. */
export function profiled(backend: Backend): ProfiledBackend {
  let spent = new Map<string, Spent>();
  return {
    id: backend.id,
    device: backend.device,
    pass: backend.pass,
    synchronous: backend.synchronous,
    alloc: (desc) => backend.alloc(desc),
    release: (tensor) => backend.release(tensor),
    write: (dst, bytes, byteOffset) => backend.write(dst, bytes, byteOffset),
    read: (src) => backend.read(src),
    dispose: () => backend.dispose(),

    async compile(calls): Promise<SplitProgram> {
      return { calls, parts: await Promise.all(calls.map((call) => backend.compile([call]))) };
    },

    run(program) {
      for (const part of (program as SplitProgram).parts) {
        const start = performance.now();
        backend.run(part);
        add(spent, part.calls[0], performance.now() - start);
      }
    },

    take() {
      const taken = [...spent.values()];
      spent = new Map();
      return taken;
    },
  };
}

function add(spent: Map<string, Spent>, call: OpCall, ms: number): void {
  const kind = kindOf(call), { operations } = workOf(call);
  const entry = spent.get(kind) ?? { kind, call, calls: 0, ms: 0, operations: 0 };
  spent.set(kind, { ...entry, calls: entry.calls + 1, ms: entry.ms + ms, operations: entry.operations + operations });
}

function kindOf(call: OpCall): string {
  switch (call.op) {
    case "linear":
      return `linear ${call.format} ${call.cols}x${call.inner}`;
    case "quantize-rows":
      return `quantize-rows ${call.format} ${call.cols}`;
    case "attention":
      return `attention ${call.format}`;
    default:
      return call.op;
  }
}
