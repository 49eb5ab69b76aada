/** The interface of a backend: tensors in, a list of op calls compiled and run, bytes out. */
import type { DeviceTensor, TensorDesc } from "../ops/contract.js";
import type { OpCall } from "../ops/table.js";

export type BackendId = "oracle" | "wasm" | "webgpu";

export interface PassLimits {
  /** Images x tokens. */
  rows: number;
  /** Bytes of the largest tensor. */
  tensorBytes: number;
}

/** A checked, compiled list of calls; only its own backend can run it. */
export interface Program {
  readonly calls: readonly OpCall[];
}

/**
 * Allocates, copies, compiles a list of calls and runs it. It does not know models, files or images, and it does not choose precision: a
 * call says everything.
 */
export interface Backend {
  readonly id: BackendId;
  /** Human words, for reports. */
  readonly device: string;
  /** Limits of one pass over several images; larger batches take several passes. They bound memory and change no bit. */
  readonly pass: PassLimits;
  /** True if the work is done when `run` returns, false if `run` only enqueues it. */
  readonly synchronous: boolean;
  /** Contents unspecified. Throws IJepaError `backend/memory`. */
  alloc(desc: TensorDesc): DeviceTensor;
  release(tensor: DeviceTensor): void;
  write(dst: DeviceTensor, bytes: Uint8Array, byteOffset?: number): void;
  /** Waits for every earlier run(). The bytes are the caller's. */
  read(src: DeviceTensor): Promise<Uint8Array>;
  /** Every check and pipeline happens here. */
  compile(calls: readonly OpCall[]): Promise<Program>;
  /** Runs programs strictly in order. Returns at once, or when the work is done if `synchronous`. */
  run(program: Program): void;
  dispose(): void;
}

/** Reads a tensor of f32. */
export async function readFloats(backend: Backend, tensor: DeviceTensor): Promise<Float32Array> {
  const bytes = await backend.read(tensor);
  return new Float32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / 4);
}

/** The bytes of a typed array, not copied. */
export function bytesView(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}
