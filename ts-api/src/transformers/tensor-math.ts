/** What tensors compute, on shapes and elements. */
import { checkHas, checkNumbers, wrongType } from "../core/options.js";
import { sizeOf, type TensorArrays, type TensorType } from "../core/tensor.js";
import { refused } from "./refused.js";

/** Elements, row-major, and their shape. */
export interface Elements {
  readonly data: ArrayLike<number> & Iterable<number>;
  readonly dims: readonly number[];
}

/** One index of an axis, [from, to) with null for its ends, or all of it. */
export type Range = number | readonly (number | null)[] | null | undefined;

/** An axis; a negative one counts from the end. */
export function axisOf({ dims }: Elements, axis: number): number {
  checkNumbers("An axis", axis);
  const at = axis < 0 ? axis + dims.length : axis;
  if (Number.isInteger(at) && at >= 0 && at < dims.length) return at;
  throw refused("dim", axis, `A tensor of [${dims.join(", ")}] has no axis ${axis}.`);
}

/** From one index of an axis to the next, in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  return dims.map((_, i) => sizeOf(dims.slice(i + 1)));
}

/** The elements along an axis, for every place of the other axes. */
export function rowsOf({ dims, data }: Elements, at: number): number[][] {
  const length = dims[at], stride = sizeOf(dims.slice(at + 1)), count = sizeOf(dims.filter((_, i) => i !== at));
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor(i / stride) * stride * length + (i % stride);
    return Array.from({ length }, (_unused, j) => data[start + j * stride]);
  });
}

/** Applies `reduce` to the elements along an axis, or to all. */
export function reduced(tensor: Elements, axis: number | null | undefined, keepdim: boolean, reduce: (row: number[]) => number): { data: number[]; dims: number[] } {
  const { dims, data } = tensor;
  if (axis === undefined || axis === null) return { data: [reduce(Array.from(data))], dims: keepdim ? dims.map(() => 1) : [] };
  const at = axisOf(tensor, axis);
  return { data: rowsOf(tensor, at).map(reduce), dims: dims.flatMap((dim, i) => (i !== at ? [dim] : keepdim ? [1] : [])) };
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The index of the greatest; the first of several. */
export function greatest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

/** To the nearest whole number, halves to the even one. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Element by element, with a number or a tensor of the same shape. */
export function combined({ data, dims }: Elements, other: number | bigint | Elements, combine: (a: number, b: number) => number): number[] {
  if (typeof other === "number" || typeof other === "bigint") return Array.from(data, (value) => combine(value, Number(other)));
  checkHas("The other operand", other, "a number or a Tensor", "data", "dims");
  if (other.dims.join() === dims.join()) return Array.from(data, (value, i) => combine(value, other.data[i]));
  throw refused("value", other.dims, `Tensors of [${dims.join(", ")}] and [${other.dims.join(", ")}] cannot be combined: there is no broadcasting here.`);
}

/** A part of each axis. The shape loses the axes of which there is one index. */
export function sliced(tensor: Elements, ranges: readonly Range[]): { data: number[]; dims: number[] } {
  const { dims, data } = tensor, strides = stridesOf(dims);
  if (ranges.length > dims.length) throw refused("slices", ranges, `A tensor of [${dims.join(", ")}] has ${dims.length} axes; slice was given ${ranges.length} ranges.`);
  const bounds = dims.map((dim, i) => boundsOf(ranges[i], dim, tensor));
  const kept = bounds.map(([from, to]) => Math.max(0, to - from));
  const values = Array.from({ length: sizeOf(kept) }, (_, at) => {
    let left = at, source = 0;
    for (let i = kept.length - 1; i >= 0; left = Math.floor(left / kept[i]), i--) source += (bounds[i][0] + (left % kept[i])) * strides[i];
    return data[source];
  });
  return { data: values, dims: kept.filter((_, i) => typeof ranges[i] !== "number") };
}

function boundsOf(range: Range, dim: number, { dims }: Elements): [number, number] {
  if (range === null || range === undefined) return [0, dim];
  const from = (n: number) => Math.max(0, Math.min(dim, n < 0 ? n + dim : n));
  if (Array.isArray(range)) {
    const [first, end] = range as readonly (number | null)[];
    return [from(first ?? 0), from(end ?? dim)];
  }
  if (typeof range !== "number") throw wrongType("A range", "an index, [from, to] or null", range);
  if (Number.isInteger(range) && range >= -dim && range < dim) return [from(range), from(range) + 1];
  throw refused("slices", range, `A tensor of [${dims.join(", ")}] has no index ${range} in an axis of ${dim}.`);
}

/** Axis i of the new shape is axis `axes[i]` of this one. */
export function permuted(tensor: Elements, axes: readonly number[]): { data: number[]; dims: number[] } {
  const order = axes.map((axis) => axisOf(tensor, axis)), { dims: shape, data } = tensor;
  const isOrder = order.length === shape.length && new Set(order).size === order.length;
  if (!isOrder) throw refused("dims", axes, `permute needs each axis of [${shape.join(", ")}] once, not [${axes.join(", ")}].`);
  const strides = stridesOf(shape), dims = order.map((axis) => shape[axis]);
  const values = Array.from({ length: sizeOf(dims) }, (_, at) => {
    let left = at, source = 0;
    for (let i = dims.length - 1; i >= 0; left = Math.floor(left / dims[i]), i--) source += (left % dims[i]) * strides[order[i]];
    return data[source];
  });
  return { data: values, dims };
}

/** The shape without one of its axes of 1, several, or all. */
export function squeezed(tensor: Elements, axes: number | readonly number[] | null | undefined): number[] {
  const { dims } = tensor;
  if (axes === undefined || axes === null) return dims.filter((dim) => dim !== 1);
  const dropped = (Array.isArray(axes) ? (axes as readonly number[]) : [axes as number]).map((axis) => axisOf(tensor, axis));
  return dims.filter((dim, i) => dim !== 1 || !dropped.includes(i));
}

/** The shape with a new axis of 1. */
export function unsqueezed({ dims }: Elements, axis: number): number[] {
  checkNumbers("An axis", axis);
  const at = axis < 0 ? axis + dims.length + 1 : axis;
  return [...dims.slice(0, at), 1, ...dims.slice(at)];
}

/** The shape with the axes from one to another as one. */
export function flattened(tensor: Elements, start: number, end: number): number[] {
  const { dims } = tensor;
  if (dims.length === 0) return [1];
  const from = axisOf(tensor, start), to = axisOf(tensor, end);
  return [...dims.slice(0, from), sizeOf(dims.slice(from, to + 1)), ...dims.slice(to + 1)];
}

/** An array of a tensor's elements; whole numbers are cut. */
export function arrayOf<T extends TensorType>(type: T, values: Iterable<number>): TensorArrays[T] {
  const made = type === "float32" ? Float32Array.from(values) : type === "int32" ? Int32Array.from(values) : Uint8Array.from(values);
  return made as TensorArrays[T];
}
