/**
 * Principal components by subspace iteration on the tokens' Gram matrix, in double precision: additions, products, quotients and
 * roots in a fixed order, so that every engine gives the same bits.
 */

export interface Components {
  /** [components][rows]: each row's coordinate along each component, the strongest component first. */
  readonly scores: readonly Float64Array[];
  /** `[components]`: the sum of squares of the scores. */
  readonly energies: readonly number[];
}

/** Additional columns in the iteration; they make it converge. */
const EXTRA = 5;
const ITERATIONS = 60;
/** Sweeps of Jacobi's method; a matrix of 8 x 8 needs about 6. */
const SWEEPS = 12;
/** A column smaller than this share of the largest is only rounding. */
const RELATIVE_ZERO = 1e-10;

/**
 * The directions in which the rows differ most. The sign of a component is chosen so that its largest score is positive.
 *
 * @param rows [count][width], row-major
 * @param wanted number of components; if the rows differ in fewer directions, the scores of the others are 0
 */
export function principalComponents(rows: ArrayLike<number>, count: number, wanted: number): Components {
  const gram = gramMatrix(centred(rows, count), count);
  const size = Math.min(count, wanted + EXTRA);
  let basis = startingBasis(size, count);
  for (let i = 0; i < ITERATIONS; i++) basis = orthonormal(basis.map((column) => times(gram, column)));
  // Rayleigh and Ritz: the best vectors within the basis are those of the small matrix.
  const images = basis.map((column) => times(gram, column));
  const { values, vectors } = symmetricEigen(basis.map((a) => Float64Array.from(images, (b) => dot(a, b))));
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]);
  const scores: Float64Array[] = [], energies: number[] = [];
  for (let component = 0; component < wanted; component++) {
    const index = order[component], energy = Math.max(0, values[index] ?? 0), root = Math.sqrt(energy);
    const score = new Float64Array(count);
    if (index !== undefined) {
      for (let r = 0; r < count; r++) for (let c = 0; c < size; c++) score[r] += basis[c][r] * vectors[index][c];
    }
    const sign = largest(score) < 0 ? -root : root;
    scores.push(score.map((value) => value * sign));
    energies.push(energy);
  }
  return { scores, energies };
}

/** The rows without their mean. */
function centred(rows: ArrayLike<number>, count: number): Float64Array[] {
  const width = rows.length / count, mean = new Float64Array(width);
  for (let r = 0; r < count; r++) for (let c = 0; c < width; c++) mean[c] += rows[r * width + c];
  return Array.from({ length: count }, (_, r) => Float64Array.from(mean, (sum, c) => rows[r * width + c] - sum / count));
}

function gramMatrix(rows: readonly Float64Array[], count: number): Float64Array[] {
  const gram = rows.map(() => new Float64Array(count));
  for (let a = 0; a < count; a++) for (let b = 0; b <= a; b++) gram[a][b] = gram[b][a] = dot(rows[a], rows[b]);
  return gram;
}

/** Columns that no component is likely to be orthogonal to. */
function startingBasis(size: number, count: number): Float64Array[] {
  const hash = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 0) / 2 ** 32 - 0.5;
  return Array.from({ length: size }, (_, column) => Float64Array.from({ length: count }, (__, row) => hash(row * size + column)));
}

/** Gram and Schmidt, modified; what depends on the columns before it becomes 0. */
function orthonormal(columns: Float64Array[]): Float64Array[] {
  const zero = RELATIVE_ZERO * Math.max(...columns.map((column) => Math.sqrt(dot(column, column))));
  columns.forEach((column, i) => {
    for (const earlier of columns.slice(0, i)) {
      const part = dot(column, earlier);
      for (let r = 0; r < column.length; r++) column[r] -= part * earlier[r];
    }
    const norm = Math.sqrt(dot(column, column));
    for (let r = 0; r < column.length; r++) column[r] = norm > zero ? column[r] / norm : 0;
  });
  return columns;
}

/** Jacobi's method. Values and vectors belong together by their index. */
function symmetricEigen(matrix: Float64Array[]): { values: number[]; vectors: Float64Array[] } {
  const size = matrix.length;
  const vectors = matrix.map((_, i) => Float64Array.from({ length: size }, (__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (matrix[p][q] === 0) continue;
        const theta = (matrix[q][q] - matrix[p][p]) / (2 * matrix[p][q]);
        const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const cosine = 1 / Math.sqrt(tangent * tangent + 1), sine = tangent * cosine;
        for (const row of matrix) rotate(row, p, q, cosine, sine);
        rotateRows(matrix, p, q, cosine, sine);
        rotateRows(vectors, p, q, cosine, sine);
      }
    }
  }
  return { values: matrix.map((row, i) => row[i]), vectors };
}

function rotate(row: Float64Array, p: number, q: number, cosine: number, sine: number): void {
  const a = row[p], b = row[q];
  row[p] = cosine * a - sine * b;
  row[q] = sine * a + cosine * b;
}

function rotateRows(rows: Float64Array[], p: number, q: number, cosine: number, sine: number): void {
  const a = rows[p], b = rows[q];
  rows[p] = a.map((value, i) => cosine * value - sine * b[i]);
  rows[q] = a.map((value, i) => sine * value + cosine * b[i]);
}

function times(matrix: readonly Float64Array[], vector: Float64Array): Float64Array {
  return Float64Array.from(matrix, (row) => dot(row, vector));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The entry of the largest magnitude, of equal ones the first. */
function largest(values: Float64Array): number {
  return values.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
}
