/**
 * Multinomial logistic regression with L2 on standardised features, in double precision:
 *
 *   sum over rows of -log softmax(W z + b)[label]  +  |W|^2 / (2 C)
 *
 * z is a feature minus its mean over the training rows, divided by its deviation (1 for a constant feature). The bias is not penalised,
 * and its mean is 0. Mean and deviation are folded into the returned head, so it takes features as they are.
 */
import { exp, log } from "./math.js";
import { minimize, type MinimizeOptions, type Objective } from "./minimize.js";

/** Features with their classes. */
export interface Examples {
  /** [rows][width], row-major. */
  readonly features: Float32Array;
  readonly width: number;
  /** A class, from 0, for each row. */
  readonly labels: Int32Array;
  readonly classes: number;
}

export interface LinearHead {
  /** [classes][width]. */
  readonly weight: Float64Array;
  /** [classes]. */
  readonly bias: Float64Array;
  /** How many classes. */
  readonly classes: number;
  /** Numbers of a feature. */
  readonly width: number;
}

/** A linear head, and how its fit ended. */
export interface FittedHead extends LinearHead {
  /** Inverse strength of the penalty: a larger C is a weaker penalty. */
  readonly C: number;
  /** The objective at the end. */
  readonly loss: number;
  /** Largest derivative at the end, in magnitude. */
  readonly gradient: number;
  /** Steps that the solver took. */
  readonly iterations: number;
}

export type SolverOptions = Partial<Pick<MinimizeOptions, "tolerance" | "maxIterations" | "signal" | "pause">> & {
  /** Where to start: the parameters that an earlier fit of the same rows returned. */
  readonly start?: Float64Array | undefined;
};

/** The derivative at which a fit ends; far below what is visible in a probability. */
const TOLERANCE = 1e-8, MAX_ITERATIONS = 5000;

/** Training rows, standardised once and used for several fits. */
export class LogisticRegression {
  readonly #examples: Examples;
  readonly #mean: Float64Array;
  readonly #deviation: Float64Array;
  readonly #z: Float64Array;

  constructor(examples: Examples) {
    const { features, width, labels } = examples, rows = labels.length;
    const mean = new Float64Array(width), deviation = new Float64Array(width), z = new Float64Array(rows * width);
    for (let i = 0; i < rows; i++) for (let k = 0; k < width; k++) mean[k] += features[i * width + k];
    for (let k = 0; k < width; k++) mean[k] /= rows;
    for (let i = 0; i < rows; i++) for (let k = 0; k < width; k++) deviation[k] += square(features[i * width + k] - mean[k]);
    for (let k = 0; k < width; k++) deviation[k] = Math.sqrt(deviation[k] / rows) || 1;
    for (let i = 0; i < rows; i++) for (let k = 0; k < width; k++) z[i * width + k] = (features[i * width + k] - mean[k]) / deviation[k];
    this.#examples = examples;
    this.#mean = mean;
    this.#deviation = deviation;
    this.#z = z;
  }

  /** @returns the head, and the parameters to start the next fit from */
  async fit(C: number, { tolerance = TOLERANCE, maxIterations = MAX_ITERATIONS, signal, pause, start }: SolverOptions = {}): Promise<{ head: FittedHead; parameters: Float64Array }> {
    const { width, classes } = this.#examples;
    const { x, value, gradient, iterations } = await minimize(this.#objective(C), start ?? new Float64Array(classes * (width + 1)), { tolerance, maxIterations, signal, pause });
    const weight = new Float64Array(classes * width), bias = x.slice(classes * width), middle = bias.reduce((a, b) => a + b, 0) / classes;
    for (let c = 0; c < classes; c++) {
      bias[c] -= middle;
      for (let k = 0; k < width; k++) {
        weight[c * width + k] = x[c * width + k] / this.#deviation[k];
        bias[c] -= weight[c * width + k] * this.#mean[k];
      }
    }
    return { head: { weight, bias, classes, width, C, loss: value, gradient, iterations }, parameters: x };
  }

  /** Parameters are W [classes][width], then b [classes]. */
  #objective(C: number): Objective {
    const z = this.#z, { width, classes, labels } = this.#examples, scores = new Float64Array(classes);
    return (x, gradient) => {
      gradient.fill(0);
      const weights = x.subarray(0, classes * width), bias = x.subarray(classes * width);
      let loss = 0;
      for (let i = 0; i < labels.length; i++) {
        const row = z.subarray(i * width, (i + 1) * width);
        multiply(weights, bias, row, scores);
        loss += toResiduals(scores, labels[i]);
        for (let c = 0; c < classes; c++) {
          const residual = scores[c], at = c * width;
          gradient[classes * width + c] += residual;
          for (let k = 0; k < width; k++) gradient[at + k] += residual * row[k];
        }
      }
      let squares = 0;
      for (let i = 0; i < classes * width; i++) {
        squares += weights[i] * weights[i];
        gradient[i] += weights[i] / C;
      }
      return loss + squares / (2 * C);
    };
  }
}

/** Probabilities of the classes for one feature. */
export function probabilities({ weight, bias, classes }: LinearHead, feature: ArrayLike<number>): Float64Array {
  const scores = new Float64Array(classes);
  multiply(weight, bias, feature, scores);
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let c = 0; c < classes; c++) sum += scores[c] = exp(scores[c] - top);
  return scores.map((score) => score / sum);
}

/** out = W row + b; four classes side by side, which changes no sum. */
function multiply(weights: Float64Array, bias: Float64Array, row: ArrayLike<number>, out: Float64Array): void {
  const width = row.length, classes = bias.length;
  let c = 0;
  for (; c + 4 <= classes; c += 4) {
    const a = c * width, b = a + width, d = b + width, e = d + width;
    let sa = bias[c], sb = bias[c + 1], sd = bias[c + 2], se = bias[c + 3];
    for (let k = 0; k < width; k++) {
      const v = row[k];
      sa += weights[a + k] * v;
      sb += weights[b + k] * v;
      sd += weights[d + k] * v;
      se += weights[e + k] * v;
    }
    out[c] = sa;
    out[c + 1] = sb;
    out[c + 2] = sd;
    out[c + 3] = se;
  }
  for (; c < classes; c++) {
    let sum = bias[c];
    for (let k = 0; k < width; k++) sum += weights[c * width + k] * row[k];
    out[c] = sum;
  }
}

/** Turns scores into probabilities minus the true class, and returns the loss. */
function toResiduals(scores: Float64Array, label: number): number {
  let top = -Infinity, sum = 0;
  for (const score of scores) top = Math.max(top, score);
  const own = scores[label] - top;
  for (let c = 0; c < scores.length; c++) sum += scores[c] = exp(scores[c] - top);
  for (let c = 0; c < scores.length; c++) scores[c] /= sum;
  scores[label] -= 1;
  return log(sum) - own;
}

/** Multiplication instead of `**`, whose last bits differ between engines. */
function square(x: number): number {
  return x * x;
}
