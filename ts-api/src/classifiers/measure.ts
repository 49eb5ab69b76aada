/** From a classifier's scores for held-out examples to accuracy, loss, calibration error and confusion table. */
import type { Examples } from "./logistic.js";
import { log } from "./math.js";

export interface Measures {
  /** Share of the examples whose class has the highest score, or one of the five highest. */
  readonly top1: number;
  readonly top5: number;
}

export interface ProbabilityMeasures extends Measures {
  /** Mean of -log of the true class's probability. */
  readonly logLoss: number;
  /** Expected calibration error: 15 bins of the first class's probability, their gaps to the share that is right, by size. */
  readonly calibrationError: number;
  /** [true class][first class]: how many examples. */
  readonly confusion: readonly (readonly number[])[];
}

const BINS = 15, FIRST = 5;
/** Smallest probability in a loss. */
const SMALLEST = 1e-300;

/** @param score numbers for the classes, the greater the likelier; ties go to the lower class */
export function measure(examples: Examples, score: (feature: Float32Array) => Float64Array): Measures {
  return summarize(examples, ranksOf(examples, score));
}

export function measureProbabilities(examples: Examples, probabilitiesOf: (feature: Float32Array) => Float64Array): ProbabilityMeasures {
  const { labels, classes } = examples, ranked = ranksOf(examples, probabilitiesOf), confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const bins = Array.from({ length: BINS }, () => ({ count: 0, right: 0, sure: 0 }));
  let loss = 0;
  ranked.forEach(({ order: [first], scores }, i) => {
    confusion[labels[i]][first]++;
    loss -= log(Math.max(SMALLEST, scores[labels[i]]));
    const bin = bins[Math.min(BINS - 1, Math.floor(scores[first] * BINS))];
    bin.count++;
    bin.right += first === labels[i] ? 1 : 0;
    bin.sure += scores[first];
  });
  const calibrationError = bins.reduce((sum, { right, sure }) => sum + Math.abs(right - sure), 0) / labels.length;
  return { ...summarize(examples, ranked), logLoss: loss / labels.length, calibrationError, confusion };
}

interface Ranked {
  readonly order: readonly number[];
  readonly scores: Float64Array;
}

function ranksOf({ features, width, labels }: Examples, score: (feature: Float32Array) => Float64Array): Ranked[] {
  return Array.from(labels, (_, i) => {
    const scores = score(features.subarray(i * width, (i + 1) * width));
    return { scores, order: [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b) };
  });
}

function summarize({ labels }: Examples, ranked: readonly Ranked[]): Measures {
  const share = (first: number) => ranked.filter(({ order }, i) => order.slice(0, first).includes(labels[i])).length / labels.length;
  return { top1: share(1), top5: share(FIRST) };
}
