/** attention as plain loops: softmax(q k^T scale) v. Twins: assembly/ops/attention.ts, gpu/ops/attention.wgsl. */
import { bound, roundBf16 } from "../../../core/float.js";
import { attentionScale, type AttentionCall } from "../../../ops/attention.js";
import { exp, laneSum, MASKED_SCORE, reciprocal } from "../math.js";
import { views } from "../tensor.js";

const fround = Math.fround;

export function attention(call: AttentionCall): void {
  const { batch, tokens, heads, headDim } = call;
  const hidden = heads * headDim, scale = attentionScale(headDim);
  const enter = call.format === "bf16" ? roundBf16 : bound;
  const source = views(call.x).f32, y = views(call.y).f32;
  const headMask = call.headMask && views(call.headMask).f32, attentionMask = call.attentionMask && views(call.attentionMask).i32;
  const probabilities = call.probabilities && views(call.probabilities).f32;
  for (let unit = 0; unit < batch * heads; unit++) {
    // 1. q, k and v of one head
    const image = Math.floor(unit / heads) * tokens, head = (unit % heads) * headDim;
    const part = (which: number) =>
      Float32Array.from({ length: tokens * headDim }, (_, i) =>
        enter(source[((image + Math.floor(i / headDim)) * 3 + which) * hidden + head + (i % headDim)]),
      );
    const q = part(0), k = part(1), v = part(2);
    const p = new Float32Array(tokens);
    for (let i = 0; i < tokens; i++) {
      // 2. scores against all keys
      for (let j = 0; j < tokens; j++) {
        let s = 0;
        for (let d = 0; d < headDim; d++) s = fround(s + fround(q[i * headDim + d] * k[j * headDim + d]));
        p[j] = attentionMask?.[image + j] === 0 ? MASKED_SCORE : s;
      }
      // 3. softmax
      softmax(p, scale);
      const mask = bound(headMask === undefined ? 1 : headMask[unit % heads]);
      for (let j = 0; j < tokens; j++) p[j] = enter(fround(p[j] * mask));
      probabilities?.set(p, (unit * tokens + i) * tokens);
      // 4. mix the values
      for (let d = 0; d < headDim; d++) {
        let acc = 0;
        for (let j = 0; j < tokens; j++) acc = fround(acc + fround(p[j] * v[j * headDim + d]));
        y[(image + i) * hidden + head + d] = acc;
      }
    }
  }
}

/** p = softmax(p * scale), in place. */
function softmax(p: Float32Array, scale: number): void {
  const count = p.length;
  // 1. scale, and the largest score
  for (let j = 0; j < count; j++) p[j] *= scale;
  const top = p.reduce((a, b) => Math.max(a, b));
  // 2. exponentials and their sum
  for (let j = 0; j < count; j++) p[j] = exp(fround(p[j] - top));
  const inverse = reciprocal(laneSum(count, (j) => p[j]));
  // 3. probabilities
  for (let j = 0; j < count; j++) p[j] *= inverse;
}
