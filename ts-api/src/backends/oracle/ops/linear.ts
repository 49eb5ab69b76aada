/** Twins: assembly/ops/linear/float.ts, assembly/ops/linear/int4.ts, gpu/ops/linear.wgsl, gpu/ops/linear-int4.wgsl. */
import { BLOCK, PANEL } from "../../../core/numerics.js";
import type { LinearCall } from "../../../ops/linear.js";
import { activate } from "../activation.js";
import { fromBits } from "../../../core/float.js";
import { views } from "../tensor.js";

const fround = Math.fround;

export function linear(call: LinearCall): void {
  const { rows, cols } = call;
  const bias = views(call.bias).f32, y = views(call.y).f32;
  const residual = call.residual === undefined ? undefined : views(call.residual).f32;
  const sum = call.format === "int4" ? sumInt4(call) : sumFloat(call);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const v = activate(call.activation, fround(sum(r, c) + bias[c]));
      y[r * cols + c] = residual === undefined ? v : fround(residual[(r % (call.residualRows ?? rows)) * cols + c] + v);
    }
  }
}

/** fp32 and bf16: products over k in order; a bf16 product is exact, an fp32 product rounds. */
function sumFloat(call: LinearCall): (r: number, c: number) => number {
  const { inner } = call;
  const x = views(call.x).f32, w = views(call.w);
  const weights = call.format === "bf16" ? Float32Array.from(w.u16, (half) => fromBits(half << 16)) : w.f32;
  return (r, c) => {
    const panel = Math.floor(c / PANEL) * inner * PANEL + (c % PANEL);
    let acc = 0;
    for (let k = 0; k < inner; k++) acc = fround(acc + fround(x[r * inner + k] * weights[panel + k * PANEL]));
    return acc;
  };
}

/** int4: integers inside a block of 32, then one rounding a block, blocks in order. */
function sumInt4(call: LinearCall): (r: number, c: number) => number {
  const { inner } = call;
  const x = views(call.x).i8, blocks = views(call.blocks), w = views(call.w).u8, scales = views(call.scales).u16;
  const groups = inner / BLOCK;
  return (r, c) => {
    const panel = Math.floor(c / PANEL), lane = c % 4, high = c % PANEL >= 4;
    let acc = 0;
    for (let block = 0; block < groups; block++) {
      let d = 0;
      for (let k = block * BLOCK; k < (block + 1) * BLOCK; k++) {
        const byte = w[((panel * inner) / 4 + (k >> 2)) * 16 + lane * 4 + (k % 4)];
        d += x[r * inner + k] * ((high ? byte >> 4 : byte & 15) - 8);
      }
      const scale = fromBits(scales[(panel * groups + block) * PANEL + (c % PANEL)] << 16);
      acc = fround(acc + d * fround(scale * blocks.f32[(r * groups + block) * 2]));
    }
    return acc;
  };
}
