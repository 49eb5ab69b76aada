/** Tensors with the methods that programs for transformers.js call on features. */
import { Tensor as Base, type TensorType } from "../index.js";
import { sizeOf, type TensorArrays } from "../core/tensor.js";
import { refused } from "./options.js";

export class Tensor<T extends TensorType = TensorType> extends Base<T> {
  /** The part at an index of the first axis. */
  readonly [index: number]: Tensor<T>;

  constructor(type: T, data: TensorArrays[T] | readonly number[], dims: readonly number[]) {
    super(type, Array.isArray(data) ? arrayOf(type, data) : (data as TensorArrays[T]), dims);
    return new Proxy(this, { get: (target, key) => (typeof key === "string" && /^\d+$/.test(key) ? target.part(Number(key)) : (Reflect.get(target, key) as unknown)) });
  }

  *[Symbol.iterator](): Generator<Tensor<T>> {
    for (let i = 0; i < (this.dims[0] ?? 0); i++) yield this.part(i);
  }

  /** The only element. */
  item(): number {
    if (this.size !== 1) throw refused("item", this.size, `item is of a tensor with one element; this one has ${this.size}.`);
    return this.data[0];
  }

  clone(): Tensor<T> {
    return new Tensor(this.type, this.data.slice() as TensorArrays[T], this.dims);
  }

  /** The same elements in another shape; one -1 is what the others leave. */
  view(...dims: number[]): Tensor<T> {
    const known = sizeOf(dims.filter((dim) => dim !== -1));
    return new Tensor(this.type, this.data, dims.map((dim) => (dim === -1 ? this.size / known : dim)));
  }

  reshape(...dims: number[]): Tensor<T> {
    return this.view(...dims);
  }

  flatten(): Tensor<T> {
    return this.view(-1);
  }

  squeeze(axis?: number): Tensor<T> {
    const at = axis === undefined ? undefined : axisOf(this, axis);
    return this.view(...this.dims.filter((dim, i) => dim !== 1 || (at !== undefined && i !== at)));
  }

  unsqueeze(axis: number): Tensor<T> {
    const at = axis < 0 ? axis + this.dims.length + 1 : axis;
    return this.view(...this.dims.slice(0, at), 1, ...this.dims.slice(at));
  }

  /** Of each axis: all (null), one index, or [from, to); negative ones count from the end. */
  slice(...ranges: (number | [number, number] | null)[]): Tensor<T> {
    const bounds = this.dims.map((dim, i): [number, number] => {
      const range = ranges[i] ?? [0, dim], from = (n: number) => Math.min(dim, n < 0 ? n + dim : n);
      return Array.isArray(range) ? [from(range[0]), from(range[1])] : [from(range), from(range) + 1];
    });
    const kept = bounds.map(([from, to]) => Math.max(0, to - from)), strides = this.dims.map((_, i) => sizeOf(this.dims.slice(i + 1)));
    const data = arrayOf(this.type, new Array<number>(sizeOf(kept)).fill(0));
    for (let at = 0; at < data.length; at++) {
      let left = at, source = 0;
      for (let i = kept.length - 1; i >= 0; left = Math.floor(left / kept[i]), i--) source += (bounds[i][0] + (left % kept[i])) * strides[i];
      data[at] = this.data[source];
    }
    return new Tensor(this.type, data, kept.filter((_, i) => typeof ranges[i] !== "number"));
  }

  /** The mean over an axis, or of all; summed in double precision. */
  mean(axis?: number, keepdim = false): Tensor<"float32"> {
    if (axis === undefined) return new Tensor("float32", [Array.from(this.data).reduce((sum, value) => sum + value, 0) / this.size], []);
    const at = axisOf(this, axis), length = this.dims[at];
    const data = rowsOf(this, at).map((row) => row.reduce((sum, value) => sum + value, 0) / length);
    return new Tensor("float32", data, this.dims.flatMap((dim, i) => (i !== at ? [dim] : keepdim ? [1] : [])));
  }

  /** Divided by its norm along an axis. */
  normalize(p = 2, axis = 1): Tensor<"float32"> {
    if (p !== 2) throw refused("p", p, "normalize has the Euclidean norm, p = 2.");
    const at = axisOf(this, axis), stride = sizeOf(this.dims.slice(at + 1)), length = this.dims[at];
    const norms = rowsOf(this, at).map((row) => Math.hypot(...row));
    const data = Float32Array.from(this.data as Iterable<number>, (value, i) => value / norms[Math.floor(i / (stride * length)) * stride + (i % stride)]);
    return new Tensor("float32", data, this.dims);
  }

  /** Memory is the engine's to free. */
  dispose(): void {}

  part(index: number): Tensor<T> {
    if (index >= (this.dims[0] ?? 0)) throw refused("index", index, `A tensor of [${this.dims.join(", ")}] has no part ${index}.`);
    const dims = this.dims.slice(1), size = sizeOf(dims);
    return new Tensor(this.type, this.data.subarray(index * size, (index + 1) * size) as TensorArrays[T], dims);
  }
}

/** An axis, counted from the end where it is negative. */
function axisOf({ dims }: Base, axis: number): number {
  const at = axis < 0 ? axis + dims.length : axis;
  if (Number.isInteger(at) && at >= 0 && at < dims.length) return at;
  throw refused("dim", axis, `A tensor of [${dims.join(", ")}] has no axis ${axis}.`);
}

/** The elements along an axis, for every place of the other axes. */
function rowsOf({ dims, size, data }: Base, at: number): number[][] {
  const length = dims[at], stride = sizeOf(dims.slice(at + 1));
  return Array.from({ length: size / length }, (_, i) => {
    const start = Math.floor(i / stride) * stride * length + (i % stride);
    return Array.from({ length }, (_, j) => data[start + j * stride]);
  });
}

/** A tensor of the library with these methods; the same memory. */
export function withMethods<T extends TensorType>({ type, data, dims }: Base<T>): Tensor<T> {
  return new Tensor(type, data, dims);
}

/** One behind the other, along the first axis. */
export function concat(tensors: readonly Base<"float32">[]): Tensor<"float32"> {
  const data = new Float32Array(tensors.reduce((sum, { size }) => sum + size, 0));
  tensors.reduce((at, tensor) => (data.set(tensor.data, at), at + tensor.size), 0);
  const [{ dims }] = tensors;
  return new Tensor("float32", data, [tensors.reduce((sum, tensor) => sum + tensor.dims[0], 0), ...dims.slice(1)]);
}

function arrayOf<T extends TensorType>(type: T, values: readonly number[]): TensorArrays[T] {
  const made = type === "float32" ? Float32Array.from(values) : type === "int32" ? Int32Array.from(values) : Uint8Array.from(values);
  return made as TensorArrays[T];
}
