/** Tensors with the methods that programs for transformers.js call on features. */
import { Tensor as Base, type TensorType } from "../index.js";
import { sizeOf, type TensorArrays } from "../core/tensor.js";
import { refused } from "./options.js";

/** A dense, row-major array with a shape, and the methods of transformers.js. */
export class Tensor<T extends TensorType = TensorType> extends Base<T> {
  /** The slice at an index of the first axis. */
  readonly [index: number]: Tensor<T>;

  constructor(type: T, data: TensorArrays[T] | readonly number[], dims: readonly number[]) {
    super(type, Array.isArray(data) ? arrayOf(type, data) : (data as TensorArrays[T]), dims);
    return new Proxy(this, { get: (target, key) => (typeof key === "string" && /^\d+$/.test(key) ? target.part(Number(key)) : (Reflect.get(target, key) as unknown)) });
  }

  /** The parts along the first axis, each of the shape without it. */
  *[Symbol.iterator](): Generator<Tensor<T>> {
    for (let i = 0; i < (this.dims[0] ?? 0); i++) yield this.part(i);
  }

  /**
   * The only element.
   * @throws IJepaError `input/value` where there are more, or none
   */
  item(): number {
    if (this.size !== 1) throw refused("item", this.size, `item needs a tensor with one element; this one has ${this.size}.`);
    return this.data[0];
  }

  /** A copy with its own elements, in the same shape. */
  clone(): Tensor<T> {
    return new Tensor(this.type, this.data.slice() as TensorArrays[T], this.dims);
  }

  /** The same elements in another shape; one size of -1 is computed from the others. */
  view(...dims: number[]): Tensor<T> {
    const known = sizeOf(dims.filter((dim) => dim !== -1));
    return new Tensor(this.type, this.data, dims.map((dim) => (dim === -1 ? this.size / known : dim)));
  }

  /** As `view`: the same elements in another shape. */
  reshape(...dims: number[]): Tensor<T> {
    return this.view(...dims);
  }

  /** The same elements in the shape [size]. */
  flatten(): Tensor<T> {
    return this.view(-1);
  }

  /** The same elements in the shape without an axis of 1, or without all of them. */
  squeeze(axis?: number): Tensor<T> {
    const at = axis === undefined ? undefined : axisOf(this, axis);
    return this.view(...this.dims.filter((dim, i) => dim !== 1 || (at !== undefined && i !== at)));
  }

  /** The same elements in a shape with a new axis of 1. */
  unsqueeze(axis: number): Tensor<T> {
    const at = axis < 0 ? axis + this.dims.length + 1 : axis;
    return this.view(...this.dims.slice(0, at), 1, ...this.dims.slice(at));
  }

  /** A part, of each axis: all (null), one index, or [from, to); negative ones count from the end. The shape loses the axes with one index. */
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

  /** The mean over an axis, or of all; summed in double precision, as the other reductions. The shape loses the axis, or keeps it as 1 with `keepdim`. */
  mean(axis?: number | null, keepdim = false): Tensor<"float32"> {
    return reduced(this, axis, keepdim, (row) => sum(row) / row.length);
  }

  /** The sum over an axis, or of all. Shape as of `mean`. */
  sum(axis?: number | null, keepdim = false): Tensor<"float32"> {
    return reduced(this, axis, keepdim, sum);
  }

  /** The least over an axis, or of all. Shape as of `mean`. */
  min(axis?: number | null, keepdim = false): Tensor<"float32"> {
    return reduced(this, axis, keepdim, (row) => row.reduce((least, value) => Math.min(least, value), Infinity));
  }

  /** The greatest over an axis, or of all. Shape as of `mean`. */
  max(axis?: number | null, keepdim = false): Tensor<"float32"> {
    return reduced(this, axis, keepdim, (row) => row.reduce((most, value) => Math.max(most, value), -Infinity));
  }

  /**
   * The Euclidean norm along an axis, or of all. Shape as of `mean`.
   * @throws IJepaError `input/value` for another norm, or an axis that is not there
   */
  norm(p: number | "fro" = "fro", axis?: number | null, keepdim = false): Tensor<"float32"> {
    if (p !== "fro" && p !== 2) throw refused("p", p, 'norm supports only the Euclidean norm, p = 2 or "fro".');
    return reduced(this, axis, keepdim, (row) => Math.sqrt(row.reduce((total, value) => total + value * value, 0)));
  }

  /** The sum with a number, or with a tensor of the same shape. */
  add(other: number | Base): Tensor<T> {
    return combined(this, other, (a, b) => a + b);
  }

  /** The difference from a number, or from a tensor of the same shape. */
  sub(other: number | Base): Tensor<T> {
    return combined(this, other, (a, b) => a - b);
  }

  /** The product with a number, or with a tensor of the same shape, element by element. */
  mul(other: number | Base): Tensor<T> {
    return combined(this, other, (a, b) => a * b);
  }

  /** The quotient by a number, or by a tensor of the same shape, element by element. */
  div(other: number | Base): Tensor<T> {
    return combined(this, other, (a, b) => a / b);
  }

  /** The negative of each element, in the same shape. */
  neg(): Tensor<T> {
    return this.mul(-1);
  }

  /**
   * The elements with the axes in another order; axis i of the new shape is axis `axes[i]` of this one.
   * @throws IJepaError `input/value` where an axis is missing or there twice
   */
  permute(...axes: number[]): Tensor<T> {
    const order = axes.map((axis) => axisOf(this, axis)), isOrder = order.length === this.dims.length && new Set(order).size === order.length;
    if (!isOrder) throw refused("dims", axes, `permute needs each axis of [${this.dims.join(", ")}] once, not [${axes.join(", ")}].`);
    const strides = this.dims.map((_, i) => sizeOf(this.dims.slice(i + 1))), dims = order.map((axis) => this.dims[axis]);
    const data = this.data.slice() as TensorArrays[T];
    for (let at = 0; at < data.length; at++) {
      let left = at, source = 0;
      for (let i = dims.length - 1; i >= 0; left = Math.floor(left / dims[i]), i--) source += (left % dims[i]) * strides[order[i]];
      data[at] = this.data[source];
    }
    return new Tensor(this.type, data, dims);
  }

  /** The elements with two axes of the shape exchanged. */
  transpose(a: number, b: number): Tensor<T> {
    const axes = this.dims.map((_, i) => i), [from, to] = [axisOf(this, a), axisOf(this, b)];
    [axes[from], axes[to]] = [to, from];
    return this.permute(...axes);
  }

  /** The elements in another type, truncated for integer types; the same shape. */
  to<U extends TensorType>(type: U): Tensor<U> {
    return new Tensor(type, arrayOf(type, Array.from(this.data)), this.dims);
  }

  /**
   * Divided by its norm along an axis, in the same shape.
   * @throws IJepaError `input/value` for another norm, or an axis that is not there
   */
  normalize(p = 2, axis = 1): Tensor<"float32"> {
    if (p !== 2) throw refused("p", p, "normalize supports only the Euclidean norm, p = 2.");
    const at = axisOf(this, axis), stride = sizeOf(this.dims.slice(at + 1)), length = this.dims[at];
    const norms = rowsOf(this, at).map((row) => Math.hypot(...row));
    const data = Float32Array.from(this.data as Iterable<number>, (value, i) => value / norms[Math.floor(i / (stride * length)) * stride + (i % stride)]);
    return new Tensor("float32", data, this.dims);
  }

  /** Does nothing: the engine frees the memory. */
  dispose(): void {}

  /**
   * The part at an index of the first axis, of the shape without that axis; the same memory.
   * @throws IJepaError `input/value` for an index beyond it
   */
  part(index: number): Tensor<T> {
    if (index >= (this.dims[0] ?? 0)) throw refused("index", index, `A tensor of [${this.dims.join(", ")}] has no part ${index}.`);
    const dims = this.dims.slice(1), size = sizeOf(dims);
    return new Tensor(this.type, this.data.subarray(index * size, (index + 1) * size) as TensorArrays[T], dims);
  }
}

/** An axis; a negative one counts from the end. */
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Applies `reduce` to the elements along an axis, or to all. */
function reduced(tensor: Base, axis: number | null | undefined, keepdim: boolean, reduce: (row: number[]) => number): Tensor<"float32"> {
  const { dims } = tensor;
  if (axis === undefined || axis === null) return new Tensor("float32", [reduce(Array.from(tensor.data))], keepdim ? dims.map(() => 1) : []);
  const at = axisOf(tensor, axis);
  return new Tensor("float32", rowsOf(tensor, at).map(reduce), dims.flatMap((dim, i) => (i !== at ? [dim] : keepdim ? [1] : [])));
}

/** Element by element, with a number or a tensor of the same shape. */
function combined<T extends TensorType>({ type, data, dims }: Base<T>, other: number | Base, combine: (a: number, b: number) => number): Tensor<T> {
  if (typeof other !== "number" && other.dims.join() !== dims.join()) {
    throw refused("value", other.dims, `Tensors of [${dims.join(", ")}] and [${other.dims.join(", ")}] cannot be combined: there is no broadcasting here.`);
  }
  return new Tensor(type, arrayOf(type, Array.from(data, (value, i) => combine(value, typeof other === "number" ? other : other.data[i]))), dims);
}

/** A tensor of the library with these methods; the same memory. */
export function withMethods<T extends TensorType>({ type, data, dims }: Base<T>): Tensor<T> {
  return new Tensor(type, data, dims);
}

/**
 * One behind the other, along the first axis.
 * @throws IJepaError `input/value` where there is none, or the other axes differ
 */
export function concat(tensors: readonly Base<"float32">[]): Tensor<"float32"> {
  const rest = tensors.map(({ dims }) => dims.slice(1).join(", ")), other = rest.find((shape) => shape !== rest[0]);
  if (tensors.length === 0 || other !== undefined) throw refused("tensors", rest, tensors.length === 0 ? "There are no tensors to join." : `Tensors of [..., ${rest[0]}] and [..., ${other}] cannot be joined.`);
  const data = new Float32Array(tensors.reduce((total, { size }) => total + size, 0));
  tensors.reduce((at, tensor) => (data.set(tensor.data, at), at + tensor.size), 0);
  return new Tensor("float32", data, [tensors.reduce((total, tensor) => total + tensor.dims[0], 0), ...tensors[0].dims.slice(1)]);
}

function arrayOf<T extends TensorType>(type: T, values: readonly number[]): TensorArrays[T] {
  const made = type === "float32" ? Float32Array.from(values) : type === "int32" ? Int32Array.from(values) : Uint8Array.from(values);
  return made as TensorArrays[T];
}
