/** The powers of two between a layer norm and the matrix behind it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { balance, scaleInputs, scaleMoments } from "../../../ts-api/src/quantize/balance.js";
import { gaussArray } from "../../support/random.js";

const COLS = 24;
const INPUTS = 64;
const data = gaussArray("matrix", COLS * INPUTS);

/** Inputs of variance 1, but for these. */
function moments(variances: Record<number, number>, means: Record<number, number> = {}) {
  const mean = new Float32Array(INPUTS), variance = new Float32Array(INPUTS).fill(1);
  for (const [k, value] of Object.entries(variances)) variance[Number(k)] = value;
  for (const [k, value] of Object.entries(means)) mean[Number(k)] = value;
  return { mean, variance };
}

test("ordinary inputs keep their size; one that is 16 times as large gives a root of it to its weights, by variance or by mean", () => {
  const factors = balance(data, COLS, INPUTS, moments({ 5: 256, 9: 1 / 256 }, { 7: 16 }));
  assert.deepEqual([factors[5], factors[7], factors[9]], [4, 4, 0.25]);
  assert.ok(factors.every((factor, k) => [5, 7, 9].includes(k) || factor === 1));
});

test("inputs that are always 0, or whose weights are, keep their size, and no factor is beyond 2^8", () => {
  const matrix = data.slice();
  for (let c = 0; c < COLS; c++) matrix[c * INPUTS + 3] = 0;
  const factors = balance(matrix, COLS, INPUTS, moments({ 2: 0, 4: 2 ** 80, 6: 2 ** -80 }));
  assert.deepEqual([factors[2], factors[3], factors[4], factors[6]], [1, 1, 256, 1 / 256]);
  assert.ok(balance(new Float32Array(COLS * INPUTS), COLS, INPUTS, moments({})).every((factor) => factor === 1));
});

test("products stay what they are, and moments follow their inputs", () => {
  const seen = moments({ 5: 256 }, { 5: 2 }), factors = balance(data, COLS, INPUTS, seen), scaled = scaleInputs(data, INPUTS, factors);
  const x = gaussArray("x", INPUTS);
  for (let c = 0; c < COLS; c++) {
    for (let k = 0; k < INPUTS; k++) assert.equal(scaled[c * INPUTS + k] * Math.fround(x[k] / factors[k]), data[c * INPUTS + k] * x[k]);
  }
  const { mean, variance } = scaleMoments(seen, factors);
  assert.deepEqual([mean[5], variance[5], variance[6]], [0.5, 16, 1]);
});
