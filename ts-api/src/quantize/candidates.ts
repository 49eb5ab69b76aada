/**
 * What int8 and int4 share: statistics of the inputs, the choice among candidate scales, and the rounding of weights to codes.
 * Twin: assembly/quantize/candidates.ts.
 */

const fround = Math.fround;
/** 1.5 * 2^23: adding it to a small f32 rounds to a whole number, half to even. */
const ROUND_MAGIC = 12582912;

/** Weight of an error proportional to the weights, relative to other errors. */
export const GAIN_WEIGHT = 8;

/** Statistics of the inputs of a matrix, for the rounding. */
export interface InputWeights {
  /** [inputs] f32, not negative: the weight of a squared error at each input. */
  importance: Float32Array;
  /** [inputs] f32: expected values. */
  mean: Float32Array;
}

/** Codes from `least` to `most`. */
export interface CodeRange {
  readonly least: number;
  readonly most: number;
}

/** The candidate of least cost for a group of weights, the first of equals; gain: what an error proportional to the weights costs. */
export function cheapest(w: Float32Array, importance: Float32Array, gain: number, candidates: readonly number[], range: CodeRange): number {
  let best = candidates[0], lowest = Infinity;
  for (const scale of candidates) {
    const inverse = reciprocal(scale);
    let error = 0, lost = 0;
    for (let k = 0; k < w.length; k++) {
      const d = fround(w[k] - fround(roundCode(w[k], inverse, range) * scale));
      error = fround(error + fround(fround(importance[k] * d) * d));
      lost = fround(lost + fround(fround(importance[k] * w[k]) * d));
    }
    const cost = fround(error + fround(fround(gain * lost) * lost));
    if (cost < lowest) {
      lowest = cost;
      best = scale;
    }
  }
  return best;
}

/** 1 / scale; 0 for a scale of 0. */
export function reciprocal(scale: number): number {
  return scale === 0 ? 0 : fround(1 / scale);
}

/** w / s as a whole number: half to even, within the range. */
export function roundCode(w: number, inverse: number, { least, most }: CodeRange): number {
  return fround(Math.max(least, Math.min(most, fround(w * inverse))) + ROUND_MAGIC) - ROUND_MAGIC;
}

/** Statistics of the padded inputs: zeros for the padding; without `weights`, ones and zeros for the others. */
export function padInputs(weights: InputWeights | undefined, inputs: number, inner: number): InputWeights {
  const importance = new Float32Array(inner), mean = new Float32Array(inner);
  if (weights === undefined) importance.fill(1, 0, inputs);
  else {
    importance.set(weights.importance.subarray(0, inputs));
    mean.set(weights.mean.subarray(0, inputs));
  }
  return { importance, mean };
}
