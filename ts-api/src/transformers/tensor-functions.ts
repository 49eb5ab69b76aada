/** The functions on tensors that programs for transformers.js import beside the class. */
import { checkHas, checkList, checkNumbers } from "../core/options.js";
import type { Tensor as Base } from "../index.js";
import { sizeOf } from "../core/tensor.js";
import { refused } from "./refused.js";
import { axisOf, rowsOf, sum, type Range } from "./tensor-math.js";
import { made, Tensor, withMethods } from "./tensor.js";

/** The elements with the axes of the shape in another order. */
export function permute(tensor: Base<"float32">, axes: readonly number[]): Tensor<"float32"> {
  return withMethods(tensor).permute(...axes);
}

/** The mean over an axis, or of all. The shape loses the axis, or keeps it as 1 with `keepdim`. */
export function mean(tensor: Base<"float32">, dim: number | null = null, keepdim = false): Tensor<"float32"> {
  return withMethods(tensor).mean(dim, keepdim);
}

/** The standard deviation and the mean over an axis, or of all. Shapes as of `mean`. */
export function std_mean(tensor: Base<"float32">, dim: number | null = null, correction = 1, keepdim = false): [Tensor<"float32">, Tensor<"float32">] {
  const own = withMethods(tensor), rows = dim === null ? [Array.from(own.data)] : rowsOf(own, axisOf(own, dim)), means = own.mean(dim, keepdim);
  const deviations = rows.map((row) => {
    const middle = sum(row) / row.length;
    return Math.sqrt(sum(row.map((value) => (value - middle) ** 2)) / (row.length - correction));
  });
  return [made("float32", { data: deviations, dims: means.dims }), means];
}

/**
 * The tensors one after the other, along the first axis.
 * @throws IJepaError `input/value` for an empty list, or where the other axes differ
 */
export function concat(tensors: readonly Base<"float32">[]): Tensor<"float32"> {
  checkTensors(tensors);
  const rest = tensors.map(({ dims }) => dims.slice(1).join(", ")), other = rest.find((shape) => shape !== rest[0]);
  if (tensors.length === 0 || other !== undefined) throw refused("tensors", rest, tensors.length === 0 ? "There are no tensors to join." : `Tensors of [..., ${rest[0]}] and [..., ${other}] cannot be joined.`);
  const data = new Float32Array(sum(tensors.map(({ size }) => size)));
  let at = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, at);
    at += tensor.size;
  }
  return new Tensor("float32", data, [sum(tensors.map(({ dims }) => dims[0])), ...tensors[0].dims.slice(1)]);
}

/** As `concat`, along any axis: shapes differ in that axis only. */
export function cat(tensors: readonly Base<"float32">[], dim = 0): Tensor<"float32"> {
  checkTensors(tensors);
  if (tensors.length === 0) return concat(tensors);
  const at = axisOf(tensors[0], dim), order = tensors[0].dims.map((_, i) => (i === 0 ? at : i === at ? 0 : i));
  return at === 0 ? concat(tensors) : concat(tensors.map((tensor) => withMethods(tensor).permute(...order))).permute(...order);
}

/** Tensors of the same shape one after the other, along a new axis. */
export function stack(tensors: readonly Base<"float32">[], dim = 0): Tensor<"float32"> {
  checkTensors(tensors);
  return cat(tensors.map((tensor) => withMethods(tensor).unsqueeze(dim)), dim);
}

/**
 * The matrix product of [..., m, k] and [..., k, n]: [..., m, n], summed in double precision. The axes before the last two are the same
 * in both, or there are none in one of them.
 * @throws IJepaError `input/value` for shapes that do not fit
 */
export async function matmul(a: Base<"float32">, b: Base<"float32">): Promise<Tensor<"float32">> {
  checkTensors([a, b]);
  const [[m, k], [inner, n]] = [a.dims.slice(-2), b.dims.slice(-2)], [before, others] = [a.dims.slice(0, -2), b.dims.slice(0, -2)];
  const fits = a.dims.length > 1 && b.dims.length > 1 && k === inner && (before.length === 0 || others.length === 0 || before.join() === others.join());
  if (!fits) throw refused("b", b.dims, `Tensors of [${a.dims.join(", ")}] and [${b.dims.join(", ")}] cannot be multiplied.`);
  const dims = before.length === 0 ? others : before, data = new Float32Array(sizeOf(dims) * m * n);
  for (let batch = 0, at = 0; batch < sizeOf(dims); batch++) {
    const left = before.length === 0 ? 0 : batch * m * k, right = others.length === 0 ? 0 : batch * k * n;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++, at++) {
        let total = 0;
        for (let p = 0; p < k; p++) total += a.data[left + i * k + p] * b.data[right + p * n + j];
        data[at] = total;
      }
    }
  }
  return new Tensor("float32", data, [...dims, m, n]);
}

/** The greatest `k` along the last axis of the shape, from the greatest on (default: all), and their indices. */
export async function topk(tensor: Base<"float32">, k?: number | null): Promise<[Tensor<"float32">, Tensor<"int32">]> {
  checkTensors([tensor]);
  const { dims } = tensor, length = dims.at(-1) ?? 1, count = Math.min(k ?? length, length), shape = [...dims.slice(0, -1), count];
  const orders = rowsOf(tensor, dims.length - 1).map((row) => row.map((value, i) => ({ value, i })).sort((a, b) => b.value - a.value || a.i - b.i).slice(0, count));
  return [made("float32", { data: orders.flat().map(({ value }) => value), dims: shape }), made("int32", { data: orders.flat().map(({ i }) => i), dims: shape })];
}

/**
 * A part of some axes of the shape, each from a start to an end.
 * @throws IJepaError `input/value` for an axis that is not there, and for steps other than 1
 */
export async function slice(tensor: Base<"float32">, starts: readonly number[], ends: readonly number[], axes: readonly number[], steps?: readonly number[]): Promise<Tensor<"float32">> {
  checkTensors([tensor]);
  for (const [name, list] of Object.entries({ starts, ends, axes })) checkList(name, list, "a list of numbers");
  if (steps?.some((step) => step !== 1) === true) throw refused("steps", steps, `slice supports only steps of 1, not [${steps.join(", ")}].`);
  const ranges: Range[] = tensor.dims.map(() => null);
  axes.forEach((axis, i) => (ranges[axisOf(tensor, axis)] = [starts[i], ends[i]]));
  return withMethods(tensor).slice(...ranges);
}

/** The mean of the tokens, [images, width] of [images, tokens, width]; those with 0 in the mask, [images, tokens], are left out. */
export function mean_pooling(last_hidden_state: Base<"float32">, attention_mask: Base): Tensor<"float32"> {
  checkTensors([last_hidden_state, attention_mask]);
  const [images, tokens, width] = last_hidden_state.dims, data = new Float32Array(images * width);
  for (let image = 0; image < images; image++) {
    const weights = Array.from({ length: tokens }, (_, token) => attention_mask.data[image * tokens + token]), count = Math.max(sum(weights), 1e-9);
    for (let column = 0; column < width; column++) {
      data[image * width + column] = sum(weights.map((weight, token) => weight * last_hidden_state.data[(image * tokens + token) * width + column])) / count;
    }
  }
  return new Tensor("float32", data, [images, width]);
}

/**
 * Each row of the last axis with mean 0 and variance 1, in the same shape.
 * @throws IJepaError `input/value` for a shape to normalize over that is not the last axis
 */
export function layer_norm(tensor: Base<"float32">, normalized_shape: readonly number[], { eps = 1e-5 }: { eps?: number } = {}): Tensor<"float32"> {
  checkTensors([tensor]);
  checkList("normalized_shape", normalized_shape, "a list of numbers");
  const width = tensor.dims.at(-1) ?? 1;
  if (normalized_shape.length !== 1 || normalized_shape[0] !== width) throw refused("normalized_shape", normalized_shape, `layer_norm normalizes over the last axis, [${width}], not over [${normalized_shape.join(", ")}].`);
  const rows = rowsOf(tensor, tensor.dims.length - 1).map((row) => {
    const middle = sum(row) / width, deviation = Math.sqrt(sum(row.map((value) => (value - middle) ** 2)) / width + eps);
    return row.map((value) => (value - middle) / deviation);
  });
  return made("float32", { data: rows.flat(), dims: tensor.dims });
}

/** A tensor of a shape, of one value. */
export function full(size: readonly number[], fill_value: number): Tensor<"float32"> {
  checkList("size", size, "a list of numbers");
  checkNumbers("fill_value", fill_value);
  return new Tensor("float32", new Float32Array(sizeOf(size)).fill(fill_value), size);
}

/** A tensor of the same shape, of one value. */
export const full_like = (tensor: Base, fill_value: number): Tensor<"float32"> => full(dimsOf(tensor), fill_value);
/** A tensor of a shape, of ones. */
export const ones = (size: readonly number[]): Tensor<"float32"> => full(size, 1);
/** A tensor of the same shape, of ones. */
export const ones_like = (tensor: Base): Tensor<"float32"> => full(dimsOf(tensor), 1);
/** A tensor of a shape, of zeros. */
export const zeros = (size: readonly number[]): Tensor<"float32"> => full(size, 0);
/** A tensor of the same shape, of zeros. */
export const zeros_like = (tensor: Base): Tensor<"float32"> => full(dimsOf(tensor), 0);

/**
 * The signs of embeddings as bits, eight to a byte, the first the highest: [images, width / 8] of [images, width].
 * @throws IJepaError `input/value` for the precision "binary", which needs tensors of signed bytes, and for a width that eight does not divide
 */
export function quantize_embeddings(tensor: Base<"float32">, precision: "binary" | "ubinary"): Tensor<"uint8"> {
  checkTensors([tensor]);
  const [images, width] = tensor.dims;
  if (tensor.dims.length !== 2 || width % 8 !== 0) throw refused("tensor", tensor.dims, `Embeddings must be [images, width] with a width that eight divides, not [${tensor.dims.join(", ")}].`);
  if (precision !== "ubinary") throw refused("precision", precision, 'The precision must be "ubinary": there are no tensors of signed bytes here.');
  const data = new Uint8Array(tensor.size / 8);
  tensor.data.forEach((value, i) => (data[i >> 3] |= Number(value > 0) << (7 - (i % 8))));
  return new Tensor("uint8", data, [images, width / 8]);
}

const RESIZES = "Tensors are not interpolated here: similarityMap, attentionMap and pcaMap of the package draw features at the size of a photo.";

/**
 * For what resizes tensors: that is not done here.
 * @throws IJepaError `input/value`, always
 */
export function interpolate(): never {
  throw refused("interpolate", undefined, RESIZES);
}

/**
 * As `interpolate`.
 * @throws IJepaError `input/value`, always
 */
export async function interpolate_4d(): Promise<never> {
  throw refused("interpolate_4d", undefined, RESIZES);
}

/** @throws TypeError unless all of them are tensors */
function checkTensors(tensors: readonly Base[]): void {
  checkList("tensors", tensors, "a list of Tensors");
  for (const tensor of tensors) checkHas("A tensor", tensor, "a Tensor", "type", "data", "dims");
}

function dimsOf(tensor: Base): readonly number[] {
  checkTensors([tensor]);
  return tensor.dims;
}
