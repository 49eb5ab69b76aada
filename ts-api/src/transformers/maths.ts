/** The functions on lists of numbers that programs for transformers.js import. */
import { wrongType } from "../core/options.js";
import { cosineSimilarity, type Tensor } from "../index.js";
import { greatest } from "./tensor-math.js";

/** The cosine of the angle between two vectors, each [width]. */
export function cos_sim(a: ArrayLike<number> | Tensor<"float32">, b: ArrayLike<number> | Tensor<"float32">): number {
  return cosineSimilarity(a, b);
}

/** The sum of the products. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const others = numbersOf(b);
  return numbersOf(a).reduce((total, value, i) => total + value * others[i], 0);
}

/** The Euclidean norm. */
export function magnitude(values: ArrayLike<number>): number {
  return Math.sqrt(dot(values, values));
}

/** The scores as probabilities that sum to 1; a Float32Array for a Float32Array, else a list. */
export function softmax<A extends ArrayLike<number>>(scores: A): A extends Float32Array ? Float32Array : number[] {
  const { powers, total } = exponentials(numbersOf(scores));
  return asGiven(scores, powers.map((power) => power / total));
}

/** The logarithms of `softmax`; finite also where the probability is too small for a number. */
export function log_softmax<A extends ArrayLike<number>>(scores: A): A extends Float32Array ? Float32Array : number[] {
  const values = numbersOf(scores), { most, total } = exponentials(values);
  return asGiven(scores, values.map((score) => score - most - Math.log(total)));
}

/** e to the power of each score minus the greatest one, and their sum. */
function exponentials(scores: readonly number[]): { most: number; powers: number[]; total: number } {
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity), powers = scores.map((score) => Math.exp(score - most));
  return { most, powers, total: powers.reduce((a, b) => a + b, 0) };
}

/** The greatest number and its index. */
export function max(values: ArrayLike<number>): [number, number] {
  const numbers = numbersOf(values), at = greatest(numbers);
  return [numbers[at], at];
}

/** The least number and its index. */
export function min(values: ArrayLike<number>): [number, number] {
  const numbers = numbersOf(values), at = greatest(numbers.map((value) => -value));
  return [numbers[at], at];
}

/** @throws TypeError for anything but a list or typed array */
function numbersOf(values: ArrayLike<number>): number[] {
  if (!Array.isArray(values) && !ArrayBuffer.isView(values)) throw wrongType("The numbers", "a list or typed array", values);
  return Array.from<number>(values);
}

function asGiven<A extends ArrayLike<number>>(given: A, values: number[]): A extends Float32Array ? Float32Array : number[] {
  return (given instanceof Float32Array ? Float32Array.from(values) : values) as A extends Float32Array ? Float32Array : number[];
}
