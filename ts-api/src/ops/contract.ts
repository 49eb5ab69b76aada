/** What every op states: how a call is checked, which tensors it reads and writes, and what it costs. */
import { IJepaError } from "../core/errors.js";
import { sizeOf } from "../core/tensor.js";

/** Element types of tensors on a backend. bf16 is the upper half of an f32. */
export const ELEMENT_BYTES = { f32: 4, bf16: 2, i8: 1, u8: 1, u32: 4 } as const;
export type ElementType = keyof typeof ELEMENT_BYTES;

export interface TensorDesc {
  /** For messages, such as "layer 3 fc1". */
  name: string;
  type: ElementType;
  dims: readonly number[];
  /** Its contents are not kept between programs: a backend may leave it unwritten if no call reads it. */
  scratch?: boolean;
}

/** A tensor that lives on a backend: dense, row-major, contents unspecified until written. */
export interface DeviceTensor extends TensorDesc {
  readonly bytes: number;
}

export function bytesOf(desc: TensorDesc): number {
  return sizeOf(desc.dims) * ELEMENT_BYTES[desc.type];
}

/** The cost of an op, for benches and estimates: one multiply and one add are two operations. */
export interface Work {
  operations: number;
  /** Bytes of all tensors it reads and of all results. */
  bytes: number;
}

/** The result of a call in a tensor, which may be larger. */
export interface OpResult {
  /** The buffer's name in the call, such as "y". */
  buffer: string;
  tensor: DeviceTensor;
  dims: readonly number[];
}

/** The contract of an op, for all backends. */
export interface OpContract<Call> {
  /** Throws IJepaError `input/shape` when the sizes contradict each other or a tensor is too small. */
  check(call: Call): void;
  reads(call: Call): DeviceTensor[];
  results(call: Call): OpResult[];
  operations(call: Call): number;
}

/** Checks that `tensor` has the type and holds at least `dims`. */
export function need(op: string, tensor: DeviceTensor | undefined, buffer: string, type: ElementType, dims: readonly number[]): void {
  const expected = `${type} [${dims.join(", ")}]`;
  if (tensor === undefined) throw shapeError(op, buffer, expected, []);
  if (tensor.type !== type || tensor.bytes < sizeOf(dims) * ELEMENT_BYTES[type]) throw shapeError(op, buffer, expected, tensor.dims, tensor.type);
}

/** Checks that a size is a whole number of at least one, and a multiple of `multiple`. */
export function needSize(op: string, name: string, value: number, multiple = 1): void {
  if (!Number.isInteger(value) || value < 1 || value % multiple !== 0) {
    const expected = multiple === 1 ? "a whole number from 1 up" : `a multiple of ${multiple}`;
    throw new IJepaError("input/shape", `${op}: ${name} is ${value}; it must be ${expected}.`, { name: `${op}.${name}`, expected, actual: [value] });
  }
}

function shapeError(op: string, buffer: string, expected: string, actual: readonly number[], type = ""): IJepaError {
  const message = `${op}: buffer ${buffer} must be ${expected}, not ${type} [${actual.join(", ")}].`;
  return new IJepaError("input/shape", message, { name: `${op}.${buffer}`, expected, actual });
}
