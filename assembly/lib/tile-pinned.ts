/**
 * The forms of tilePinned of lib/tile-f32.ts, for four rows. `count` is a multiple of 4, except for pinnedTurns, where it is at least 1.
 */

export function pinnedOffsets(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (!first) {
    s00 = v128.load(acc); s01 = v128.load(acc, 16);
    s10 = v128.load(acc, 32); s11 = v128.load(acc, 48);
    s20 = v128.load(acc, 64); s21 = v128.load(acc, 80);
    s30 = v128.load(acc, 96); s31 = v128.load(acc, 112);
  }
  let w0: v128, w1: v128, p: v128, v: v128;
  for (const end = w + (<usize>count << 5); w < end; w += 128) {
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
  v128.store(acc, s01, 16);
  v128.store(acc, s00);
  v128.store(acc, s11, 48);
  v128.store(acc, s10, 32);
  v128.store(acc, s21, 80);
  v128.store(acc, s20, 64);
  v128.store(acc, s31, 112);
  v128.store(acc, s30, 96);
}

export function pinnedAddresses(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (!first) {
    s00 = v128.load(acc); s01 = v128.load(acc, 16);
    s10 = v128.load(acc, 32); s11 = v128.load(acc, 48);
    s20 = v128.load(acc, 64); s21 = v128.load(acc, 80);
    s30 = v128.load(acc, 96); s31 = v128.load(acc, 112);
  }
  let w0: v128, w1: v128, p: v128, v: v128;
  for (const end = w + (<usize>count << 5); w < end; w += 128) {
    w0 = v128.load(w); w1 = v128.load(w, 16);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x + 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x + 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x + 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 16;
    w0 = v128.load(w, 32); w1 = v128.load(w, 48);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x + 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x + 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x + 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 16;
    w0 = v128.load(w, 64); w1 = v128.load(w, 80);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x + 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x + 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x + 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 16;
    w0 = v128.load(w, 96); w1 = v128.load(w, 112);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x + 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x + 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x + 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
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

/** An exit after each input, so that the compiler does not mix steps of two inputs. */
export function pinnedTurns(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (!first) {
    s00 = v128.load(acc); s01 = v128.load(acc, 16);
    s10 = v128.load(acc, 32); s11 = v128.load(acc, 48);
    s20 = v128.load(acc, 64); s21 = v128.load(acc, 80);
    s30 = v128.load(acc, 96); s31 = v128.load(acc, 112);
  }
  let w0: v128, w1: v128, p: v128, v: v128;
  for (let left = count; ; left -= 4) {
    w0 = v128.load(w); w1 = v128.load(w, 16);
    v = v128.load_splat<f32>(x); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x + 4); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x + 8); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x + 12); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    if (left == 1) break;
    w0 = v128.load(w, 32); w1 = v128.load(w, 48);
    v = v128.load_splat<f32>(x + 16); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x + 20); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x + 24); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x + 28); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    if (left == 2) break;
    w0 = v128.load(w, 64); w1 = v128.load(w, 80);
    v = v128.load_splat<f32>(x + 32); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x + 36); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x + 40); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x + 44); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    if (left == 3) break;
    w0 = v128.load(w, 96); w1 = v128.load(w, 112);
    v = v128.load_splat<f32>(x + 48); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load_splat<f32>(x + 52); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load_splat<f32>(x + 56); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load_splat<f32>(x + 60); p = f32x4.mul(v, w0); v = f32x4.mul(v, w1); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    if (left == 4) break;
    x += 64;
    w += 128;
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
