/** The CPU backend: a compiled module in, a `Backend` on one thread or several out. */
import { IJepaError } from "../../core/errors.js";
import { roundUp } from "../../core/numerics.js";
import { messageOf } from "../../core/show.js";
import { bytesOf, type DeviceTensor, type TensorDesc } from "../../ops/contract.js";
import { checkCall, type OpCall } from "../../ops/table.js";
import type { Thread } from "../../runtime/env.js";
import type { Backend, Program } from "../backend.js";
import { Arena } from "./arena.js";
import { markLost, MAX_STEPS, Member, newControl, type Kernel, type ThreadData } from "./thread-team.js";
import { exportOf, kernelsFor, type Step } from "./kernels.js";

interface WasmTensor extends DeviceTensor {
  readonly address: number;
}

interface WasmProgram extends Program {
  readonly steps: readonly Step[];
  /** Name of the kernel of each call. */
  readonly kernels: readonly string[];
  /** Bytes that the threads share, and that each of them needs. */
  readonly shared: number;
  readonly scratch: number;
}

export interface WasmBackend extends Backend {
  /** The kernel of each call of a program, in order. */
  kernelsOf(program: Program): string[];
}

export interface WasmOptions {
  /** A kernel module; a shared one for more than one thread. */
  module: WebAssembly.Module;
  /** Human words for `device`. */
  device: string;
  /** Kernels for which it is false are not used; the suite and the race choose a kernel with it. */
  allow?: (kernel: string) => boolean;
  /** Default 1. */
  threads?: number;
  /** Starts a worker on `serveThread`, and reports if it ends by itself; needed for more than one thread. */
  startThread?: (data: ThreadData, ended: (reason: string) => void) => Promise<Thread>;
}

/**
 * The CPU backend: AssemblyScript SIMD kernels on one WebAssembly memory.
 *
 * @throws IJepaError `backend/unavailable` when the module cannot be instantiated or a thread cannot be started
 */
export async function openWasm(options: WasmOptions): Promise<WasmBackend> {
  const { module, device, allow = () => true, threads = 1 } = options;
  const arena = new Arena(threads > 1);
  const exports = await instantiate(module, arena.memory);
  const names = Object.keys(exports).filter((name) => typeof exports[name] === "function");
  const team = threads > 1 ? await startTeam(options, threads, arena.memory, names, exports) : undefined;
  const tensors = new Set<WasmTensor>();
  let scratch = { address: 0, bytes: 0 };

  const own = (tensor: DeviceTensor): WasmTensor => {
    if (!tensors.has(tensor as WasmTensor)) throw new TypeError(`The tensor ${tensor.name} was released or belongs to another backend.`);
    return tensor as WasmTensor;
  };
  const addressOf = (tensor: DeviceTensor | undefined) => (tensor === undefined ? 0 : own(tensor).address);

  const compileCall = (call: OpCall): { name: string; steps: Step[] } => {
    checkCall(call);
    const kernel = kernelsFor(call).find((candidate) => exportOf(candidate) in exports && allow(candidate.name));
    if (kernel === undefined) throw new IJepaError("backend/unavailable", `No kernel of ${device} computes ${call.op}.`, { backend: "wasm" });
    const steps = [kernel.pack, kernel].flatMap((part) => (part === undefined ? [] : [{ kernel: exportOf(part), ...part.step(call, addressOf) }]));
    return { name: kernel.name, steps };
  };

  const reserveScratch = (bytes: number) => {
    if (bytes <= scratch.bytes) return;
    if (scratch.bytes > 0) arena.release(scratch.address, scratch.bytes);
    scratch = { address: arena.alloc(bytes), bytes };
  };

  return {
    id: "wasm",
    device,
    pass: { rows: 1024, tensorBytes: Infinity },
    synchronous: true,

    alloc(desc: TensorDesc) {
      const bytes = bytesOf(desc);
      const tensor: WasmTensor = { ...desc, bytes, address: arena.alloc(bytes) };
      tensors.add(tensor);
      return tensor;
    },

    release(tensor) {
      const { address, bytes } = own(tensor);
      tensors.delete(tensor as WasmTensor);
      arena.release(address, bytes);
    },

    write(dst, bytes, byteOffset = 0) {
      const { address, bytes: size, name } = own(dst);
      if (byteOffset + bytes.length > size) throw new RangeError(`${byteOffset + bytes.length} bytes do not fit in ${name}, which has ${size}.`);
      arena.bytes(address + byteOffset, bytes.length).set(bytes);
    },

    async read(src) {
      const { address, bytes } = own(src);
      return arena.bytes(address, bytes).slice();
    },

    async compile(calls): Promise<WasmProgram> {
      const compiled = calls.map(compileCall), steps = compiled.flatMap((parts) => parts.steps);
      const most = (bytes: number[]) => roundUp(Math.max(0, ...bytes), 64);
      return {
        calls, steps, kernels: compiled.map(({ name }) => name),
        shared: most(steps.map((step) => step.shared ?? 0)), scratch: most(steps.map((step) => step.scratch)),
      };
    },

    run(program) {
      const { steps, shared, scratch: each } = program as WasmProgram;
      reserveScratch(shared + each * threads);
      const own = scratch.address + shared;
      const placed = steps.map((step) => (step.shared === undefined ? step : { ...step, args: [scratch.address, ...step.args] }));
      if (team !== undefined) return team.run(placed, own, each);
      for (const step of placed) {
        const args = step.scratch > 0 ? [...step.args, own] : step.args;
        exports[step.kernel](...args, 0, step.units);
      }
    },

    kernelsOf: (program) => [...(program as WasmProgram).kernels],

    dispose() {
      tensors.clear();
      team?.dismiss();
    },
  };
}

async function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Record<string, Kernel>> {
  try {
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    return instance.exports as Record<string, Kernel>;
  } catch (cause) {
    throw new IJepaError("backend/unavailable", `The WebAssembly kernels cannot be instantiated: ${String(cause)}.`, { backend: "wasm" }, { cause });
  }
}

interface Team {
  run(steps: readonly Step[], scratch: number, scratchStride: number): void;
  dismiss(): void;
}

/** Starts threads 1, 2, ...; this thread is 0. */
async function startTeam(
  { module, device, startThread }: WasmOptions, threads: number, memory: WebAssembly.Memory, names: string[], exports: Record<string, Kernel>,
): Promise<Team> {
  const unavailable = (why: string, cause?: unknown) =>
    new IJepaError("backend/unavailable", `${device}: cannot compute on ${threads} threads: ${why}. Use 1 thread.`, { backend: "wasm" }, { cause });
  if (startThread === undefined) throw unavailable("this runtime has no worker threads");
  const control = newControl();
  let lost = "";
  const ended = (reason: string) => {
    lost ||= reason;
    markLost(control);
  };
  const started = await Promise.allSettled(
    Array.from({ length: threads - 1 }, (_, i) => startThread({ module, memory, control, index: i + 1, threads, kernels: names }, ended)),
  );
  const dismiss = () => started.forEach((thread) => thread.status === "fulfilled" && void thread.value.terminate());
  const failed = started.find((thread) => thread.status === "rejected");
  if (failed !== undefined) {
    dismiss();
    throw unavailable(messageOf(failed.reason), failed.reason);
  }
  const leader = new Member(control, names.map((name) => exports[name]), 0, threads);
  const index = new Map(names.map((name, i) => [name, i]));
  return {
    dismiss,
    run(steps, scratch, scratchStride) {
      const numbered = steps.map((step) => ({ kernel: index.get(step.kernel)!, step }));
      try {
        for (let i = 0; i < numbered.length; i += MAX_STEPS) leader.lead(numbered.slice(i, i + MAX_STEPS), scratch, scratchStride);
      } catch (cause) {
        const why = lost === "" ? "a thread failed while computing" : `a thread is gone (${lost})`;
        throw new IJepaError("backend/lost", `${device}: ${why}. Load the model again.`, { backend: "wasm" }, { cause });
      }
    },
  };
}
