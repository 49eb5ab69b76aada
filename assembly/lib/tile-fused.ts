/** The forms of tileExact of lib/tile-f32.ts, for six rows. `count` is a multiple of 4, except for fusedTurns. */

@inline
function fused(x: v128, w: v128, sum: v128): v128 {
  return f32x4.relaxed_madd(x, w, sum);
}

export function fusedOffsets(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
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
  for (const end = w + (<usize>count << 5); w < end; w += 128) {
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

export function fusedAddresses(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
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
  for (const end = w + (<usize>count << 5); w < end; w += 128) {
    w0 = v128.load(w); w1 = v128.load(w, 16);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x + 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x + 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x + 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x + 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x + 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
    x += 24;
    w0 = v128.load(w, 32); w1 = v128.load(w, 48);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x + 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x + 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x + 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x + 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x + 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
    x += 24;
    w0 = v128.load(w, 64); w1 = v128.load(w, 80);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x + 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x + 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x + 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x + 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x + 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
    x += 24;
    w0 = v128.load(w, 96); w1 = v128.load(w, 112);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x + 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x + 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x + 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x + 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x + 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
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

export function fusedTurns(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
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
  for (const end = w + (<usize>count << 5); w < end; w += 32) {
    w0 = v128.load(w); w1 = v128.load(w, 16);
    v = v128.load_splat<f32>(x); s00 = fused(v, w0, s00); s01 = fused(v, w1, s01);
    v = v128.load_splat<f32>(x + 4); s10 = fused(v, w0, s10); s11 = fused(v, w1, s11);
    v = v128.load_splat<f32>(x + 8); s20 = fused(v, w0, s20); s21 = fused(v, w1, s21);
    v = v128.load_splat<f32>(x + 12); s30 = fused(v, w0, s30); s31 = fused(v, w1, s31);
    v = v128.load_splat<f32>(x + 16); s40 = fused(v, w0, s40); s41 = fused(v, w1, s41);
    v = v128.load_splat<f32>(x + 20); s50 = fused(v, w0, s50); s51 = fused(v, w1, s51);
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
