/** L-BFGS for smooth convex functions, with every sum in a fixed order: the same function gives the same bits everywhere. */
import { throwIfAborted } from "../core/errors.js";

/** The value of a function at x, whose gradient it writes. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

export interface MinimizeOptions {
  /** The largest component of the gradient at which the search ends. */
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then, to let the host run. */
  readonly pause?: (() => Promise<void>) | undefined;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  /** The largest component of the gradient. */
  readonly gradient: number;
  readonly iterations: number;
}

const MEMORY = 20, MAX_STEPS = 40, CURVATURE = 0.5, PAUSE_EVERY = 4;
/** How much the value may rise through rounding, relative to it. */
const ROUNDING = 1e-12;

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  readonly inverse: number;
}

/** It ends early if rounding prevents any further decrease. */
export async function minimize(objective: Objective, start: Float64Array, options: MinimizeOptions): Promise<Minimum> {
  let x = start.slice(), gradient = new Float64Array(x.length), value = objective(x, gradient), iterations = 0;
  const pairs: Pair[] = [];
  while (largest(gradient) > options.tolerance && iterations < options.maxIterations) {
    throwIfAborted(options.signal, "fitting a classifier");
    if (iterations % PAUSE_EVERY === 0) await options.pause?.();
    const direction = directionOf(gradient, pairs);
    const next = search(objective, x, value, gradient, direction, iterations === 0 ? Math.min(1, 1 / largest(gradient)) : 1);
    if (next === undefined) {
      // The collected curvature no longer helps: search once more along the gradient itself.
      if (pairs.length === 0) break;
      pairs.length = 0;
      continue;
    }
    const step = difference(next.x, x), change = difference(next.gradient, gradient), curvature = dot(step, change);
    if (curvature > 0) pairs.push({ step, change, inverse: 1 / curvature });
    if (pairs.length > MEMORY) pairs.shift();
    ({ x, value, gradient } = next);
    iterations++;
  }
  return { x, value, gradient: largest(gradient), iterations };
}

/** The two loops of L-BFGS. */
function directionOf(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.map((g) => -g), factors: number[] = [];
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { step, change, inverse } = pairs[i];
    factors[i] = inverse * dot(step, direction);
    addTo(direction, change, -factors[i]);
  }
  const last = pairs.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.inverse * dot(last.change, last.change));
    for (let i = 0; i < direction.length; i++) direction[i] *= scale;
  }
  for (let i = 0; i < pairs.length; i++) {
    const { step, change, inverse } = pairs[i];
    addTo(direction, step, factors[i] - inverse * dot(change, direction));
  }
  return direction;
}

/**
 * Finds a point along the direction whose slope is at most half as steep. The slope of a convex function only rises, so its sign brackets
 * the point. The sign is still meaningful when the value changes only in its last bits.
 */
function search(objective: Objective, x: Float64Array, value: number, gradient: Float64Array, direction: Float64Array, first: number) {
  const slope = dot(gradient, direction);
  if (!(slope < 0)) return undefined;
  let low = 0, lowSlope = slope, high = Infinity, highSlope = 0, step = first;
  for (let tries = 0; tries < MAX_STEPS; tries++) {
    const point = x.slice();
    addTo(point, direction, step);
    const ownGradient = new Float64Array(x.length), own = objective(point, ownGradient), ownSlope = dot(ownGradient, direction);
    const isLower = own <= value + ROUNDING * Math.abs(value);
    if (isLower && Math.abs(ownSlope) <= CURVATURE * -slope) return { x: point, value: own, gradient: ownGradient };
    if (ownSlope < 0 && isLower) {
      low = step;
      lowSlope = ownSlope;
    } else {
      high = step;
      highSlope = Number.isFinite(ownSlope) && ownSlope > 0 ? ownSlope : -lowSlope;
    }
    const between = low + ((high - low) * -lowSlope) / (highSlope - lowSlope), margin = 0.1 * (high - low);
    step = high === Infinity ? 2 * low : Math.min(Math.max(between, low + margin), high - margin);
  }
  return undefined;
}

function largest(x: Float64Array): number {
  let most = 0;
  for (const value of x) most = Math.max(most, Math.abs(value));
  return most;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function addTo(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i];
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - b[i]);
}
