/** Packed panels of every dtype hold the quantized weights, with zeros elsewhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CODEBOOKS } from "../../../ts-api/src/core/codebooks.js";
import { fromBits, roundBf16 } from "../../../ts-api/src/core/float.js";
import { packCodes, packMatrix, type Matrix, type PackedBuffer } from "../../../ts-api/src/packing/pack.js";
import { decode, encode } from "../../../ts-api/src/quantize/bitsandbytes.js";
import { dequantize, quantizeInt4 } from "../../../ts-api/src/quantize/int4.js";
import { quantizeInt8 } from "../../../ts-api/src/quantize/int8.js";
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

test("int8 panels: codes and scales as quantized, zeros elsewhere", () => {
  const { w, scales, inner, group } = packMatrix("w", "int8", data, COLS, INPUTS), quantized = quantizeInt8(data, COLS, INPUTS);
  assert.deepEqual([inner, group, w.type, w.dims, scales!.dims], [INNER, undefined, "i8", [2, INNER / 4, 32], [2, 3, 8]]);
  const codes = new Int8Array(w.bytes.buffer), bits = new Uint16Array(scales!.bytes.buffer);
  for (let c = 0; c < 16; c++) {
    const panel = Math.floor(c / 8), place = c % 8;
    for (let k = 0; k < INNER; k++) {
      assert.equal(codes[((panel * INNER) / 4 + (k >> 2)) * 32 + place * 4 + (k % 4)], c < COLS ? quantized.codes[c * INNER + k] : 0);
      assert.equal(bits[(panel * 3 + (k >> 5)) * 8 + place], c < COLS ? quantized.scales[c * 3 + (k >> 5)] : 0);
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
        // The largest weight may be cut where that makes the others better.
        assert.ok(error <= step * 1.8, `column ${c}, input ${k}: off by ${error / step} steps`);
      }
    }
  }
});

test("int4 with groups of 64: one scale for two blocks, codes as quantized", () => {
  const { w, scales, group } = packMatrix("w", "int4", data, COLS, INPUTS, 64), quantized = quantizeInt4(data, COLS, INPUTS, 64);
  assert.deepEqual([group, scales!.dims], [64, [2, 2, 8]]);
  const bits = new Uint16Array(scales!.bytes.buffer);
  for (let c = 0; c < COLS; c++) {
    for (const g of [0, 1]) assert.equal(bits[(Math.floor(c / 8) * 2 + g) * 8 + (c % 8)], quantized.scales[c * 2 + g]);
    for (let k = 0; k < INPUTS; k++) assert.equal(codeAt(w.bytes, c, k), quantized.codes[c * INNER + k]);
  }
});

/** The code of column c and input k in panels of INNER inputs. */
function codeAt(w: Uint8Array, c: number, k: number): number {
  const byte = w[((Math.floor(c / 8) * INNER) / 4 + (k >> 2)) * 16 + (c % 4) * 4 + (k % 4)];
  return c % 8 >= 4 ? byte >> 4 : byte & 15;
}

test("nf4 and fp4: groups of 64 or 32 where blocks of the flattened matrix allow it, else the decoded weights in bf16", () => {
  for (const [inputs, group] of [[128, 64], [96, 32], [70, undefined], [48, undefined]] as const) {
    const weights = gaussArray("codes", COLS * inputs), matrix = packMatrix("w", "nf4", weights, COLS, inputs);
    assert.deepEqual([matrix.format, matrix.group], group === undefined ? ["bf16", undefined] : ["nf4", group]);
    assert.deepEqual(decoded(matrix, inputs), decode(encode("nf4", weights)).map(roundBf16));
  }
});

test("nf4: query, key and value stay three matrices, each with blocks and scales of its own", () => {
  const parts = [1, 2, 3].map((scale) => encode("nf4", gaussArray("part", 8 * 96, scale)));
  const stacked = packCodes("w", parts, 24, 96);
  assert.equal(stacked.format, "nf4");
  assert.deepEqual(decoded(stacked, 96), Float32Array.from(parts.flatMap((part) => [...decode(part)])).map(roundBf16));
});

test("nf4: a scale beyond the contract's limit is decoded, so that the weights are bounded and not the scale", () => {
  const huge = { ...encode("nf4", gaussArray("huge", 8 * 64)), absmax: new Float32Array(8).fill(2 ** 52) };
  const matrix = packCodes("w", [huge], 8, 64);
  assert.equal(matrix.format, "bf16");
  assert.deepEqual(decoded(matrix, 64), decode(huge).map(roundBf16));
});

/** [cols][inputs]: what the kernels multiply with. */
function decoded({ format, cols, inner, group, w, scales }: Matrix<PackedBuffer>, inputs: number): Float32Array {
  const halves = new Uint16Array(w.bytes.buffer), steps = new Float32Array(scales?.bytes.buffer ?? new ArrayBuffer(0));
  return Float32Array.from({ length: cols * inputs }, (_, i) => {
    const c = Math.floor(i / inputs), k = i % inputs, panel = Math.floor(c / 8);
    if (format === "bf16") return fromBits(halves[(panel * inner + k) * 8 + (c % 8)] << 16);
    const byte = w.bytes[((panel * inner) / 4 + (k >> 2)) * 16 + (c % 4) * 4 + (k % 4)];
    const scale = steps[(panel * (inner / group!) + Math.floor(k / group!)) * 8 + (c % 8)];
    return roundBf16(Math.fround(CODEBOOKS.nf4[c % 8 >= 4 ? byte >> 4 : byte & 15] * scale));
  });
}
