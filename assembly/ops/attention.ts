/**
 * attention: softmax(q k^T * scale) v, head by head.
 *
 *   s[i][j] = scale * sum_d q[i][d] k[j][d];  p = softmax of each row;  y[i][d] = sum_j p[i][j] v[j][d]
 *
 * x [batch][tokens][3][heads][headDim] f32 (q, k, v side by side); y [batch][tokens][heads][headDim]. q, k, v and p enter
 * their products bounded (fp32) or rounded to bf16 (bf16). `scale` = f32(1 / sqrt(headDim)). headMask [heads] multiplies p;
 * attentionMask [batch][tokens] u32: a key whose word is 0 has MASKED_SCORE in place of its sum;
 * probabilities [batch][heads][tokens][tokens] receives p as it enters its product. Address 0: none.
 * Order: d in order, j in order, from +0; the softmax sum in pinned lanes. Exact class: fp32 pinned, bf16 exact products,
 * softmax pinned. Units begin ... end - 1, unit = b * heads + h. No tokens x tokens array: one tile of rows at a time.
 * scratch f32: q tiles [ceil(tokens / R)][headDim][R], k panels [ceil(tokens / 8)][headDim][8], v panels
 * [ceil(headDim / 8)][tokens][8], p [R][stride], p as a tile [stride][R], out [R][8]; R = 6 or 4 rows, stride = tokens rounded up to 32.
 * Twins: ts-api/src/backends/oracle/ops/attention.ts, gpu/ops/attention.wgsl.
 */
import { laneSum } from "../lib/lanes";
import { bound, exp, reciprocal, roundBf16 } from "../lib/math";
import { clear, copyRow } from "../lib/rows";
import { packRows } from "../lib/pack-rows";
import { EXACT_ROWS, PINNED_ROWS, tileExact, tilePinned } from "../lib/tile-f32";

const FP32: i32 = 0;
const BF16: i32 = 1;
/** Before it is scaled: -2^127, below every sum. */
const MASKED_SCORE: f32 = -1.7014118346046923e38;

export function attention_fp32(
  x: usize, headMask: usize, attentionMask: usize, y: usize, probabilities: usize,
  tokens: i32, heads: i32, headDim: i32, scale: f32, scratch: usize, begin: i32, end: i32,
): void {
  for (let unit = begin; unit < end; unit++) attend(FP32, x, headMask, attentionMask, y, probabilities, tokens, heads, headDim, scale, scratch, unit);
}

export function attention_bf16(
  x: usize, headMask: usize, attentionMask: usize, y: usize, probabilities: usize,
  tokens: i32, heads: i32, headDim: i32, scale: f32, scratch: usize, begin: i32, end: i32,
): void {
  for (let unit = begin; unit < end; unit++) attend(BF16, x, headMask, attentionMask, y, probabilities, tokens, heads, headDim, scale, scratch, unit);
}

@inline
function enter(format: i32, v: v128): v128 {
  return format == BF16 ? roundBf16(v) : bound(v);
}

@inline
function tile(format: i32, acc: usize, accStride: usize, x: usize, w: usize, count: i32): void {
  if (format == BF16) tileExact(acc, accStride, x, w, count, true);
  else tilePinned(acc, accStride, x, w, count, true);
}

@inline
function attend(
  format: i32, x: usize, headMask: usize, attentionMask: usize, y: usize, probabilities: usize,
  tokens: i32, heads: i32, headDim: i32, scale: f32, scratch: usize, unit: i32,
): void {
  const hidden = heads * headDim, stride = (tokens + 31) & ~31;
  const keyPanels = (tokens + 7) >> 3, valuePanels = (headDim + 7) >> 3;
  const rowBytes = <usize>hidden * 12, headBytes = <usize>headDim << 2, pStride = <usize>stride << 2;
  const tileRows = format == BF16 ? EXACT_ROWS : PINNED_ROWS, tiles = (tokens + tileRows - 1) / tileRows, lane = <usize>tileRows << 2;
  const q = scratch, k = q + headBytes * <usize>(tiles * tileRows), v = k + headBytes * <usize>(keyPanels << 3);
  const p = v + (<usize>(valuePanels * tokens) << 5), pTile = p + pStride * <usize>tileRows, out = pTile + pStride * <usize>tileRows;
  const from = x + rowBytes * <usize>((unit / heads) * tokens) + headBytes * <usize>(unit % heads);
  const to = y + (<usize>((unit / heads) * tokens * hidden) << 2) + headBytes * <usize>(unit % heads);
  const mask = headMask ? f32.load(headMask + (<usize>(unit % heads) << 2)) : 1;

  // 1. q as tiles of rows side by side; k and v as panels of 8 columns
  clear(q, (tiles - 1) * headDim * tileRows, tiles * headDim * tileRows);
  clear(k, (keyPanels - 1) * headDim * 8, keyPanels * headDim * 8);
  clear(v, (valuePanels - 1) * tokens * 8, valuePanels * tokens * 8);
  for (let t = 0; t < tokens; t++) {
    const source = from + rowBytes * <usize>t, place = t % tileRows;
    packColumn(format, source, q + headBytes * <usize>(t - place) + (<usize>place << 2), lane, headDim);
    packColumn(format, source + (<usize>hidden << 2), k + headBytes * <usize>(t & ~7) + (<usize>(t & 7) << 2), 32, headDim);
    packValue(format, source + (<usize>hidden << 3), v + (<usize>t << 5), <usize>tokens << 5, headDim);
  }
  for (let r = 0; r < tokens; r += tileRows) {
    const last = min(tokens - 1 - r, tileRows - 1);
    // 2. scores of a few rows against all keys
    for (let panel = 0; panel < keyPanels; panel++) {
      tile(format, p + (<usize>panel << 5), pStride, q + headBytes * <usize>r, k + (headBytes << 3) * <usize>panel, headDim);
    }
    // 3. masked keys, and the softmax of each row
    for (let i = 0; i <= last; i++) {
      if (attentionMask) maskRow(p + pStride * <usize>i, attentionMask + (<usize>((unit / heads) * tokens) << 2), tokens);
      softmaxRow(format, p + pStride * <usize>i, tokens, stride, scale, mask);
      if (probabilities) copyRow(p + pStride * <usize>i, probabilities + (<usize>((unit * tokens + r + i) * tokens) << 2), tokens);
    }
    // 4. mix the values
    packRows(p, pTile, last + 1, stride, tileRows);
    for (let panel = 0; panel < valuePanels; panel++) {
      tile(format, out, 32, pTile, v + (<usize>(panel * tokens) << 5), tokens);
      const width = min(8, headDim - (panel << 3));
      for (let i = 0; i <= last; i++) {
        const place = to + (<usize>((r + i) * hidden) << 2) + (<usize>panel << 5), row = out + (<usize>i << 5);
        if (width < 8) {
          copyRow(row, place, width);
        } else {
          v128.store(place, v128.load(row));
          v128.store(place, v128.load(row, 16), 16);
        }
      }
    }
  }
}

/** One row down a column of its tile or panel: element d goes to to[d][0], `step` bytes apart. */
@inline
function packColumn(format: i32, x: usize, to: usize, step: usize, headDim: i32): void {
  let d = 0;
  for (; d + 4 <= headDim; d += 4) {
    const v = enter(format, v128.load(x + (<usize>d << 2)));
    v128.store_lane<f32>(to, v, 0);
    v128.store_lane<f32>(to + step, v, 1);
    v128.store_lane<f32>(to + step * 2, v, 2);
    v128.store_lane<f32>(to + step * 3, v, 3);
    to += step << 2;
  }
  for (; d < headDim; d++) {
    v128.store_lane<f32>(to, enter(format, v128.load_zero<f32>(x + (<usize>d << 2))), 0);
    to += step;
  }
}

/** One value across the panels: element d goes to panel d / 8, place d mod 8. */
@inline
function packValue(format: i32, x: usize, to: usize, panelBytes: usize, headDim: i32): void {
  let d = 0;
  for (; d + 4 <= headDim; d += 4) {
    v128.store(to + panelBytes * <usize>(d >> 3) + (<usize>(d & 7) << 2), enter(format, v128.load(x + (<usize>d << 2))));
  }
  for (; d < headDim; d++) {
    const at = to + panelBytes * <usize>(d >> 3) + (<usize>(d & 7) << 2);
    v128.store_lane<f32>(at, enter(format, v128.load_zero<f32>(x + (<usize>d << 2))), 0);
  }
}

/** MASKED_SCORE for the keys whose word is 0. */
@inline
function maskRow(p: usize, mask: usize, tokens: i32): void {
  for (let j = 0; j < tokens; j++) {
    const at = <usize>j << 2;
    f32.store(p + at, select<f32>(f32.load(p + at), MASKED_SCORE, load<i32>(mask + at) != 0));
  }
}

/** p = softmax(p * scale) * mask over `tokens`, entered for its product; places from tokens to stride become +0. */
@inline
function softmaxRow(format: i32, p: usize, tokens: i32, stride: i32, scale: f32, headMask: f32): void {
  const whole = (tokens + 7) & ~7, end = p + (<usize>whole << 2);
  // 1. scale, and the largest score; places beyond the last token repeat the first
  const first = f32.load(p), factor = f32x4.splat(scale), mask = f32x4.splat(f32x4.extract_lane(bound(f32x4.splat(headMask)), 0));
  for (let j = tokens; j < whole; j++) f32.store(p + (<usize>j << 2), first);
  let top = f32x4.splat(first * scale), top1 = top;
  for (let at = p; at < end; at += 32) {
    const s0 = f32x4.mul(v128.load(at), factor), s1 = f32x4.mul(v128.load(at, 16), factor);
    v128.store(at, s1, 16);
    v128.store(at, s0);
    top = f32x4.pmax(top, s0);
    top1 = f32x4.pmax(top1, s1);
  }
  top = f32x4.pmax(top, top1);
  top = f32x4.pmax(top, v128.shuffle<i32>(top, top, 2, 3, 0, 1));
  top = f32x4.splat(f32x4.extract_lane(f32x4.pmax(top, v128.shuffle<i32>(top, top, 1, 0, 3, 2)), 0));
  // 2. exponentials and their sum
  for (let at = p; at < end; at += 32) {
    const e0 = exp(f32x4.sub(v128.load(at), top)), e1 = exp(f32x4.sub(v128.load(at, 16), top));
    v128.store(at, e1, 16);
    v128.store(at, e0);
  }
  clear(p, tokens, stride);
  const inverse = f32x4.splat(f32x4.extract_lane(reciprocal(f32x4.splat(laneSum(p, stride))), 0));
  // 3. probabilities
  for (let at = p; at < end; at += 32) {
    const p0 = enter(format, f32x4.mul(f32x4.mul(v128.load(at), inverse), mask));
    const p1 = enter(format, f32x4.mul(f32x4.mul(v128.load(at, 16), inverse), mask));
    v128.store(at, p1, 16);
    v128.store(at, p0);
  }
}
