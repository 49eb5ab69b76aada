/** Principal components, beside known axes and the defining equations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { principalComponents } from "../../../ts-api/src/visualize/components.js";

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
const dot = (a: Float64Array, b: Float64Array) => sum(a.map((value, i) => value * b[i]));
const close = (a: number, b: number, bound = 1e-9) => assert.ok(Math.abs(a - b) <= bound * Math.max(1, Math.abs(b)), `${a}, not ${b}`);

/** [count][width] numbers between -1 and 1 that look random. */
function noise(count: number, width: number): Float64Array {
  let state = 12345;
  return Float64Array.from({ length: count * width }, () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 31 - 1);
}

test("points on three axes: the axes, strongest first, with the largest score positive", () => {
  // Mean 0; the axes have energies 2 * 9, 2 * 4 and 2 * 1.
  const points = [[3, 0, 0], [-3, 0, 0], [0, -2, 0], [0, 2, 0], [0, 0, 1], [0, 0, -1]];
  const { scores, energies } = principalComponents(points.flat(), 6, 3);
  [18, 8, 2].forEach((energy, i) => close(energies[i], energy));
  const expected = [[3, -3, 0, 0, 0, 0], [0, 0, -2, 2, 0, 0], [0, 0, 0, 0, 1, -1]];
  for (const [i, axis] of expected.entries()) {
    const sign = Math.sign(scores[i][axis.findIndex((value) => value !== 0)] * axis.find((value) => value !== 0)!);
    axis.forEach((value, row) => close(scores[i][row], sign * value));
    const largest = scores[i].reduce((best, value) => (Math.abs(value) > Math.abs(best) + 1e-9 ? value : best), 0);
    assert.ok(largest > 0);
  }
});

test("a mean that is far away changes nothing; rows that are all the same have no components", () => {
  const rows = noise(20, 7), moved = rows.map((value, i) => value + 100 * (i % 7));
  const a = principalComponents(rows, 20, 3), b = principalComponents(moved, 20, 3);
  a.scores.forEach((score, i) => score.forEach((value, row) => close(b.scores[i][row], value, 1e-8)));
  const { scores, energies } = principalComponents(new Float64Array(60).fill(7), 20, 3);
  assert.deepEqual([energies, sum(scores.flatMap((score) => [...score]))], [[0, 0, 0], 0]);
});

test("random rows: orthogonal scores, energies as the eigenvalues of the covariance, the defining equation", () => {
  const count = 64, width = 24, rows = noise(count, width);
  const { scores, energies } = principalComponents(rows, count, 3);
  const means = Array.from({ length: width }, (_, c) => sum(Array.from({ length: count }, (__, r) => rows[r * width + c])) / count);
  for (const [i, score] of scores.entries()) {
    close(dot(score, score), energies[i]);
    close(sum(score), 0, 1e-7);
    for (let j = 0; j < i; j++) close(dot(score, scores[j]), 0, 1e-6);
    // The direction is the rows weighted by the scores; the rows projected on it give the scores again.
    const direction = Float64Array.from({ length: width }, (_, c) => sum(score.map((value, r) => (value * (rows[r * width + c] - means[c])) / energies[i])));
    close(dot(direction, direction), 1, 1e-6);
    score.forEach((value, r) => close(dot(direction, Float64Array.from(means, (mean, c) => rows[r * width + c] - mean)), value, 1e-4));
  }
  assert.ok(energies[0] > energies[1] && energies[1] > energies[2] && energies[2] > 0);
});

test("fewer rows than components", () => {
  const { scores, energies } = principalComponents([1, 2, 3, 4], 2, 3);
  close(energies[0], 4);
  assert.deepEqual([scores.length, scores[2].length, energies[2]], [3, 2, 0]);
});
