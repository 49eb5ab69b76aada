/**
 * quantize-rows as plain loops: activations to the operand of a linear. Twins: assembly/ops/quantize-rows.ts,
 * gpu/ops/quantize-rows.wgsl.
 */
import { bitsOf, bound, fromBits, MIN_BITS, roundBf16 } from "../../../core/float.js";
import { BLOCK } from "../../../core/numerics.js";
import type { QuantizeRowsCall } from "../../../ops/quantize-rows.js";
import { roundToInt } from "../math.js";
import { views } from "../tensor.js";

const fround = Math.fround;

export function quantizeRows(call: QuantizeRowsCall): void {
  const { rows, cols, inner } = call;
  const x = views(call.x).f32;
  const value = (r: number, k: number) => (k < cols ? bound(x[r * cols + k]) : 0);
  if (call.format === "int8") return quantizeInt8(call, value);
  const y = views(call.y).f32;
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < inner; k++) {
      const v = value(r, k);
      if (call.format === "fp32") y[r * inner + k] = v;
      else if (call.format === "bf16") y[r * inner + k] = roundBf16(v);
      else {
        const high = roundBf16(v);
        y[r * 2 * inner + k] = high;
        y[(r * 2 + 1) * inner + k] = roundBf16(fround(v - high));
      }
    }
  }
}

function quantizeInt8(call: QuantizeRowsCall, value: (r: number, k: number) => number): void {
  const { rows, inner } = call;
  const y = views(call.y).i8, blocks = views(call.blocks).i32;
  for (let r = 0; r < rows; r++) {
    for (let block = 0; block < inner / BLOCK; block++) {
      // 1. 32 values, bounded
      const values = Array.from({ length: BLOCK }, (_, i) => value(r, block * BLOCK + i));
      // 2. the exponent, from the bits of the largest magnitude
      const largest = values.reduce((m, v) => Math.max(m, bitsOf(v) & 0x7fffffff), MIN_BITS);
      const exponent = ((largest + 0x10000) >> 23) - 133;
      const inverse = fromBits((127 - exponent) << 23);
      // 3. round to int8
      const pair = [0, 0];
      values.forEach((v, i) => {
        const q = roundToInt(fround(v * inverse));
        y[r * inner + block * BLOCK + i] = q;
        pair[(i % 4) >> 1] -= 8 * q;
      });
      // 4. 2^e, and the correction for the offset 8 of the weights
      const at = (r * (inner / BLOCK) + block) * 2;
      blocks[at] = (127 + exponent) << 23;
      blocks[at + 1] = (pair[0] & 0xffff) | (pair[1] << 16);
    }
  }
}
