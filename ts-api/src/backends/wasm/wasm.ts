import { IJepaError } from "../../core/errors.js";
import { bytesOf, type DeviceTensor, type TensorDesc } from "../../ops/contract.js";
import { checkCall, type OpCall } from "../../ops/table.js";
import type { Backend, Program } from "../backend.js";
import { Arena } from "./arena.js";
import { kernelsFor, type Step } from "./kernels.js";

type Kernel = (...args: number[]) => void;

interface WasmTensor extends DeviceTensor {
  readonly address: number;
}

interface WasmProgram extends Program {
  readonly steps: readonly Step[];
  readonly scratch: number;
}

export interface WasmBackend extends Backend {
  /** Names of the kernels that this instance may use. */
  readonly kernels: ReadonlySet<string>;
  /** The kernel of each step of a program, in order. */
  kernelsOf(program: Program): string[];
}

export interface WasmOptions {
  module: WebAssembly.Module;
  /** Human words for `device`. */
  device: string;
  /** Leaves out the kernels it is false for; the suite and the race use it to choose one. */
  allow?: (kernel: string) => boolean;
}

/**
 * The CPU backend: AssemblyScript SIMD kernels on one WebAssembly memory, one thread.
 *
 * @throws IJepaError `backend/unavailable` when the module cannot be instantiated
 */
export async function openWasm({ module, device, allow = () => true }: WasmOptions): Promise<WasmBackend> {
  const arena = new Arena();
  const exports = await instantiate(module, arena.memory);
  const kernels = new Set(Object.keys(exports).filter((name) => typeof exports[name] === "function" && allow(name)));
  const tensors = new Set<WasmTensor>();
  let scratch = { address: 0, bytes: 0 };

  const own = (tensor: DeviceTensor): WasmTensor => {
    if (!tensors.has(tensor as WasmTensor)) throw new TypeError(`The tensor ${tensor.name} was released or belongs to another backend.`);
    return tensor as WasmTensor;
  };
  const addressOf = (tensor: DeviceTensor | undefined) => (tensor === undefined ? 0 : own(tensor).address);

  const compileCall = (call: OpCall): Step => {
    checkCall(call);
    const kernel = kernelsFor(call).find(({ name }) => kernels.has(name));
    if (kernel === undefined) throw new IJepaError("backend/unavailable", `No kernel of ${device} computes ${call.op}.`, { backend: "wasm" });
    return { kernel: kernel.name, ...kernel.step(call, addressOf) };
  };

  const reserveScratch = (bytes: number) => {
    if (bytes <= scratch.bytes) return;
    if (scratch.bytes > 0) arena.release(scratch.address, scratch.bytes);
    scratch = { address: arena.alloc(bytes), bytes };
  };

  return {
    id: "wasm",
    device,
    kernels,

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
      const steps = calls.map(compileCall);
      return { calls, steps, scratch: Math.max(0, ...steps.map((step) => step.scratch)) };
    },

    run(program) {
      const { steps, scratch: bytes } = program as WasmProgram;
      reserveScratch(bytes);
      for (const step of steps) {
        const args = step.scratch > 0 ? [...step.args, scratch.address] : step.args;
        exports[step.kernel](...args, 0, step.units);
      }
    },

    kernelsOf: (program) => (program as WasmProgram).steps.map((step) => step.kernel),

    dispose() {
      tensors.clear();
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
