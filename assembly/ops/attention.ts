/**
 * attention: softmax(q k^T * scale) v, head by head.
 *
 *   s[i][j] = scale * sum_d q[i][d] k[j][d];  p = softmax of each row;  y[i][d] = sum_j p[i][j] v[j][d]
 *
 * x [batch][tokens][3][heads][headDim] f32 (q, k, v side by side); y [batch][tokens][heads][headDim]. q, k, v and p enter
 * their products bounded (fp32) or rounded to bf16 (bf16). `scale` = f32(1 / sqrt(headDim)). headMask [heads] multiplies p;
 * attentionMask [batch][tokens] u32: a key whose word is 0 has MASKED_SCORE in place of its sum;
 * probabilities [batch][heads][tokens][tokens] receives p as it enters its product. Address 0: none. form: of the tiles (lib/forms.ts).
 * Order: d in order, j in order, from +0; the softmax sum in pinned lanes. Exact class: fp32 pinned, bf16 exact products,
 * softmax pinned. Units begin ... end - 1, unit = b * heads + h. No tokens x tokens array: eight queries at a time.
 * Keys, then values, are the rows of a product whose columns are the queries: what one leaves the next one reads.
 * scratch f32: sums [32][8], mixed values [ceil(headDim / R)][R][8], rows [8][headDim], q panels [ceil(tokens / 8)][headDim][8],
 * k tiles [ceil(tokens / R)][headDim][R], v tiles [ceil(headDim / R)][tokens][R], p [stride][8]; R = 6 or 4 rows, stride =
 * tokens rounded up to 32, and room for R rows more. With COLUMNS R = 4, and each value of the k and v tiles is a vector.
 * Twins: ts-api/src/backends/oracle/ops/attention.ts, gpu/ops/attention.wgsl.
 */
import { MIN_BITS, splat } from "../lib/constants";
import { bound, reciprocal, roundBf16, roundBounded } from "../lib/math";
import { COLUMNS } from "../lib/forms";
import { packRows, storeSplats, unpackColumns } from "../lib/pack-rows";
import { clear } from "../lib/rows";
import { exponentials } from "../lib/softmax";
import { tileColumns } from "../lib/tile-columns";
import { EXACT_ROWS, PINNED_ROWS, tileExact, tilePinned } from "../lib/tile-f32";

const FP32: i32 = 0;
const BF16: i32 = 1;
/** The score before scaling: -2^127, below every sum. */
const MASKED_SCORE: f32 = -1.7014118346046923e38;

export function attention_fp32(
  form: i32, x: usize, headMask: usize, attentionMask: usize, y: usize, probabilities: usize,
  tokens: i32, heads: i32, headDim: i32, scale: f32, scratch: usize, begin: i32, end: i32,
): void {
  for (let unit = begin; unit < end; unit++) attend(FP32, form, x, headMask, attentionMask, y, probabilities, tokens, heads, headDim, scale, scratch, unit);
}

export function attention_bf16(
  form: i32, x: usize, headMask: usize, attentionMask: usize, y: usize, probabilities: usize,
  tokens: i32, heads: i32, headDim: i32, scale: f32, scratch: usize, begin: i32, end: i32,
): void {
  for (let unit = begin; unit < end; unit++) attend(BF16, form, x, headMask, attentionMask, y, probabilities, tokens, heads, headDim, scale, scratch, unit);
}

@inline
function enter(format: i32, v: v128): v128 {
  return format == BF16 ? roundBf16(v) : bound(v);
}

/** enter(v) for 0 <= v < 2. */
@inline
function enterFraction(format: i32, v: v128): v128 {
  const bits = v128.and(v, i32x4.ge_s(v, splat(MIN_BITS)));
  return format == BF16 ? roundBounded(bits) : bits;
}

@inline
function tile(format: i32, form: i32, acc: usize, x: usize, w: usize, count: i32): void {
  if (form == COLUMNS) tileColumns(acc, w, x, count, true);
  else if (format == BF16) tileExact(form, acc, x, w, count, true);
  else tilePinned(form, acc, x, w, count, true);
}

@inline
function attend(
  format: i32, form: i32, x: usize, headMask: usize, attentionMask: usize, y: usize, probabilities: usize,
  tokens: i32, heads: i32, headDim: i32, scale: f32, scratch: usize, unit: i32,
): void {
  const columns = form == COLUMNS, tileRows = columns ? 4 : format == BF16 ? EXACT_ROWS : PINNED_ROWS, tileWords = columns ? 16 : tileRows;
  const hidden = heads * headDim, stride = (tokens + 31) & ~31;
  const panels = (tokens + 7) >> 3, keyTiles = (tokens + tileRows - 1) / tileRows, valueTiles = (headDim + tileRows - 1) / tileRows;
  const rowBytes = <usize>hidden * 12, headBytes = <usize>headDim << 2, keyBytes = headBytes * <usize>tileWords, valueBytes = <usize>(tokens * tileWords) << 2;
  const sums = scratch, mixed = sums + 1024, rows = mixed + (<usize>(valueTiles * tileRows) << 5), q = rows + (headBytes << 3);
  const k = q + headBytes * <usize>(panels << 3), v = k + keyBytes * <usize>keyTiles, p = v + valueBytes * <usize>valueTiles;
  const from = x + rowBytes * <usize>((unit / heads) * tokens) + headBytes * <usize>(unit % heads);
  const to = y + (<usize>((unit / heads) * tokens * hidden) << 2) + headBytes * <usize>(unit % heads);

  // 1. q as panels of 8 columns; k and v as tiles of rows side by side
  packHead(format, from, rowBytes, rows, q, tokens, headDim, 8);
  if (columns) splatKeys(format, from + (<usize>hidden << 2), rowBytes, rows, mixed, k, tokens, headDim);
  else packHead(format, from + (<usize>hidden << 2), rowBytes, rows, k, tokens, headDim, tileRows);
  clear(v, (valueTiles - 1) * tokens * tileWords, valueTiles * tokens * tileWords);
  for (let t = 0; t < tokens; t++) {
    const value = from + rowBytes * <usize>t + (<usize>hidden << 3);
    if (columns) splatValue(format, value, v + (<usize>t << 6), valueBytes, headDim);
    else packValue(format, value, v + (<usize>(t * tileRows) << 2), valueBytes, headDim, tileRows);
  }
  for (let panel = 0; panel < panels; panel++) {
    const first = panel << 3, count = min(8, tokens - first);
    // 2. scores of all keys against eight queries
    for (let i = 0; i < keyTiles; i++) {
      tile(format, form, p + (<usize>(i * tileRows) << 5), k + keyBytes * <usize>i, q + (headBytes << 3) * <usize>panel, headDim);
    }
    // 3. masked keys, and the softmax of each column
    if (attentionMask) maskKeys(p, attentionMask + (<usize>((unit / heads) * tokens) << 2), tokens);
    softmax(format, p, sums, tokens, stride, scale, headMask ? headMask + (<usize>(unit % heads) << 2) : 0);
    if (probabilities) unpackColumns(p, probabilities + (<usize>((unit * tokens + first) * tokens) << 2), <usize>tokens << 2, count, tokens);
    // 4. mix the values
    for (let i = 0; i < valueTiles; i++) {
      tile(format, form, mixed + (<usize>(i * tileRows) << 5), v + valueBytes * <usize>i, p, tokens);
    }
    unpackColumns(mixed, to + (<usize>(first * hidden) << 2), <usize>hidden << 2, count, headDim);
  }
}

/** The rows of one head, entered, `size` of them side by side. rows: scratch memory for `size` rows. */
@inline
function packHead(format: i32, x: usize, rowBytes: usize, rows: usize, to: usize, tokens: i32, headDim: i32, size: i32): void {
  const headBytes = <usize>headDim << 2;
  for (let first = 0; first < tokens; first += size) {
    const count = min(size, tokens - first);
    for (let i = 0; i < count; i++) enterRow(format, x + rowBytes * <usize>(first + i), rows + headBytes * <usize>i, headDim);
    packRows(rows, to + headBytes * <usize>first, count, headDim, size);
  }
}

@inline
function enterRow(format: i32, x: usize, to: usize, headDim: i32): void {
  let d = 0;
  for (; d + 4 <= headDim; d += 4) v128.store(to + (<usize>d << 2), enter(format, v128.load(x + (<usize>d << 2))));
  for (; d < headDim; d++) v128.store_lane<f32>(to + (<usize>d << 2), enter(format, v128.load_zero<f32>(x + (<usize>d << 2))), 0);
}

/** One value across the tiles: element d goes to tile d / size, place d mod size. */
@inline
function packValue(format: i32, x: usize, to: usize, tileBytes: usize, headDim: i32, size: i32): void {
  let d = 0;
  for (; d + size <= headDim; d += size) {
    v128.store(to, enter(format, v128.load(x)));
    if (size == 6) v128.store_lane<u64>(to, enter(format, v128.load_zero<u64>(x, 16)), 0, 16);
    x += <usize>size << 2;
    to += tileBytes;
  }
  for (; d < headDim; d++) {
    v128.store_lane<f32>(to, enter(format, v128.load_zero<f32>(x)), 0);
    x += 4;
    to += 4;
  }
}

/** packHead for COLUMNS. tile: scratch memory for one tile of packHead. */
function splatKeys(format: i32, x: usize, rowBytes: usize, rows: usize, tile: usize, to: usize, tokens: i32, headDim: i32): void {
  const headBytes = <usize>headDim << 2;
  for (let first = 0; first < tokens; first += 4) {
    packHead(format, x + rowBytes * <usize>first, rowBytes, rows, tile, min(4, tokens - first), headDim, 4);
    for (let at = tile; at < tile + (headBytes << 2); at += 16) {
      storeSplats(to, v128.load(at));
      to += 64;
    }
  }
}

/** packValue for COLUMNS. */
@inline
function splatValue(format: i32, x: usize, to: usize, tileBytes: usize, headDim: i32): void {
  let d = 0;
  for (; d + 4 <= headDim; d += 4) {
    storeSplats(to, enter(format, v128.load(x)));
    x += 16;
    to += tileBytes;
  }
  for (; d < headDim; d++) {
    v128.store(to, enter(format, v128.load_splat<f32>(x)));
    x += 4;
    to += 16;
  }
}

/** MASKED_SCORE for the keys whose word is 0. */
@inline
function maskKeys(p: usize, mask: usize, tokens: i32): void {
  for (let j = 0; j < tokens; j++) {
    if (load<i32>(mask + (<usize>j << 2)) != 0) continue;
    v128.store(p + (<usize>j << 5), f32x4.splat(MASKED_SCORE), 16);
    v128.store(p + (<usize>j << 5), f32x4.splat(MASKED_SCORE));
  }
}

/** p = softmax(p * scale) * mask of eight columns, entered for its product; rows from tokens to stride become +0. */
@inline
function softmax(format: i32, p: usize, sums: usize, tokens: i32, stride: i32, scale: f32, headMask: usize): void {
  const end = p + (<usize>tokens << 5);
  exponentials(p, sums, tokens, stride, f32x4.splat(scale));
  const inverse0 = reciprocal(v128.load(sums)), inverse1 = reciprocal(v128.load(sums, 16));
  if (headMask) {
    const mask = bound(v128.load_splat<f32>(headMask));
    for (let at = p; at < end; at += 32) {
      const p0 = enter(format, f32x4.mul(f32x4.mul(v128.load(at), inverse0), mask));
      const p1 = enter(format, f32x4.mul(f32x4.mul(v128.load(at, 16), inverse1), mask));
      v128.store(at, p1, 16);
      v128.store(at, p0);
    }
  } else {
    for (let at = p; at < end; at += 32) {
      const p0 = enterFraction(format, f32x4.mul(v128.load(at), inverse0));
      const p1 = enterFraction(format, f32x4.mul(v128.load(at, 16), inverse1));
      v128.store(at, p1, 16);
      v128.store(at, p0);
    }
  }
}
