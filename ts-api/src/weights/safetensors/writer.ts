/** From tensors to the bytes of a safetensors file. */
import { sizeOf } from "../../core/tensor.js";
import { IJepaError } from "../../core/errors.js";
import { DTYPE_BITS, isSafetensorsDtype, type SafetensorsDtype } from "../dtypes.js";

/** One tensor to write: little-endian elements, row-major. */
export interface TensorBytes {
  dtype: SafetensorsDtype;
  shape: readonly number[];
  bytes: Uint8Array;
}

const DTYPES = Object.keys(DTYPE_BITS);

/** A tensor without its elements. */
export type TensorLayout = Pick<TensorBytes, "dtype" | "shape">;

/**
 * The beginning of a safetensors file, and the order of the tensors that follow it without gaps: u64 header length, JSON header
 * padded with spaces to a multiple of 8. Tensors are sorted as by the reference implementation, by dtype (widest first), then by
 * name: equal input gives equal bytes.
 * @throws IJepaError `input/value` for an invalid dtype or shape
 */
export function layoutSafetensors(
  tensors: ReadonlyMap<string, TensorLayout>,
  metadata?: Readonly<Record<string, string>>,
): { header: Uint8Array; names: string[]; bytes: number } {
  const sorted = [...tensors].sort(([a, x], [b, y]) => DTYPES.indexOf(y.dtype) - DTYPES.indexOf(x.dtype) || (a < b ? -1 : 1));
  const header: [string, unknown][] = metadata === undefined ? [] : [["__metadata__", metadata]];
  let end = 0;
  for (const [name, tensor] of sorted) {
    check(name, tensor);
    const begin = end;
    end += bytesOf(tensor);
    header.push([name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [begin, end] }]);
  }

  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const start = new Uint8Array(8 + headerLength).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(headerLength), true);
  start.set(json, 8);
  return { header: start, names: sorted.map(([name]) => name), bytes: start.length + end };
}

/**
 * A whole safetensors file.
 * @throws IJepaError `input/shape` when a tensor's bytes do not fit its shape and dtype, and what `layoutSafetensors` throws
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, TensorBytes>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const { header, names, bytes: size } = layoutSafetensors(tensors, metadata), file = new Uint8Array(size);
  file.set(header);
  let offset = header.length;
  for (const name of names) {
    const tensor = tensors.get(name)!, { dtype, shape, bytes } = tensor, expected = bytesOf(tensor);
    if (bytes.length !== expected) {
      const message = `Tensor ${name} of shape [${shape.join(", ")}] in ${dtype} takes ${expected} bytes, but has ${bytes.length}.`;
      throw new IJepaError("input/shape", message, { name, expected: `${expected} bytes`, actual: [bytes.length] });
    }
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

function bytesOf({ dtype, shape }: TensorLayout): number {
  return (sizeOf(shape) * DTYPE_BITS[dtype]) / 8;
}

function check(name: string, { dtype, shape }: TensorLayout): void {
  const refuse = (message: string, value: unknown): never => {
    throw new IJepaError("input/value", message, { name, value });
  };
  if (name === "__metadata__") refuse("A tensor cannot be named __metadata__.", name);
  if (!isSafetensorsDtype(dtype)) refuse(`Tensor ${name} has dtype ${String(dtype)}; known are ${DTYPES.join(", ")}.`, dtype);
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    refuse(`Tensor ${name} has the shape [${shape.join(", ")}], which is not a list of whole numbers.`, shape);
  }
}
