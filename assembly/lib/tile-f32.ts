/**
 * Products of a few rows with one panel of 8 columns, in f32, in order of k.
 *
 *   acc[r][c] += x[r][k] * w[k][c]      r < R, c < 8, k = 0 ... count - 1
 *
 * x rows `xStride` bytes apart, w [count][8] f32, acc rows `accStride` bytes apart. `last` is the last valid row: rows
 * beyond it repeat it and are not stored. `first` starts from +0 instead of acc.
 *
 * tileExact: every product is exact in f32 (bf16 x bf16), so fused or not is the same. 6 rows: 12 sums, 2 weights, 1
 * value fill the 15 registers. tilePinned: product and sum round one by one; the product needs a register, so 4 rows.
 */

export const EXACT_ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
export const PINNED_ROWS: i32 = 4;

@inline
function row(x: usize, stride: usize, index: i32, last: i32): usize {
  return x + stride * <usize>min(index, last);
}

@inline
function sums(acc: usize, first: bool): v128 {
  return first ? f32x4.splat(0) : v128.load(acc);
}

@inline
export function tileExact(acc: usize, accStride: usize, x: usize, xStride: usize, w: usize, count: i32, last: i32, first: bool): void {
  if (ASC_FEATURE_RELAXED_SIMD) tileFused(acc, accStride, x, xStride, w, count, last, first);
  else tilePinned(acc, accStride, x, xStride, w, count, last, first);
}

function tileFused(acc: usize, accStride: usize, x: usize, xStride: usize, w: usize, count: i32, last: i32, first: bool): void {
  let x0 = x, x1 = row(x, xStride, 1, last), x2 = row(x, xStride, 2, last);
  let x3 = row(x, xStride, 3, last), x4 = row(x, xStride, 4, last), x5 = row(x, xStride, 5, last);
  const a1 = acc + accStride, a2 = a1 + accStride, a3 = a2 + accStride, a4 = a3 + accStride, a5 = a4 + accStride;
  let s00 = sums(acc, first), s01 = sums(acc + 16, first);
  let s10 = sums(a1, first), s11 = sums(a1 + 16, first);
  let s20 = sums(a2, first), s21 = sums(a2 + 16, first);
  let s30 = sums(a3, first), s31 = sums(a3 + 16, first);
  let s40 = sums(a4, first), s41 = sums(a4 + 16, first);
  let s50 = sums(a5, first), s51 = sums(a5 + 16, first);
  for (const end = w + (<usize>count << 5); w < end; w += 32) {
    const w0 = v128.load(w), w1 = v128.load(w, 16);
    let v = v128.load_splat<f32>(x0);
    s00 = f32x4.relaxed_madd(v, w0, s00);
    s01 = f32x4.relaxed_madd(v, w1, s01);
    v = v128.load_splat<f32>(x1);
    s10 = f32x4.relaxed_madd(v, w0, s10);
    s11 = f32x4.relaxed_madd(v, w1, s11);
    v = v128.load_splat<f32>(x2);
    s20 = f32x4.relaxed_madd(v, w0, s20);
    s21 = f32x4.relaxed_madd(v, w1, s21);
    v = v128.load_splat<f32>(x3);
    s30 = f32x4.relaxed_madd(v, w0, s30);
    s31 = f32x4.relaxed_madd(v, w1, s31);
    v = v128.load_splat<f32>(x4);
    s40 = f32x4.relaxed_madd(v, w0, s40);
    s41 = f32x4.relaxed_madd(v, w1, s41);
    v = v128.load_splat<f32>(x5);
    s50 = f32x4.relaxed_madd(v, w0, s50);
    s51 = f32x4.relaxed_madd(v, w1, s51);
    x0 += 4;
    x1 += 4;
    x2 += 4;
    x3 += 4;
    x4 += 4;
    x5 += 4;
  }
  v128.store(acc, s00);
  v128.store(acc, s01, 16);
  if (last < 1) return;
  v128.store(a1, s10);
  v128.store(a1, s11, 16);
  if (last < 2) return;
  v128.store(a2, s20);
  v128.store(a2, s21, 16);
  if (last < 3) return;
  v128.store(a3, s30);
  v128.store(a3, s31, 16);
  if (last < 4) return;
  v128.store(a4, s40);
  v128.store(a4, s41, 16);
  if (last < 5) return;
  v128.store(a5, s50);
  v128.store(a5, s51, 16);
}

export function tilePinned(acc: usize, accStride: usize, x: usize, xStride: usize, w: usize, count: i32, last: i32, first: bool): void {
  let x0 = x, x1 = row(x, xStride, 1, last), x2 = row(x, xStride, 2, last), x3 = row(x, xStride, 3, last);
  const a1 = acc + accStride, a2 = a1 + accStride, a3 = a2 + accStride;
  let s00 = sums(acc, first), s01 = sums(acc + 16, first);
  let s10 = sums(a1, first), s11 = sums(a1 + 16, first);
  let s20 = sums(a2, first), s21 = sums(a2 + 16, first);
  let s30 = sums(a3, first), s31 = sums(a3 + 16, first);
  for (const end = w + (<usize>count << 5); w < end; w += 32) {
    const w0 = v128.load(w), w1 = v128.load(w, 16);
    let v = v128.load_splat<f32>(x0);
    s00 = f32x4.add(s00, f32x4.mul(v, w0));
    s01 = f32x4.add(s01, f32x4.mul(v, w1));
    v = v128.load_splat<f32>(x1);
    s10 = f32x4.add(s10, f32x4.mul(v, w0));
    s11 = f32x4.add(s11, f32x4.mul(v, w1));
    v = v128.load_splat<f32>(x2);
    s20 = f32x4.add(s20, f32x4.mul(v, w0));
    s21 = f32x4.add(s21, f32x4.mul(v, w1));
    v = v128.load_splat<f32>(x3);
    s30 = f32x4.add(s30, f32x4.mul(v, w0));
    s31 = f32x4.add(s31, f32x4.mul(v, w1));
    x0 += 4;
    x1 += 4;
    x2 += 4;
    x3 += 4;
  }
  v128.store(acc, s00);
  v128.store(acc, s01, 16);
  if (last < 1) return;
  v128.store(a1, s10);
  v128.store(a1, s11, 16);
  if (last < 2) return;
  v128.store(a2, s20);
  v128.store(a2, s21, 16);
  if (last < 3) return;
  v128.store(a3, s30);
  v128.store(a3, s31, 16);
}
