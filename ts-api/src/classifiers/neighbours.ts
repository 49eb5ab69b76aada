/** Classifiers that need no fit: nearest neighbours, and the means of the classes, both by cosine. */
import { exp } from "./math.js";
import type { Examples } from "./logistic.js";

export interface NeighbourOptions {
  /** How many neighbours vote. */
  readonly k: number;
  readonly temperature: number;
}

/**
 * The k training rows of largest cosine vote (ties: the lower row), each with exp(cosine / temperature) divided by the sum of all. A row
 * of zeros has the cosine 0 to every other.
 */
export function neighbourVotes(examples: Examples, { k, temperature }: NeighbourOptions): (query: ArrayLike<number>) => Float64Array {
  const { width, labels, classes } = examples, units = normalized(examples.features, width);
  return (query) => {
    const unit = normalized(query, width), cosines = Float64Array.from(labels, (_, i) => dot(unit, 0, units, i * width, width));
    const order = [...cosines.keys()].sort((a, b) => cosines[b] - cosines[a] || a - b).slice(0, k), votes = new Float64Array(classes);
    let sum = 0;
    for (const i of order) {
      const vote = exp(cosines[i] / temperature);
      votes[labels[i]] += vote;
      sum += vote;
    }
    return votes.map((vote) => vote / sum);
  };
}

/** The cosine of a query to the mean of each class's normalised features; -1 for a class without rows. */
export function meanCosines(examples: Examples): (query: ArrayLike<number>) => Float64Array {
  const { width, labels, classes } = examples, units = normalized(examples.features, width), means = new Float64Array(classes * width);
  labels.forEach((label, i) => {
    for (let j = 0; j < width; j++) means[label * width + j] += units[i * width + j];
  });
  const own = normalized(means, width), has = new Set(labels);
  return (query) => {
    const unit = normalized(query, width);
    return Float64Array.from({ length: classes }, (_, c) => (has.has(c) ? dot(unit, 0, own, c * width, width) : -1));
  };
}

/** Rows over their norms. */
function normalized(rows: ArrayLike<number>, width: number): Float64Array {
  const units = Float64Array.from(rows);
  for (let from = 0; from < units.length; from += width) {
    const norm = Math.sqrt(dot(units, from, units, from, width));
    for (let j = from; norm > 0 && j < from + width; j++) units[j] /= norm;
  }
  return units;
}

function dot(a: Float64Array, from: number, b: Float64Array, at: number, width: number): number {
  let sum = 0;
  for (let j = 0; j < width; j++) sum += a[from + j] * b[at + j];
  return sum;
}
