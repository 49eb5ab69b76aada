/**
 * Moves powers of two from a layer norm to the matrix behind it: the norm's outputs are divided by them, and the weights that read these
 * outputs are multiplied. The exact products stay the same; only the blocks of 8-bit activations change. A channel that is far larger
 * than its neighbours would take their precision; balanced, part of its size moves to the weights.
 */
import { bound } from "../core/float.js";

/** Exponents are limited to this: beyond it a channel, or its weights, do not matter. */
const LIMIT = 8;

/** Mean and variance of every input: [inputs or more]. */
export interface InputMoments {
  mean: Float32Array;
  variance: Float32Array;
}

/**
 * The factors f: the nearest powers of two to the fourth root of (mean square of the input) / (sum of squares of its weights), over the
 * geometric mean of that root, so that activations / f and weights * f vary alike and most channels keep their size.
 *
 * @param data [cols][inputs]
 * @returns [inputs]
 */
export function balance(data: Float32Array, cols: number, inputs: number, { mean, variance }: InputMoments): Float32Array {
  const weights = new Float64Array(inputs);
  for (let c = 0; c < cols; c++) for (let k = 0, at = c * inputs; k < inputs; k++, at++) weights[k] += data[at] * data[at];
  const logs = weights.map((square, k) => logarithm((variance[k] + mean[k] * mean[k]) / square)), known = logs.filter((log) => !Number.isNaN(log));
  const middle = known.reduce((sum, log) => sum + log, 0) / known.length;
  const power = (log: number) => Math.max(-LIMIT, Math.min(LIMIT, Math.floor((log - middle) / 4 + 0.5)));
  return Float32Array.from(logs, (log) => (Number.isNaN(log) ? 1 : 2 ** power(log)));
}

const real = new Float64Array(1);
const words = new Uint32Array(real.buffer);

/**
 * log2 v, linear between powers of two, read from the bits of v: the logarithms of engines differ in their last bits. NaN if the inputs
 * or the weights are all 0.
 */
function logarithm(v: number): number {
  real[0] = v;
  return v > 0 && v < Infinity ? words[1] / 2 ** 20 - 1023 : NaN;
}

/** [cols][inputs] with the weights of each input multiplied by its factor. */
export function scaleInputs(data: Float32Array, inputs: number, factors: Float32Array): Float32Array {
  const scaled = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += inputs) for (let k = 0; k < inputs; k++) scaled[at + k] = data[at + k] * factors[k];
  return scaled;
}

/** The moments of inputs that are divided by their factors. */
export function scaleMoments({ mean, variance }: InputMoments, factors: Float32Array): InputMoments {
  const of = (k: number) => factors[k] ?? 1;
  return {
    mean: mean.map((value, k) => bound(value / of(k))),
    variance: variance.map((value, k) => bound(value / of(k) / of(k))),
  };
}
