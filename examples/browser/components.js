/** The directions in which features differ most, and colours from them. */

/** Iterations of a beginning, and of each frame after it. */
const FIRST_ROUNDS = 30, NEXT_ROUNDS = 2;
/** A score this many standard deviations away has the full colour. */
const FULL_COLOUR = 2;

/**
 * Principal axes by subspace iteration: each round turns the axes towards the strongest.
 *
 * @param rows without their mean
 * @param axes of length 1, at right angles, as an earlier call gave them or `startOf`
 */
export function turned(axes, rows, rounds) {
  for (let round = 0; round < rounds; round++) {
    const next = axes.map((axis) => {
      const sum = new Float64Array(axis.length);
      for (const row of rows) for (let c = 0, score = dot(row, axis); c < sum.length; c++) sum[c] += score * row[c];
      return sum;
    });
    axes = next.map((axis, i) => {
      for (const earlier of next.slice(0, i)) for (let c = 0, part = dot(axis, earlier); c < axis.length; c++) axis[c] -= part * earlier[c];
      const length = Math.sqrt(dot(axis, axis)) || 1;
      for (let c = 0; c < axis.length; c++) axis[c] /= length;
      return axis;
    });
  }
  return axes;
}

/** The strongest axes of rows without their mean. */
export function axesOf(rows, count) {
  const width = rows[0]?.length ?? 0;
  return turned(Array.from({ length: count }, (_, axis) => Float64Array.from({ length: width }, (_, c) => Math.sin(1 + c * (axis + 1)))), rows, FIRST_ROUNDS);
}

/** The rows without their mean. @param data [count][width], row by row */
export function centred(data, count) {
  const width = data.length / count, mean = new Float64Array(width);
  for (let i = 0; i < data.length; i++) mean[i % width] += data[i] / count;
  return Array.from({ length: count }, (_, r) => Float64Array.from(mean, (average, c) => data[r * width + c] - average));
}

/** Colours of a film: the axes of a frame begin as those of the frame before it, so that colours change only as fast as the picture. */
export function createFilmColours() {
  let axes;
  /** @param data features [tokens][width] @returns RGB bytes, a pixel for each token */
  return (data, tokens) => {
    const rows = centred(data, tokens);
    axes = axes === undefined || axes[0].length !== rows[0].length ? axesOf(rows, 3) : turned(axes, rows, NEXT_ROUNDS);
    const colours = new Uint8ClampedArray(tokens * 3);
    axes.forEach((axis, channel) => {
      const scores = rows.map((row) => dot(row, axis)), deviation = Math.sqrt(scores.reduce((sum, score) => sum + score * score, 0) / tokens) || 1;
      scores.forEach((score, t) => (colours[t * 3 + channel] = 255 * (0.5 + score / (2 * FULL_COLOUR * deviation))));
    });
    return colours;
  };
}

export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
