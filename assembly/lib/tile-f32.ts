/**
 * Products of a few rows with one panel of 8 columns, in f32, in order of k.
 *
 *   acc[r][c] += x[k][r] * w[k][c]      r < R, c < 8, k = 0 ... count - 1
 *
 * The R rows stand side by side, x [count][R] (lib/pack-rows.ts); w [count][8]; acc R rows, `accStride` bytes apart. `first`
 * starts from +0 instead of acc.
 *
 * tileExact: every product is exact in f32 (bf16 x bf16), so fused or not is the same. 6 rows: 12 sums, 2 weights, 1
 * value fill the 15 registers. tilePinned: product and sum round one by one; the product needs a register, so 4 rows.
 * Four inputs a turn: a loop checks for interrupts at each. x moves on, because engines fold no offset into a splat's address.
 */

export const EXACT_ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
export const PINNED_ROWS: i32 = 4;

@inline
function fused(x: v128, w: v128, sum: v128): v128 {
  return f32x4.relaxed_madd(x, w, sum);
}

@inline
function pinned(x: v128, w: v128, sum: v128): v128 {
  return f32x4.add(sum, f32x4.mul(x, w));
}

@inline
export function tileExact(acc: usize, accStride: usize, x: usize, w: usize, count: i32, first: bool): void {
  if (ASC_FEATURE_RELAXED_SIMD) tileFused(acc, accStride, x, w, count, first);
  else tilePinned(acc, accStride, x, w, count, first);
}

function tileFused(acc: usize, accStride: usize, x: usize, w: usize, count: i32, first: bool): void {
  const a0 = acc, a1 = a0 + accStride, a2 = a1 + accStride, a3 = a2 + accStride, a4 = a3 + accStride, a5 = a4 + accStride;
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00, s40 = s00, s41 = s00, s50 = s00, s51 = s00;
  if (!first) {
    s00 = v128.load(a0); s01 = v128.load(a0, 16);
    s10 = v128.load(a1); s11 = v128.load(a1, 16);
    s20 = v128.load(a2); s21 = v128.load(a2, 16);
    s30 = v128.load(a3); s31 = v128.load(a3, 16);
    s40 = v128.load(a4); s41 = v128.load(a4, 16);
    s50 = v128.load(a5); s51 = v128.load(a5, 16);
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
  v128.store(a0, s01, 16);
  v128.store(a0, s00);
  v128.store(a1, s11, 16);
  v128.store(a1, s10);
  v128.store(a2, s21, 16);
  v128.store(a2, s20);
  v128.store(a3, s31, 16);
  v128.store(a3, s30);
  v128.store(a4, s41, 16);
  v128.store(a4, s40);
  v128.store(a5, s51, 16);
  v128.store(a5, s50);
}

export function tilePinned(acc: usize, accStride: usize, x: usize, w: usize, count: i32, first: bool): void {
  const a0 = acc, a1 = a0 + accStride, a2 = a1 + accStride, a3 = a2 + accStride;
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (!first) {
    s00 = v128.load(a0); s01 = v128.load(a0, 16);
    s10 = v128.load(a1); s11 = v128.load(a1, 16);
    s20 = v128.load(a2); s21 = v128.load(a2, 16);
    s30 = v128.load(a3); s31 = v128.load(a3, 16);
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
  v128.store(a0, s01, 16);
  v128.store(a0, s00);
  v128.store(a1, s11, 16);
  v128.store(a1, s10);
  v128.store(a2, s21, 16);
  v128.store(a2, s20);
  v128.store(a3, s31, 16);
  v128.store(a3, s30);
}
