/** From labelled features to a linear head: a held-out part decides how strong the penalty is, and then all rows are fitted. */
import { IJepaError } from "../core/errors.js";
import { sha256 } from "../core/numerics.js";
import { LogisticRegression, probabilities, type Examples, type FittedHead } from "./logistic.js";
import { measure, measureProbabilities, type Measures, type ProbabilityMeasures } from "./measure.js";
import { mistakesOf, type Mistake } from "./mistakes.js";
import { meanCosines, neighbourVotes } from "./neighbours.js";

/** A labelled image. */
export interface LabelledFeature {
  /** SHA-256, in hex: it decides whether the image is held out. */
  readonly id: string;
  /** Where it is, for messages. */
  readonly source?: string | undefined;
  readonly label: string;
  readonly feature: Float32Array;
  /** Features of other views of the image, such as its mirror image, for training only. */
  readonly views?: readonly Float32Array[] | undefined;
}

export interface FitOptions {
  /** Share of each class's images that is held out, 0 to 0.9. 0 needs one `C`. Default 0.2. */
  holdOut?: number | undefined;
  /** Seed of the choice of held-out images. Default 0. */
  seed?: number | undefined;
  /** Values of C to try; a larger C is a weaker penalty. Default: 0.001 to 100 in powers of ten. */
  C?: number | readonly number[] | undefined;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Called now and then, to let the host run. */
  pause?: (() => Promise<void>) | undefined;
  /** Called after each fit, with the number of finished fits and of all. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** How a head was fitted, and how good it is. */
export interface FitReport {
  /** The classes, with how many images each gave to training and to the held-out part. */
  readonly labels: readonly { readonly label: string; readonly training: number; readonly heldOut: number }[];
  /** The seed of the split. */
  readonly seed: number;
  /** SHA-256 over the held-out ids, sorted, a line each. */
  readonly split: string;
  /** The result of each C on the held-out part. */
  readonly sweep: readonly { readonly C: number; readonly top1: number; readonly logLoss: number; readonly iterations: number }[];
  /** The strength that was taken. */
  readonly C: number;
  /** The head's result on the held-out part; undefined if nothing was held out. */
  readonly linear: ProbabilityMeasures | undefined;
  /** The same, for the nearest mean of a class. */
  readonly means: Measures | undefined;
  /** The same, for a vote of the `k` nearest neighbours. */
  readonly neighbours: (Measures & { readonly k: number; readonly temperature: number }) | undefined;
  /** Which of the three was right most often; undefined if nothing was held out. */
  readonly best: "linear" | "means" | "neighbours" | undefined;
  /** Held-out images whose first answer is wrong, the surest first; at most 100. */
  readonly mistakes: readonly Mistake[];
}

export interface FitResult {
  /** The linear head, fitted on all labelled rows. */
  readonly head: FittedHead;
  /** The classes, in the order of the head's rows. */
  readonly labels: readonly string[];
  readonly report: FitReport;
}

const STRENGTHS = [0.001, 0.01, 0.1, 1, 10, 100], NEIGHBOURS = 50, TEMPERATURE = 0.07, MOST_HELD_OUT = 0.9;

/**
 * The result depends on the images and their labels, not on their order.
 * @throws IJepaError `input/value` for options that cannot be, fewer than two classes, or an image with two labels; `input/shape`
 */
export async function fitHead(given: readonly LabelledFeature[], options: FitOptions = {}): Promise<FitResult> {
  const { holdOut = 0.2, seed = 0, signal, pause, onProgress } = options, strengths = [options.C ?? STRENGTHS].flat().sort((a, b) => a - b);
  if (!(holdOut >= 0 && holdOut <= MOST_HELD_OUT)) throw wrong("holdOut", holdOut, `a share from 0 to ${MOST_HELD_OUT}`);
  if (!Number.isSafeInteger(seed)) throw wrong("seed", seed, "a whole number");
  if (strengths.length === 0 || !strengths.every((C) => C > 0 && C < Infinity)) throw wrong("C", options.C, "one or more numbers above 0");
  if (holdOut === 0 && strengths.length > 1) throw wrong("C", strengths, "one number where nothing is held out");
  const images = uniqueImages(given), labels = [...new Set(images.map(({ label }) => label))].sort((a, b) => (a < b ? -1 : 1));
  if (labels.length < 2) {
    throw new IJepaError("input/value", `A classifier needs images of two classes or more; there ${labels.length === 1 ? `is only ${JSON.stringify(labels[0])}` : "are none"}.`, { name: "labels", value: labels });
  }
  const heldOut = await chooseHeldOut(images, holdOut, seed), isHeldOut = ({ id }: LabelledFeature) => heldOut.has(id);
  const training = images.filter((image) => !isHeldOut(image)), rest = images.filter(isHeldOut);
  const fit = examplesOf(training, labels, true), plain = examplesOf(training, labels, false), test = examplesOf(rest, labels, false);
  const sweep: { C: number; top1: number; logLoss: number; iterations: number; measures: ProbabilityMeasures; head: FittedHead }[] = [];
  if (rest.length > 0) {
    const regression = new LogisticRegression(fit);
    let start: Float64Array | undefined;
    for (const [i, C] of strengths.entries()) {
      const { head, parameters } = await regression.fit(C, { start, signal, pause }), measures = measureProbabilities(test, (feature) => probabilities(head, feature));
      start = parameters;
      sweep.push({ C, top1: measures.top1, logLoss: measures.logLoss, iterations: head.iterations, measures, head });
      onProgress?.(i + 1, strengths.length + 1);
    }
  }
  const chosen = [...sweep].sort((a, b) => b.top1 - a.top1 || a.logLoss - b.logLoss)[0], C = chosen?.C ?? strengths[0];
  const { head } = await new LogisticRegression(examplesOf(images, labels, true)).fit(C, { signal, pause });
  onProgress?.(strengths.length + 1, strengths.length + 1);
  const k = Math.min(NEIGHBOURS, training.length), linear = chosen?.measures;
  const means = rest.length > 0 ? measure(test, meanCosines(plain)) : undefined;
  const neighbours = rest.length > 0 ? { ...measure(test, neighbourVotes(plain, { k, temperature: TEMPERATURE })), k, temperature: TEMPERATURE } : undefined;
  const best = linear && (["linear", "neighbours", "means"] as const).reduce((a, b) => (({ linear, means, neighbours })[b]!.top1 > ({ linear, means, neighbours })[a]!.top1 ? b : a));
  const mistakes = chosen === undefined ? [] : mistakesOf(rest, labels, (feature) => probabilities(chosen.head, feature));
  const counts = labels.map((label) => ({ label, training: training.filter((image) => image.label === label).length, heldOut: rest.filter((image) => image.label === label).length }));
  const split = await sha256(new TextEncoder().encode([...heldOut].sort().map((id) => `${id}\n`).join("")));
  return { head, labels, report: { labels: counts, seed, split, sweep: sweep.map(({ C: strength, top1, logLoss, iterations }) => ({ C: strength, top1, logLoss, iterations })), C, linear, means, neighbours, best, mistakes } };
}

/** By id, each once. */
function uniqueImages(given: readonly LabelledFeature[]): LabelledFeature[] {
  const images = new Map<string, LabelledFeature>();
  for (const image of given) {
    const { id, label, feature } = image, known = images.get(id);
    if (known !== undefined && known.label !== label) {
      const [first, second] = [known, image].map((one) => `${JSON.stringify(one.label)}${one.source === undefined ? "" : ` at ${one.source}`}`);
      const message = `The image ${id.slice(0, 12)} has two labels: ${first}, and ${second}. Give it one, or leave it out.`;
      throw new IJepaError("input/value", message, { name: "labels", value: [known.label, label] });
    }
    if (feature.length !== given[0].feature.length || !feature.every(Number.isFinite)) {
      throw new IJepaError("input/shape", `The feature of ${id.slice(0, 12)} must be ${given[0].feature.length} finite numbers.`, { name: "feature", expected: `${given[0].feature.length} finite numbers`, actual: [feature.length] });
    }
    // The first copy by name, in any order.
    images.set(id, known === undefined || (image.source ?? "") < (known.source ?? "") ? image : known);
  }
  return [...images.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Holds out a share of each class: at least one image of two, and never all. Images are ordered by the digest of seed and id. */
async function chooseHeldOut(images: readonly LabelledFeature[], share: number, seed: number): Promise<Set<string>> {
  const classes = new Map<string, { id: string; order: string }[]>(), held = new Set<string>();
  if (share === 0) return held;
  for (const { id, label } of images) {
    const one = { id, order: await sha256(new TextEncoder().encode(`${seed} ${id}`)) }, known = classes.get(label);
    if (known === undefined) classes.set(label, [one]);
    else known.push(one);
  }
  for (const members of classes.values()) {
    members.sort((a, b) => (a.order < b.order ? -1 : 1));
    const count = Math.min(members.length - 1, Math.max(1, Math.round(share * members.length)));
    for (const { id } of members.slice(0, count)) held.add(id);
  }
  return held;
}

function examplesOf(images: readonly LabelledFeature[], labels: readonly string[], withViews: boolean): Examples {
  const rows = images.flatMap(({ feature, views = [], label }) => (withViews ? [feature, ...views] : [feature]).map((one) => ({ feature: one, label: labels.indexOf(label) })));
  const width = rows[0]?.feature.length ?? 0, features = new Float32Array(rows.length * width);
  rows.forEach(({ feature }, i) => features.set(feature, i * width));
  return { features, width, labels: Int32Array.from(rows, ({ label }) => label), classes: labels.length };
}

function wrong(name: string, value: unknown, expected: string): IJepaError<"input/value"> {
  return new IJepaError("input/value", `${name} must be ${expected}, not ${JSON.stringify(value)}.`, { name, value });
}
