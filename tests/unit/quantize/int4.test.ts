/** int4: WebAssembly gives the words of the readable twin, and the chosen scales cost least. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBits, roundBf16 } from "../../../ts-api/src/core/float.js";
import { GROUPS } from "../../../ts-api/src/core/numerics.js";
import { GAIN_WEIGHT, type InputWeights } from "../../../ts-api/src/quantize/candidates.js";
import { dequantize, quantizeInt4, type Int4Matrix } from "../../../ts-api/src/quantize/int4.js";
import { openQuantizer } from "../../../ts-api/src/quantize/quantizer.js";
import { gaussArray, hash } from "../../support/random.js";

const COLS = 11;
const INPUTS = 150;
const INNER = 160;
const data = gaussArray("matrix", COLS * INPUTS);
const weights: InputWeights = { importance: gaussArray("importance", INNER).map((v) => v * v), mean: gaussArray("mean", INNER) };
const { int4: quantizer } = await openQuantizer();

/** A matrix with groups of zeros, of one value, of ties, of tiny, huge and subnormal values. */
function edges(): Float32Array {
  const matrix = data.slice(), scales = [0, 1e-30, 2 ** -49, 1e-45, 1e30, 3e38, 2 ** -126];
  scales.forEach((scale, row) => {
    for (let k = 0; k < INPUTS; k++) matrix[row * INPUTS + k] = ((hash(row, k) % 17) - 8) * scale * (scale > 1e31 ? 0.1 : 1);
  });
  matrix.fill(0.25, 8 * INPUTS, 9 * INPUTS);
  return matrix;
}

function valueAt({ codes, scales, group }: Int4Matrix, c: number, k: number): number {
  return dequantize(codes[c * INNER + k], scales[c * Math.ceil(INNER / group) + Math.floor(k / group)]);
}

/** What the quantizer minimizes, in f64: of one group, with these values in the place of the weights. */
function costOf(matrix: Float32Array, c: number, first: number, end: number, values: (k: number) => number): number {
  let error = 0, lost = 0, norm = 0;
  for (let k = first; k < end; k++) {
    const w = matrix[c * INPUTS + k], v = weights.importance[k], d = w - values(k);
    error += v * d * d;
    lost += v * w * d;
    norm += v * w * w;
  }
  return error + (GAIN_WEIGHT * lost * lost) / norm;
}

for (const group of GROUPS) {
  test(`WebAssembly gives the words of the readable twin, groups of ${group}`, () => {
    for (const [name, matrix] of [["plain", data], ["edges", edges()]] as const) {
      for (const known of [weights, undefined]) {
        assert.deepEqual(quantizer(matrix, COLS, INPUTS, group, known), quantizeInt4(matrix, COLS, INPUTS, group, known), `${name}, groups of ${group}`);
      }
    }
  });

  test(`no group is dearer than rounded to nearest at full range, and in all it is much cheaper, groups of ${group}`, () => {
    const quantized = quantizeInt4(data, COLS, INPUTS, group, weights);
    let ours = 0, plain = 0;
    for (let c = 0; c < COLS; c++) {
      for (let first = 0; first < INPUTS; first += group) {
        const end = Math.min(INPUTS, first + group);
        const extreme = data.subarray(c * INPUTS + first, c * INPUTS + end).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
        const scale = roundBf16(extreme / -8), nearest = (k: number) => Math.max(-8, Math.min(7, Math.round(data[c * INPUTS + k] / scale))) * scale;
        const cost = costOf(data, c, first, end, (k) => valueAt(quantized, c, k)), other = costOf(data, c, first, end, nearest);
        assert.ok(cost <= other * 1.0001, `column ${c}, inputs from ${first}: ${cost}, to nearest ${other}`);
        ours += cost;
        plain += other;
      }
    }
    assert.ok(ours < 0.85 * plain, `${ours} against ${plain}`);
  });
}

test("the shift is the expected output that rounding takes away", () => {
  const quantized = quantizeInt4(data, COLS, INPUTS, 32, weights);
  for (let c = 0; c < COLS; c++) {
    let expected = 0, size = 0;
    for (let k = 0; k < INPUTS; k++) {
      const term = (data[c * INPUTS + k] - valueAt(quantized, c, k)) * weights.mean[k];
      expected += term;
      size += Math.abs(term);
    }
    assert.ok(Math.abs(quantized.shift[c] - expected) < 1e-6 * size);
  }
});

test("padding, zeros and what is too small to matter are code 8", () => {
  const { codes, scales, shift } = quantizeInt4(edges(), COLS, INPUTS, 32, weights);
  for (let c = 0; c < COLS; c++) assert.ok(codes.subarray(c * INNER + INPUTS, (c + 1) * INNER).every((code) => code === 8));
  for (const row of [0, 1, 3]) {
    assert.ok(codes.subarray(row * INNER, (row + 1) * INNER).every((code) => code === 8));
    assert.ok(scales.subarray(row * 5, (row + 1) * 5).every((scale) => scale === 0));
  }
  assert.equal(shift[0], 0);
});

test("inputs that count nothing do not move the scale", () => {
  const importance = new Float32Array(INPUTS).fill(1), matrix = new Float32Array(INPUTS).fill(0.5);
  matrix[3] = 0.53;
  importance[3] = 0;
  const { scales, codes } = quantizeInt4(matrix, 1, INPUTS, 32, { importance, mean: new Float32Array(INPUTS) });
  const error = Math.abs(dequantize(codes[0], scales[0]) - 0.5);
  assert.ok(error < 0.5 * Math.abs(fromBits(scales[0] << 16)) * 0.1, `${error}`);
});
