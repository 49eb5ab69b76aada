/** What a head gets wrong, image by image. */

/** An image of the held-out part whose first answer is wrong. */
export interface Mistake {
  /** SHA-256 of the file's bytes, in hex. */
  readonly id: string;
  /** Its place; undefined if unknown. */
  readonly source: string | undefined;
  /** Its own label. */
  readonly label: string;
  /** The label that it was given. */
  readonly answer: string;
  /** Of the answer. */
  readonly probability: number;
}

const MOST = 100;

/** The surest first, ties by id; at most 100. */
export function mistakesOf(
  images: readonly { readonly id: string; readonly source?: string | undefined; readonly label: string; readonly feature: Float32Array }[],
  labels: readonly string[],
  probabilitiesOf: (feature: Float32Array) => Float64Array,
): Mistake[] {
  const mistakes = images.flatMap(({ id, source, label, feature }): Mistake[] => {
    const probabilities = probabilitiesOf(feature), probability = probabilities.reduce((most, one) => Math.max(most, one), 0), answer = labels[probabilities.indexOf(probability)];
    return answer === label ? [] : [{ id, source, label, answer, probability }];
  });
  return mistakes.sort((a, b) => b.probability - a.probability || (a.id < b.id ? -1 : 1)).slice(0, MOST);
}
