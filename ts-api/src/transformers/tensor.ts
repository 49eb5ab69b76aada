/** Tensors with the methods that programs for transformers.js call on features. */
import { checkHas, checkNumbers, checkType } from "../core/options.js";
import { Tensor as Base, type TensorType } from "../index.js";
import { sizeOf, type TensorArrays } from "../core/tensor.js";
import { refused } from "./refused.js";
import {
  arrayOf, axisOf, combined, flattened, greatest, permuted, reduced, roundHalfEven, rowsOf, sliced, squeezed, stridesOf, sum, unsqueezed, type Elements, type Range,
} from "./tensor-math.js";

/** A dense, row-major array with a shape, and the methods of transformers.js. Those that end in "_" change this tensor and return it. */
export class Tensor<T extends TensorType = TensorType> extends Base<T> {
  /** The slice at an index of the first axis; a negative one counts from the end. */
  readonly [index: number]: Tensor<T>;

  constructor(type: T, data: TensorArrays[T] | readonly number[], dims: readonly number[]) {
    super(type, Array.isArray(data) ? arrayOf(type, data) : (data as TensorArrays[T]), dims);
    return new Proxy(this, { get: (target, key) => (typeof key === "string" && /^-?\d+$/.test(key) ? target.part(Number(key)) : (Reflect.get(target, key) as unknown)) });
  }

  /** Where the elements are: always "cpu". */
  get location(): "cpu" {
    return "cpu";
  }

  /** The parts along the first axis, each of the shape without it; of a tensor with one axis the numbers, as in transformers.js. */
  *[Symbol.iterator](): Generator<Tensor<T> & number> {
    for (let i = 0; i < (this.dims[0] ?? 0); i++) yield (this.dims.length === 1 ? this.data[i] : this.part(i)) as Tensor<T> & number;
  }

  /** The index of the first element with this value, row-major; -1 if there is none. */
  indexOf(item: number | bigint): number {
    return this.data.indexOf(typeof item === "bigint" ? Number(item) : item);
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

  /** The elements in another type, truncated for integer types; the same shape. */
  to<U extends TensorType>(type: U): Tensor<U> {
    return new Tensor(type, arrayOf(type, this.data), this.dims);
  }

  /** From one index of each axis of the shape to the next, in elements. */
  stride(): number[] {
    return stridesOf(this.dims);
  }

  /** The same elements in another shape; one size of -1 is computed from the others. */
  view(...dims: number[]): Tensor<T> {
    checkNumbers("A size", ...dims);
    const known = sizeOf(dims.filter((dim) => dim !== -1));
    return new Tensor(this.type, this.data, dims.map((dim) => (dim === -1 ? this.size / known : dim)));
  }

  /** As `view`: the same elements in another shape. */
  reshape(...dims: number[]): Tensor<T> {
    return this.view(...dims);
  }

  /** The same elements with the axes of the shape from `start` to `end` as one; default: all. */
  flatten(start = 0, end = -1): Tensor<T> {
    return this.view(...flattened(this, start, end));
  }

  /** As `flatten`: the shape of this tensor is changed. */
  flatten_(start = 0, end = -1): this {
    return reshaped(this, flattened(this, start, end));
  }

  /** The same elements in the shape without an axis of 1, without several, or without all of them. */
  squeeze(axis?: number | number[] | null): Tensor<T> {
    return this.view(...squeezed(this, axis));
  }

  /** As `squeeze`: the shape of this tensor is changed. */
  squeeze_(axis?: number | number[] | null): this {
    return reshaped(this, squeezed(this, axis));
  }

  /** The same elements in a shape with a new axis of 1. */
  unsqueeze(axis: number): Tensor<T> {
    return this.view(...unsqueezed(this, axis));
  }

  /** As `unsqueeze`: the shape of this tensor is changed. */
  unsqueeze_(axis: number): this {
    return reshaped(this, unsqueezed(this, axis));
  }

  /**
   * A part, of each axis: all (null), one index, or [from, to); negative ones count from the end, null is an end. The shape loses the axes
   * with one index.
   * @throws IJepaError `input/value` for an index that is not there
   */
  slice(...ranges: Range[]): Tensor<T> {
    return made(this.type, sliced(this, ranges));
  }

  /**
   * The elements with the axes in another order; axis i of the new shape is axis `axes[i]` of this one.
   * @throws IJepaError `input/value` where an axis is missing or there twice
   */
  permute(...axes: number[]): Tensor<T> {
    return made(this.type, permuted(this, axes));
  }

  /** As `permute`; with two axes of the shape, these two are exchanged. Throws as `permute`. */
  transpose(...axes: number[]): Tensor<T> {
    if (axes.length !== 2) return this.permute(...axes);
    const order = this.dims.map((_, i) => i), [a, b] = axes.map((axis) => axisOf(this, axis));
    [order[a], order[b]] = [b, a];
    return this.permute(...order);
  }

  /** The elements several times along each axis of the shape. */
  repeat(...times: number[]): Tensor<T> {
    checkNumbers("A count", ...times);
    const dims = [...Array.from({ length: Math.max(0, times.length - this.dims.length) }, () => 1), ...this.dims];
    const counts = dims.map((_, i) => times[i - (dims.length - times.length)] ?? 1), whole = dims.map((dim, i) => dim * counts[i]), strides = stridesOf(dims);
    const data = Array.from({ length: sizeOf(whole) }, (_, at) => {
      let left = at, source = 0;
      for (let i = whole.length - 1; i >= 0; left = Math.floor(left / whole[i]), i--) source += ((left % whole[i]) % dims[i]) * strides[i];
      return this.data[source];
    });
    return made(this.type, { data, dims: whole });
  }

  /** As `repeat`, of the last axes of the shape. */
  tile(...times: number[]): Tensor<T> {
    return this.repeat(...times);
  }

  /**
   * The mean over an axis, or of all; summed in double precision, as the other reductions. The shape loses the axis, or keeps it as 1
   * with `keepdim`.
   */
  mean(axis?: number | null, keepdim = false): Tensor<"float32"> {
    return made("float32", reduced(this, axis, keepdim, (row) => sum(row) / row.length));
  }

  /** The sum over an axis, or of all. Shape as of `mean`. */
  sum(axis?: number | null, keepdim = false): Tensor<"float32"> {
    return made("float32", reduced(this, axis, keepdim, sum));
  }

  /** The least over an axis, or of all. Shape as of `mean`. */
  min(axis?: number | null, keepdim = false): Tensor<"float32"> {
    return made("float32", reduced(this, axis, keepdim, (row) => row.reduce((least, value) => Math.min(least, value), Infinity)));
  }

  /** The greatest over an axis, or of all. Shape as of `mean`. */
  max(axis?: number | null, keepdim = false): Tensor<"float32"> {
    return made("float32", reduced(this, axis, keepdim, (row) => row.reduce((most, value) => Math.max(most, value), -Infinity)));
  }

  /** The index of the least over an axis, or of all; the first of several. Shape as of `mean`. */
  argmin(axis?: number | null, keepdim = false): Tensor<"int32"> {
    return made("int32", reduced(this, axis, keepdim, (row) => greatest(row.map((value) => -value))));
  }

  /** The index of the greatest over an axis, or of all; the first of several. Shape as of `mean`. */
  argmax(axis?: number | null, keepdim = false): Tensor<"int32"> {
    return made("int32", reduced(this, axis, keepdim, greatest));
  }

  /**
   * The Euclidean norm along an axis, or of all. Shape as of `mean`.
   * @throws IJepaError `input/value` for another norm, or an axis that is not there
   */
  norm(p: number | string = "fro", axis?: number | null, keepdim = false): Tensor<"float32"> {
    if (p !== "fro" && p !== 2) throw refused("p", p, 'norm supports only the Euclidean norm, p = 2 or "fro".');
    return made("float32", reduced(this, axis, keepdim, (row) => Math.sqrt(row.reduce((total, value) => total + value * value, 0))));
  }

  /**
   * Divided by its norm along an axis, in the same shape.
   * @throws IJepaError `input/value` for another norm, or an axis that is not there
   */
  normalize(p = 2, axis = 1): Tensor<"float32"> {
    if (p !== 2) throw refused("p", p, "normalize supports only the Euclidean norm, p = 2.");
    const at = axisOf(this, axis), stride = sizeOf(this.dims.slice(at + 1)), length = this.dims[at];
    const norms = rowsOf(this, at).map((row) => Math.sqrt(sum(row.map((value) => value * value))));
    const data = Float32Array.from(this.data as Iterable<number>, (value, i) => value / norms[Math.floor(i / (stride * length)) * stride + (i % stride)]);
    return new Tensor("float32", data, this.dims);
  }

  /** As `normalize`: this tensor is changed. */
  normalize_(p = 2, axis = 1): this {
    return overwritten(this, this.normalize(p, axis).data);
  }

  /** What `callback` makes of each element, in the same shape. */
  map(callback: (value: number, index: number, data: TensorArrays[T]) => number): Tensor<T> {
    checkType("callback", callback ?? false, "function");
    return made(this.type, { data: Array.from(this.data, (value, i) => callback(value, i, this.data)), dims: this.dims });
  }

  /** As `map`: this tensor is changed. */
  map_(callback: (value: number, index: number, data: TensorArrays[T]) => number): this {
    return overwritten(this, this.map(callback).data);
  }

  /** The sum with a number, or with a tensor of the same shape. */
  add(other: number | bigint | Base): Tensor<T> {
    return made(this.type, { data: combined(this, other, (a, b) => a + b), dims: this.dims });
  }

  /** As `add`: this tensor is changed. */
  add_(other: number | bigint | Base): this {
    return overwritten(this, this.add(other).data);
  }

  /** The difference from a number, or from a tensor of the same shape. */
  sub(other: number | bigint | Base): Tensor<T> {
    return made(this.type, { data: combined(this, other, (a, b) => a - b), dims: this.dims });
  }

  /** As `sub`: this tensor is changed. */
  sub_(other: number | bigint | Base): this {
    return overwritten(this, this.sub(other).data);
  }

  /** The product with a number, or with a tensor of the same shape, element by element. */
  mul(other: number | bigint | Base): Tensor<T> {
    return made(this.type, { data: combined(this, other, (a, b) => a * b), dims: this.dims });
  }

  /** As `mul`: this tensor is changed. */
  mul_(other: number | bigint | Base): this {
    return overwritten(this, this.mul(other).data);
  }

  /** The quotient by a number, or by a tensor of the same shape, element by element. */
  div(other: number | bigint | Base): Tensor<T> {
    return made(this.type, { data: combined(this, other, (a, b) => a / b), dims: this.dims });
  }

  /** As `div`: this tensor is changed. */
  div_(other: number | bigint | Base): this {
    return overwritten(this, this.div(other).data);
  }

  /** The negative of each element, in the same shape. */
  neg(): Tensor<T> {
    return this.mul(-1);
  }

  /** As `neg`: this tensor is changed. */
  neg_(): this {
    return this.mul_(-1);
  }

  /** 1 / (1 + exp(-x)) of each element, in the same shape. */
  sigmoid(): Tensor<T> {
    return this.map((value) => 1 / (1 + Math.exp(-value)));
  }

  /** As `sigmoid`: this tensor is changed. */
  sigmoid_(): this {
    return this.map_((value) => 1 / (1 + Math.exp(-value)));
  }

  /** Each element, or the nearer bound where it lies outside; the same shape. */
  clamp(min: number, max: number): Tensor<T> {
    checkNumbers("A bound", min, max);
    return this.map((value) => Math.min(max, Math.max(min, value)));
  }

  /** As `clamp`: this tensor is changed. */
  clamp_(min: number, max: number): this {
    return overwritten(this, this.clamp(min, max).data);
  }

  /** Each element as the nearest whole number, halves as the even one; the same shape. */
  round(): Tensor<T> {
    return this.map(roundHalfEven);
  }

  /** As `round`: this tensor is changed. */
  round_(): this {
    return this.map_(roundHalfEven);
  }

  /** 1 where an element is greater than `value`, in the same shape. */
  gt(value: number): Tensor<"bool"> {
    checkNumbers("The value", value);
    return made("bool", { data: Array.from(this.data, (one) => Number(one > value)), dims: this.dims });
  }

  /** 1 where an element is less than `value`, in the same shape. */
  lt(value: number): Tensor<"bool"> {
    checkNumbers("The value", value);
    return made("bool", { data: Array.from(this.data, (one) => Number(one < value)), dims: this.dims });
  }

  /** Does nothing: the engine frees the memory. */
  dispose(): void {}

  /**
   * The part at an index of the first axis, of the shape without that axis; the same memory. A negative index counts from the end.
   * @throws IJepaError `input/value` for an index beyond it
   */
  part(index: number): Tensor<T> {
    checkNumbers("An index", index);
    const [parts = 0, ...dims] = this.dims, at = index < 0 ? index + parts : index, size = sizeOf(dims);
    if (!(at >= 0 && at < parts)) throw refused("index", index, `A tensor of [${this.dims.join(", ")}] has no part ${index}.`);
    return new Tensor(this.type, this.data.subarray(at * size, (at + 1) * size) as TensorArrays[T], dims);
  }
}

export function made<T extends TensorType>(type: T, { data, dims }: Elements): Tensor<T> {
  return new Tensor(type, arrayOf(type, data), dims);
}

/** A tensor of the library with these methods; the same memory. */
export function withMethods<T extends TensorType>(tensor: Base<T>): Tensor<T> {
  checkHas("A tensor", tensor, "a Tensor", "type", "data", "dims");
  const { type, data, dims } = tensor;
  return new Tensor(type, data, dims);
}

function overwritten<T extends Tensor>(tensor: T, values: ArrayLike<number>): T {
  tensor.data.set(values);
  return tensor;
}

function reshaped<T extends Tensor>(tensor: T, dims: readonly number[]): T {
  return Object.assign(tensor, { dims });
}
