/**
 * Tiles with the columns splatted in memory (COLUMNS in lib/forms.ts): 8 rows side by side in two vectors, 4 columns of weights, each
 * value of which fills a vector. Only whole vectors are loaded, which every engine does in one instruction. In engines whose splat takes
 * three (JavaScriptCore) this is a sixth faster. Both products of a column come before both sums, so that they do not wait for each
 * other.
 *
 * The sums are those of lib/tile-f32.ts and lib/tile-int4.ts, transposed: acc [4][8], a row for each column; transposeBlocks of
 * lib/pack-rows.ts transposes them back.
 */
import { PAIR_OF_ONES, splat } from "./constants";
import { pairs, product } from "./tile-int4-wide";

export const COLUMNS_ROWS: i32 = 8;

/** x [count][8] f32, w [count][4][4] f32; `first` starts from +0. Product and sum round one by one; exact products round once. */
export function tileColumns(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (!first) {
    s00 = v128.load(acc); s01 = v128.load(acc, 16);
    s10 = v128.load(acc, 32); s11 = v128.load(acc, 48);
    s20 = v128.load(acc, 64); s21 = v128.load(acc, 80);
    s30 = v128.load(acc, 96); s31 = v128.load(acc, 112);
  }
  let x0: v128, x1: v128, p: v128, v: v128, left = count;
  for (; left >= 8; left -= 8) {
    x0 = v128.load(x); x1 = v128.load(x, 16);
    v = v128.load(w); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 16); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 32); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 48); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x0 = v128.load(x, 32); x1 = v128.load(x, 48);
    v = v128.load(w, 64); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 80); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 96); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 112); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x0 = v128.load(x, 64); x1 = v128.load(x, 80);
    v = v128.load(w, 128); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 144); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 160); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 176); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x0 = v128.load(x, 96); x1 = v128.load(x, 112);
    v = v128.load(w, 192); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 208); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 224); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 240); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x0 = v128.load(x, 128); x1 = v128.load(x, 144);
    v = v128.load(w, 256); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 272); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 288); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 304); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x0 = v128.load(x, 160); x1 = v128.load(x, 176);
    v = v128.load(w, 320); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 336); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 352); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 368); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x0 = v128.load(x, 192); x1 = v128.load(x, 208);
    v = v128.load(w, 384); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 400); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 416); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 432); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x0 = v128.load(x, 224); x1 = v128.load(x, 240);
    v = v128.load(w, 448); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 464); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 480); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 496); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 256;
    w += 512;
  }
  for (; left > 0; left--) {
    x0 = v128.load(x); x1 = v128.load(x, 16);
    v = v128.load(w); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s00 = f32x4.add(s00, p); s01 = f32x4.add(s01, v);
    v = v128.load(w, 16); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s10 = f32x4.add(s10, p); s11 = f32x4.add(s11, v);
    v = v128.load(w, 32); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s20 = f32x4.add(s20, p); s21 = f32x4.add(s21, v);
    v = v128.load(w, 48); p = f32x4.mul(x0, v); v = f32x4.mul(x1, v); s30 = f32x4.add(s30, p); s31 = f32x4.add(s31, v);
    x += 32;
    w += 64;
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

@inline
function addColumn(acc: usize, f0: v128, f1: v128, m0: v128, m1: v128, s: v128): void {
  f0 = f32x4.sub(f0, m0);
  f1 = f32x4.sub(f1, m1);
  f0 = f32x4.mul(f0, s);
  f1 = f32x4.mul(f1, s);
  f0 = f32x4.add(v128.load(acc), f0);
  f1 = f32x4.add(v128.load(acc, 16), f1);
  v128.store(acc, f1, 16);
  v128.store(acc, f0);
}

/**
 * tileDot16Pairs of lib/tile-int4-wide.ts. x [count * 8][8] words of 4 int8; w [count * 8][4][4] words of 4 u8; blocks [count]{ 8 x i32
 * first, 8 x f32 m }; s [count][4][4] f32.
 */
export function tileDot16Columns(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  const ones = splat(PAIR_OF_ONES);
  for (const end = w + (<usize>count << 9); w < end; w += 512) {
    let x0: v128, x1: v128, p: v128, v: v128;
    x0 = v128.load(x); x1 = v128.load(x, 16);
    v = v128.load(w);
    let d00 = product(x0, v), d01 = product(x1, v);
    v = v128.load(w, 16);
    let d10 = product(x0, v), d11 = product(x1, v);
    v = v128.load(w, 32);
    let d20 = product(x0, v), d21 = product(x1, v);
    v = v128.load(w, 48);
    let d30 = product(x0, v), d31 = product(x1, v);
    x0 = v128.load(x, 32); x1 = v128.load(x, 48);
    v = v128.load(w, 64); p = product(x0, v); v = product(x1, v); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, v);
    v = v128.load(w, 80); p = product(x0, v); v = product(x1, v); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, v);
    v = v128.load(w, 96); p = product(x0, v); v = product(x1, v); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, v);
    v = v128.load(w, 112); p = product(x0, v); v = product(x1, v); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, v);
    x0 = v128.load(x, 64); x1 = v128.load(x, 80);
    v = v128.load(w, 128); p = product(x0, v); v = product(x1, v); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, v);
    v = v128.load(w, 144); p = product(x0, v); v = product(x1, v); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, v);
    v = v128.load(w, 160); p = product(x0, v); v = product(x1, v); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, v);
    v = v128.load(w, 176); p = product(x0, v); v = product(x1, v); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, v);
    x0 = v128.load(x, 96); x1 = v128.load(x, 112);
    v = v128.load(w, 192); p = product(x0, v); v = product(x1, v); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, v);
    v = v128.load(w, 208); p = product(x0, v); v = product(x1, v); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, v);
    v = v128.load(w, 224); p = product(x0, v); v = product(x1, v); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, v);
    v = v128.load(w, 240); p = product(x0, v); v = product(x1, v); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, v);
    x0 = v128.load(x, 128); x1 = v128.load(x, 144);
    v = v128.load(w, 256); p = product(x0, v); v = product(x1, v); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, v);
    v = v128.load(w, 272); p = product(x0, v); v = product(x1, v); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, v);
    v = v128.load(w, 288); p = product(x0, v); v = product(x1, v); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, v);
    v = v128.load(w, 304); p = product(x0, v); v = product(x1, v); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, v);
    x0 = v128.load(x, 160); x1 = v128.load(x, 176);
    v = v128.load(w, 320); p = product(x0, v); v = product(x1, v); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, v);
    v = v128.load(w, 336); p = product(x0, v); v = product(x1, v); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, v);
    v = v128.load(w, 352); p = product(x0, v); v = product(x1, v); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, v);
    v = v128.load(w, 368); p = product(x0, v); v = product(x1, v); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, v);
    x0 = v128.load(x, 192); x1 = v128.load(x, 208);
    v = v128.load(w, 384); p = product(x0, v); v = product(x1, v); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, v);
    v = v128.load(w, 400); p = product(x0, v); v = product(x1, v); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, v);
    v = v128.load(w, 416); p = product(x0, v); v = product(x1, v); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, v);
    v = v128.load(w, 432); p = product(x0, v); v = product(x1, v); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, v);
    x0 = v128.load(x, 224); x1 = v128.load(x, 240);
    v = v128.load(w, 448); p = product(x0, v); v = product(x1, v); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, v);
    v = v128.load(w, 464); p = product(x0, v); v = product(x1, v); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, v);
    v = v128.load(w, 480); p = product(x0, v); v = product(x1, v); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, v);
    v = v128.load(w, 496); p = product(x0, v); v = product(x1, v); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, v);
    x += 256;
    const first0 = v128.load(blocks), first1 = v128.load(blocks, 16), m0 = v128.load(blocks, 32), m1 = v128.load(blocks, 48);
    addColumn(acc, pairs(d00, ones, first0), pairs(d01, ones, first1), m0, m1, v128.load(s));
    addColumn(acc + 32, pairs(d10, ones, first0), pairs(d11, ones, first1), m0, m1, v128.load(s, 16));
    addColumn(acc + 64, pairs(d20, ones, first0), pairs(d21, ones, first1), m0, m1, v128.load(s, 32));
    addColumn(acc + 96, pairs(d30, ones, first0), pairs(d31, ones, first1), m0, m1, v128.load(s, 48));
    s += 64;
    blocks += 64;
  }
}
