/** int8: WebAssembly gives the words of the readable twin, and the chosen scales cost least. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBits } from "../../../ts-api/src/core/float.js";
import { GAIN_WEIGHT, type InputWeights } from "../../../ts-api/src/quantize/candidates.js";
import { quantizeInt8, type Int8Matrix } from "../../../ts-api/src/quantize/int8.js";
import { openQuantizer } from "../../../ts-api/src/quantize/quantizer.js";
import { gaussArray, hash } from "../../support/random.js";

const COLS = 11;
const INPUTS = 150;
const INNER = 160;
const BLOCKS = INNER / 32;
const data = gaussArray("matrix", COLS * INPUTS);
const weights: InputWeights = { importance: gaussArray("importance", INNER).map((v) => v * v), mean: gaussArray("mean", INNER) };
const { int8: quantizer, int4 } = await openQuantizer();

/** A matrix with blocks of zeros, of one value, of ties, of tiny, huge and subnormal values. */
function edges(): Float32Array {
  const matrix = data.slice(), scales = [0, 1e-30, 2 ** -49, 1e-45, 1e30, 3e38, 2 ** -126];
  scales.forEach((scale, row) => {
    for (let k = 0; k < INPUTS; k++) matrix[row * INPUTS + k] = ((hash(row, k) % 17) - 8) * scale * (scale > 1e31 ? 0.1 : 1);
  });
  matrix.fill(0.25, 8 * INPUTS, 9 * INPUTS);
  return matrix;
}

function valueAt({ codes, scales }: Int8Matrix, c: number, k: number): number {
  return codes[c * INNER + k] * fromBits(scales[c * BLOCKS + Math.floor(k / 32)] << 16);
}

/** What the quantizer minimizes, in f64: of one block, with these values in the place of the weights. */
function costOf(c: number, first: number, end: number, values: (k: number) => number): number {
  let error = 0, lost = 0, norm = 0;
  for (let k = first; k < end; k++) {
    const w = data[c * INPUTS + k], v = weights.importance[k], d = w - values(k);
    error += v * d * d;
    lost += v * w * d;
    norm += v * w * w;
  }
  return error + (GAIN_WEIGHT * lost * lost) / norm;
}

test("WebAssembly gives the words of the readable twin, also after int4 used its memory", () => {
  for (const [name, matrix] of [["plain", data], ["edges", edges()]] as const) {
    for (const known of [weights, undefined]) {
      int4(matrix, COLS, INPUTS, 64, known);
      assert.deepEqual(quantizer(matrix, COLS, INPUTS, known), quantizeInt8(matrix, COLS, INPUTS, known), name);
    }
  }
});

test("no block is dearer than rounded to nearest at full range, and in all it is cheaper", () => {
  const quantized = quantizeInt8(data, COLS, INPUTS, weights);
  let ours = 0, plain = 0;
  for (let c = 0; c < COLS; c++) {
    for (let first = 0; first < INPUTS; first += 32) {
      const end = Math.min(INPUTS, first + 32), block = data.subarray(c * INPUTS + first, c * INPUTS + end);
      const exact = Math.max(...block.map(Math.abs)) / 127, unit = 2 ** (Math.floor(Math.log2(exact)) - 4), scale = Math.ceil(exact / unit) * unit;
      const cost = costOf(c, first, end, (k) => valueAt(quantized, c, k)), other = costOf(c, first, end, (k) => Math.round(data[c * INPUTS + k] / scale) * scale);
      assert.ok(cost <= other * 1.0001, `column ${c}, inputs from ${first}: ${cost}, to nearest ${other}`);
      ours += cost;
      plain += other;
    }
  }
  assert.ok(ours < 0.85 * plain, `${ours} against ${plain}`);
});

test("scales have 5 significant bits, codes are -127 ... 127", () => {
  for (const matrix of [data, edges()]) {
    const { scales, codes } = quantizeInt8(matrix, COLS, INPUTS, weights);
    assert.ok(scales.every((bits) => (bits & 7) === 0));
    assert.ok(codes.every((code) => code >= -127));
  }
});

test("the shift is the expected output that rounding takes away", () => {
  const quantized = quantizeInt8(data, COLS, INPUTS, weights);
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

test("padding, zeros and what is too small to matter are 0", () => {
  const { codes, scales, shift } = quantizeInt8(edges(), COLS, INPUTS, weights);
  for (let c = 0; c < COLS; c++) assert.ok(codes.subarray(c * INNER + INPUTS, (c + 1) * INNER).every((code) => code === 0));
  for (const row of [0, 1, 3]) {
    assert.ok(codes.subarray(row * INNER, (row + 1) * INNER).every((code) => code === 0));
    assert.ok(scales.subarray(row * BLOCKS, (row + 1) * BLOCKS).every((scale) => scale === 0));
  }
  assert.equal(shift[0], 0);
});
