/**
 * linear as plain loops: y = activation(x W^T + bias) (+ residual). Twins: assembly/ops/linear/float.ts, assembly/ops/linear/int8.ts, assembly/ops/linear/int4.ts, gpu/ops/linear.wgsl,
 * gpu/ops/linear-codes.wgsl, gpu/ops/linear-int8.wgsl, gpu/ops/linear-int4.wgsl.
 */
import { CODEBOOKS, isCodebook, type CodebookName } from "../../../core/codebooks.js";
import { fromBits, INT8_SCALE_BITS, roundBf16 } from "../../../core/float.js";
import { BLOCK, isInteger, PANEL } from "../../../core/numerics.js";
import { scaleGroups, type LinearCall } from "../../../ops/linear.js";
import { activate } from "../activation.js";
import { views } from "../tensor.js";

const fround = Math.fround;

export function linear(call: LinearCall): void {
  const { rows, cols } = call;
  const bias = views(call.bias).f32, y = views(call.y).f32;
  const residual = call.residual === undefined ? undefined : views(call.residual).f32;
  const sum = isInteger(call.format) ? sumIntegers(call) : sumFloat(call);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const v = activate(call.activation, fround(sum(r, c) + bias[c]));
      y[r * cols + c] = residual === undefined ? v : fround(residual[(r % (call.residualRows ?? rows)) * cols + c] + v);
    }
  }
}

/** fp32, bf16 and codebooks: products over k in order; a product of two bf16 is exact, an fp32 product rounds. */
function sumFloat(call: LinearCall): (r: number, c: number) => number {
  const { inner } = call;
  const x = views(call.x).f32, weights = weightsOf(call);
  return (r, c) => {
    const panel = Math.floor(c / PANEL) * inner * PANEL + (c % PANEL);
    let acc = 0;
    for (let k = 0; k < inner; k++) acc = fround(acc + fround(x[r * inner + k] * weights[panel + k * PANEL]));
    return acc;
  };
}

/** [panels][inner][8]. */
function weightsOf(call: LinearCall): Float32Array {
  const w = views(call.w);
  if (isCodebook(call.format)) return decode(call, call.format);
  return call.format === "bf16" ? Float32Array.from(w.u16, (half) => fromBits(half << 16)) : w.f32;
}

/** nf4 and fp4: bf16(codebook[u] * s). */
function decode(call: LinearCall, format: CodebookName): Float32Array {
  const { inner, group = BLOCK } = call, groups = scaleGroups(call), codebook = CODEBOOKS[format];
  const scales = views(call.scales).f32, code = codeReader(call);
  const weights = new Float32Array(Math.ceil(call.cols / PANEL) * inner * PANEL);
  for (let c = 0; c < call.cols; c++) {
    const panel = Math.floor(c / PANEL), place = c % PANEL;
    for (let k = 0; k < inner; k++) {
      const scale = scales[(panel * groups + Math.floor(k / group)) * PANEL + place];
      weights[(panel * inner + k) * PANEL + place] = roundBf16(fround(codebook[code(c, k)] * scale));
    }
  }
  return weights;
}

/** The four bits of column c and input k. */
function codeReader({ w, inner }: LinearCall): (c: number, k: number) => number {
  const bytes = views(w).u8;
  return (c, k) => {
    const byte = bytes[((Math.floor(c / PANEL) * inner) / 4 + (k >> 2)) * 16 + (c % 4) * 4 + (k % 4)];
    return c % PANEL >= 4 ? byte >> 4 : byte & 15;
  };
}

/** A weight over its scale: int8 as it is stored, int4 with an offset. */
function integerReader(call: LinearCall): (c: number, k: number) => number {
  if (call.format === "int4") {
    const code = codeReader(call);
    return (c, k) => code(c, k) - 8;
  }
  const w = views(call.w).i8;
  return (c, k) => w[((Math.floor(c / PANEL) * call.inner) / 4 + (k >> 2)) * 32 + (c % PANEL) * 4 + (k % 4)];
}

/** int8 and int4: integers inside a block of 32, then one rounding a block, blocks in order. */
function sumIntegers(call: LinearCall): (r: number, c: number) => number {
  const { inner, group = BLOCK } = call, groups = scaleGroups(call), kept = call.format === "int8" ? INT8_SCALE_BITS : -1;
  const x = views(call.x).i8, exponents = views(call.blocks).f32, scales = views(call.scales).u16, weight = integerReader(call);
  const blocks = inner / BLOCK;
  return (r, c) => {
    const panel = Math.floor(c / PANEL);
    let acc = 0;
    for (let block = 0; block < blocks; block++) {
      let d = 0;
      for (let k = block * BLOCK; k < (block + 1) * BLOCK; k++) d += x[r * inner + k] * weight(c, k);
      const bits = scales[(panel * groups + Math.floor((block * BLOCK) / group)) * PANEL + (c % PANEL)] << 16;
      acc = fround(acc + d * fround(fromBits(bits & kept) * exponents[(r * blocks + block) * 2]));
    }
    return acc;
  };
}
