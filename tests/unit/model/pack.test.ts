import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBits, roundBf16 } from "../../../ts-api/src/core/float.js";
import { packMatrix } from "../../../ts-api/src/weights/pack.js";
import { dequantize, quantizeGroup } from "../../../ts-api/src/weights/quantize/int4.js";
import { gaussArray } from "../../support/random.js";

const COLS = 11;
const INPUTS = 70;
const INNER = 96;
const data = gaussArray("matrix", COLS * INPUTS);

test("fp32 and bf16 panels hold every value once, zeros elsewhere", () => {
  const fp32 = packMatrix("w", "fp32", data, COLS, INPUTS), bf16 = packMatrix("w", "bf16", data, COLS, INPUTS);
  assert.deepEqual([fp32.inner, fp32.w.dims], [INNER, [2, INNER, 8]]);
  const words = new Float32Array(fp32.w.bytes.buffer), halves = new Uint16Array(bf16.w.bytes.buffer);
  for (let c = 0; c < 16; c++) {
    for (let k = 0; k < INNER; k++) {
      const at = (Math.floor(c / 8) * INNER + k) * 8 + (c % 8);
      const value = c < COLS && k < INPUTS ? data[c * INPUTS + k] : 0;
      assert.equal(words[at], value);
      assert.equal(fromBits(halves[at] << 16), roundBf16(value));
    }
  }
});

test("int4 panels: every weight within half a step of its value, padding is zero", () => {
  const { w, scales, inner } = packMatrix("w", "int4", data, COLS, INPUTS);
  assert.equal(inner, INNER);
  const bits = new Uint16Array(scales!.bytes.buffer);
  for (let c = 0; c < 16; c++) {
    for (let k = 0; k < INNER; k++) {
      const panel = Math.floor(c / 8), byte = w.bytes[((panel * INNER) / 4 + (k >> 2)) * 16 + (c % 4) * 4 + (k % 4)];
      const scale = bits[(panel * 3 + (k >> 5)) * 8 + (c % 8)];
      const code = c % 8 >= 4 ? byte >> 4 : byte & 15;
      if (c >= COLS || k >= INPUTS) assert.ok(dequantize(code, scale) === 0);
      else {
        const step = Math.abs(fromBits(scale << 16)), error = Math.abs(dequantize(code, scale) - data[c * INPUTS + k]);
        // The scale itself is rounded to 8 bits, and the top of the far side is clamped to 7 steps.
        assert.ok(error <= step * 1.04, `column ${c}, input ${k}: off by ${error / step} steps`);
      }
    }
  }
});

test("a group of zeros, and one of values too small to matter, is zero", () => {
  const codes = new Uint8Array(32);
  assert.equal(quantizeGroup(new Float32Array(32), 0, 32, codes), 0);
  assert.ok(codes.every((code) => code === 8));
  assert.equal(quantizeGroup(new Float32Array(32).fill(1e-30), 0, 32, codes), 0);
});

test("the largest magnitude is kept to bf16, with either sign", () => {
  for (const extreme of [3, -3]) {
    const group = new Float32Array(32).fill(0.1), codes = new Uint8Array(32);
    group[9] = extreme;
    const scale = quantizeGroup(group, 0, 32, codes);
    assert.equal(codes[9], 0);
    assert.equal(dequantize(codes[9], scale), extreme);
  }
});
