/**
 * Powers of two between a layer norm and the matrix behind it: the norm's outputs are divided by them, the matrix's inputs multiplied.
 * What the model computes stays the same to the bit of every product; what changes is how blocks of 8-bit activations look. A channel
 * that is far larger than its neighbours would take their precision; balanced, it hands a part of its size to the weights.
 */
import { bound } from "../core/float.js";

/** Exponents beyond it are cut off: such a channel, or its weights, do not matter. */
const LIMIT = 8;

/** Of every input, a mean and a variance: [inputs or more]. */
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
 * log2 v, straight between powers of two: the logarithms of engines differ in their last bits, and this is read from the bits of v.
 * NaN for inputs that are always 0, or weights that are.
 */
function logarithm(v: number): number {
  real[0] = v;
  return v > 0 && v < Infinity ? words[1] / 2 ** 20 - 1023 : NaN;
}

/** [cols][inputs] with each input's weights times its factor. */
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
