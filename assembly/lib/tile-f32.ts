/**
 * Products of a few rows with one panel of 8 columns, in f32, in order of k.
 *
 *   acc[r][c] += x[k][r] * w[k][c]      r < R, c < 8, k = 0 ... count - 1
 *
 * The R rows stand side by side, x [count][R] (lib/pack-rows.ts); w [count][8]; acc [R][8]. `first` starts from +0 instead of acc.
 *
 * tileExact: every product is exact in f32 (bf16 x bf16), so fused or not is the same. 6 rows: 12 sums, 2 weights, 1
 * value fill the 15 registers. tilePinned: product and sum round one by one; products need registers, so 4 rows.
 * Four inputs a turn: a loop checks for interrupts at each. x moves on, because engines fold no offset into a splat's address.
 */

export const EXACT_ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
export const PINNED_ROWS: i32 = 4;

@inline
function fused(x: v128, w: v128, sum: v128): v128 {
  return f32x4.relaxed_madd(x, w, sum);
}

@inline
export function tileExact(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  if (ASC_FEATURE_RELAXED_SIMD) tileFused(acc, x, w, count, first);
  else tilePinned(acc, x, w, count, first);
}

function tileFused(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00, s40 = s00, s41 = s00, s50 = s00, s51 = s00;
  if (!first) {
    s00 = v128.load(acc); s01 = v128.load(acc, 16);
    s10 = v128.load(acc, 32); s11 = v128.load(acc, 48);
    s20 = v128.load(acc, 64); s21 = v128.load(acc, 80);
    s30 = v128.load(acc, 96); s31 = v128.load(acc, 112);
    s40 = v128.load(acc, 128); s41 = v128.load(acc, 144);
    s50 = v128.load(acc, 160); s51 = v128.load(acc, 176);
  }
  let w0: v128, w1: v128, v: v128;
  for (const fours = w + (<usize>(count & ~3) << 5); w < fours; w += 128) {
    w0 = v128.load(w); w1 = v128.load(w, 16);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x, 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x, 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x, 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x, 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x, 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
    x += 24;
    w0 = v128.load(w, 32); w1 = v128.load(w, 48);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x, 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x, 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x, 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x, 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x, 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
    x += 24;
    w0 = v128.load(w, 64); w1 = v128.load(w, 80);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x, 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x, 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x, 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x, 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x, 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
    x += 24;
    w0 = v128.load(w, 96); w1 = v128.load(w, 112);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x, 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x, 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x, 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x, 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x, 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
    x += 24;
  }
  for (const end = w + (<usize>(count & 3) << 5); w < end; w += 32) {
    w0 = v128.load(w); w1 = v128.load(w, 16);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x, 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x, 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x, 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x, 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x, 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
    x += 24;
  }
  v128.store(acc, s01, 16);
  v128.store(acc, s00);
  v128.store(acc, s11, 48);
  v128.store(acc, s10, 32);
  v128.store(acc, s21, 80);
  v128.store(acc, s20, 64);
  v128.store(acc, s31, 112);
  v128.store(acc, s30, 96);
  v128.store(acc, s41, 144);
  v128.store(acc, s40, 128);
  v128.store(acc, s51, 176);
  v128.store(acc, s50, 160);
}

export function tilePinned(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (!first) {
    s00 = v128.load(acc); s01 = v128.load(acc, 16);
    s10 = v128.load(acc, 32); s11 = v128.load(acc, 48);
    s20 = v128.load(acc, 64); s21 = v128.load(acc, 80);
    s30 = v128.load(acc, 96); s31 = v128.load(acc, 112);
  }
  let w0: v128, w1: v128, p: v128, v: v128;
  for (const fours = w + (<usize>(count & ~3) << 5); w < fours; w += 128) {
    w0 = v128.load(w); w1 = v128.load(w, 16);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x, 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x, 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x, 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 16;
    w0 = v128.load(w, 32); w1 = v128.load(w, 48);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x, 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x, 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x, 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 16;
    w0 = v128.load(w, 64); w1 = v128.load(w, 80);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x, 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x, 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x, 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 16;
    w0 = v128.load(w, 96); w1 = v128.load(w, 112);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x, 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x, 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x, 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 16;
  }
  for (const end = w + (<usize>(count & 3) << 5); w < end; w += 32) {
    w0 = v128.load(w); w1 = v128.load(w, 16);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x, 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x, 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x, 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 16;
  }
  v128.store(acc, s01, 16);
  v128.store(acc, s00);
  v128.store(acc, s11, 48);
  v128.store(acc, s10, 32);
  v128.store(acc, s21, 80);
  v128.store(acc, s20, 64);
  v128.store(acc, s31, 112);
  v128.store(acc, s30, 96);
}
