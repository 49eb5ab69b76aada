/**
 * Products of 4 int8 rows with two panels of 8 int4 columns, by i16x8.relaxed_dot_i8x16_i7x16_s; the arithmetic is that of
 * lib/tile-int4.ts. acc: the sums of the first panel, [4][8], and PANEL_SUMS further on those of the second. s [count][16].
 *
 * tileDot16Pairs: two lanes of i16 are one column, 8 steps within i16. x and w as for tileDot32, w with 16 columns; blocks
 * [count]{ 4 x i32 first, 4 x f32 m }. Sixteen vectors of sums: for engines that combine two to one of 256 bits, or have 32 registers.
 *
 * tileDot16Lanes: one lane of i16 is one column, so that eight columns end a block in six operations. The even lanes, columns
 * 0 ... 3 of a panel, take inputs 2 p and 2 p + 1 of a block in step p; the odd ones, columns 4 ... 7, take the two after
 * them, and in the last step the first two. x [count][4][36] int8: a block, then its first two again, and two of padding.
 * w [count * 16][2][16] u8, the steps of both panels. blocks [count]{ 4 x i16 first twice, 4 x i16 high twice, 4 x f32 m }:
 * here m = 2^(23 + e) + 2^(15 + e), first = 2^15 - 8 * sum of q, high = the upper half of m's bits: (high, sum) is the float
 * m + d * 2^e. s and acc: columns in the order 0 4 1 5 2 6 3 7. `form`: lib/forms.ts, OFFSETS or TURNS.
 */
import { PAIR_OF_ONES, splat } from "./constants";
import { TURNS } from "./forms";
import { addScaled } from "./tile-int4";

export const DOT16_ROWS: i32 = 4;
/** Bytes from the sums of one panel to those of the next: 264 rows, and 18 that an activation may write. */
export const PANEL_SUMS: usize = 282 * 32;

@inline
export function product(q: v128, u: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(q, u);
}

@inline
function dot16(q: v128, u: v128, sum: v128): v128 {
  return i16x8.add(sum, product(q, u));
}

/** first + sums of pairs. Not i32x4.extadd_pairwise_i16x8_s, which builds a vector of ones at every use. */
@inline
export function pairs(d: v128, ones: v128, first: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(d, ones), first);
}

@inline
function firstFour(d: v128, high: v128): v128 {
  return v128.shuffle<u16>(d, high, 0, 8, 1, 9, 2, 10, 3, 11);
}

@inline
function lastFour(d: v128, high: v128): v128 {
  return v128.shuffle<u16>(d, high, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** A row of both panels: the sums of a block in lanes. */
@inline
function addLanes(acc: usize, d0: v128, d1: v128, high: v128, m: v128, s0: v128, s1: v128, s2: v128, s3: v128): void {
  addScaled(acc, firstFour(d0, high), lastFour(d0, high), m, s0, s1);
  addScaled(acc + PANEL_SUMS, firstFour(d1, high), lastFour(d1, high), m, s2, s3);
}

export function tileDot16Pairs(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  const ones = splat(PAIR_OF_ONES);
  for (const end = w + (<usize>count << 9); w < end; w += 512) {
    let u0: v128, u1: v128, u2: v128, u3: v128, q: v128, first: v128, m: v128;
    u0 = v128.load(w); u1 = v128.load(w, 16); u2 = v128.load(w, 32); u3 = v128.load(w, 48);
    q = v128.load_splat<i32>(x);
    let d00 = product(q, u0), d01 = product(q, u1), d02 = product(q, u2), d03 = product(q, u3);
    q = v128.load_splat<i32>(x, 4);
    let d10 = product(q, u0), d11 = product(q, u1), d12 = product(q, u2), d13 = product(q, u3);
    q = v128.load_splat<i32>(x, 8);
    let d20 = product(q, u0), d21 = product(q, u1), d22 = product(q, u2), d23 = product(q, u3);
    q = v128.load_splat<i32>(x, 12);
    let d30 = product(q, u0), d31 = product(q, u1), d32 = product(q, u2), d33 = product(q, u3);
    x += 16;
    u0 = v128.load(w, 64); u1 = v128.load(w, 80); u2 = v128.load(w, 96); u3 = v128.load(w, 112);
    q = v128.load_splat<i32>(x);
    d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01); d02 = dot16(q, u2, d02); d03 = dot16(q, u3, d03);
    q = v128.load_splat<i32>(x, 4);
    d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11); d12 = dot16(q, u2, d12); d13 = dot16(q, u3, d13);
    q = v128.load_splat<i32>(x, 8);
    d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21); d22 = dot16(q, u2, d22); d23 = dot16(q, u3, d23);
    q = v128.load_splat<i32>(x, 12);
    d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31); d32 = dot16(q, u2, d32); d33 = dot16(q, u3, d33);
    x += 16;
    u0 = v128.load(w, 128); u1 = v128.load(w, 144); u2 = v128.load(w, 160); u3 = v128.load(w, 176);
    q = v128.load_splat<i32>(x);
    d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01); d02 = dot16(q, u2, d02); d03 = dot16(q, u3, d03);
    q = v128.load_splat<i32>(x, 4);
    d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11); d12 = dot16(q, u2, d12); d13 = dot16(q, u3, d13);
    q = v128.load_splat<i32>(x, 8);
    d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21); d22 = dot16(q, u2, d22); d23 = dot16(q, u3, d23);
    q = v128.load_splat<i32>(x, 12);
    d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31); d32 = dot16(q, u2, d32); d33 = dot16(q, u3, d33);
    x += 16;
    u0 = v128.load(w, 192); u1 = v128.load(w, 208); u2 = v128.load(w, 224); u3 = v128.load(w, 240);
    q = v128.load_splat<i32>(x);
    d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01); d02 = dot16(q, u2, d02); d03 = dot16(q, u3, d03);
    q = v128.load_splat<i32>(x, 4);
    d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11); d12 = dot16(q, u2, d12); d13 = dot16(q, u3, d13);
    q = v128.load_splat<i32>(x, 8);
    d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21); d22 = dot16(q, u2, d22); d23 = dot16(q, u3, d23);
    q = v128.load_splat<i32>(x, 12);
    d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31); d32 = dot16(q, u2, d32); d33 = dot16(q, u3, d33);
    x += 16;
    u0 = v128.load(w, 256); u1 = v128.load(w, 272); u2 = v128.load(w, 288); u3 = v128.load(w, 304);
    q = v128.load_splat<i32>(x);
    d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01); d02 = dot16(q, u2, d02); d03 = dot16(q, u3, d03);
    q = v128.load_splat<i32>(x, 4);
    d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11); d12 = dot16(q, u2, d12); d13 = dot16(q, u3, d13);
    q = v128.load_splat<i32>(x, 8);
    d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21); d22 = dot16(q, u2, d22); d23 = dot16(q, u3, d23);
    q = v128.load_splat<i32>(x, 12);
    d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31); d32 = dot16(q, u2, d32); d33 = dot16(q, u3, d33);
    x += 16;
    u0 = v128.load(w, 320); u1 = v128.load(w, 336); u2 = v128.load(w, 352); u3 = v128.load(w, 368);
    q = v128.load_splat<i32>(x);
    d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01); d02 = dot16(q, u2, d02); d03 = dot16(q, u3, d03);
    q = v128.load_splat<i32>(x, 4);
    d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11); d12 = dot16(q, u2, d12); d13 = dot16(q, u3, d13);
    q = v128.load_splat<i32>(x, 8);
    d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21); d22 = dot16(q, u2, d22); d23 = dot16(q, u3, d23);
    q = v128.load_splat<i32>(x, 12);
    d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31); d32 = dot16(q, u2, d32); d33 = dot16(q, u3, d33);
    x += 16;
    u0 = v128.load(w, 384); u1 = v128.load(w, 400); u2 = v128.load(w, 416); u3 = v128.load(w, 432);
    q = v128.load_splat<i32>(x);
    d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01); d02 = dot16(q, u2, d02); d03 = dot16(q, u3, d03);
    q = v128.load_splat<i32>(x, 4);
    d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11); d12 = dot16(q, u2, d12); d13 = dot16(q, u3, d13);
    q = v128.load_splat<i32>(x, 8);
    d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21); d22 = dot16(q, u2, d22); d23 = dot16(q, u3, d23);
    q = v128.load_splat<i32>(x, 12);
    d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31); d32 = dot16(q, u2, d32); d33 = dot16(q, u3, d33);
    x += 16;
    u0 = v128.load(w, 448); u1 = v128.load(w, 464); u2 = v128.load(w, 480); u3 = v128.load(w, 496);
    q = v128.load_splat<i32>(x);
    d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01); d02 = dot16(q, u2, d02); d03 = dot16(q, u3, d03);
    q = v128.load_splat<i32>(x, 4);
    d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11); d12 = dot16(q, u2, d12); d13 = dot16(q, u3, d13);
    q = v128.load_splat<i32>(x, 8);
    d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21); d22 = dot16(q, u2, d22); d23 = dot16(q, u3, d23);
    q = v128.load_splat<i32>(x, 12);
    d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31); d32 = dot16(q, u2, d32); d33 = dot16(q, u3, d33);
    x += 16;
    u0 = v128.load(s); u1 = v128.load(s, 16); u2 = v128.load(s, 32); u3 = v128.load(s, 48);
    first = v128.load_splat<i32>(blocks); m = v128.load_splat<f32>(blocks, 16);
    addScaled(acc, pairs(d00, ones, first), pairs(d01, ones, first), m, u0, u1);
    addScaled(acc + PANEL_SUMS, pairs(d02, ones, first), pairs(d03, ones, first), m, u2, u3);
    first = v128.load_splat<i32>(blocks, 4); m = v128.load_splat<f32>(blocks, 20);
    addScaled(acc + 32, pairs(d10, ones, first), pairs(d11, ones, first), m, u0, u1);
    addScaled(acc + PANEL_SUMS + 32, pairs(d12, ones, first), pairs(d13, ones, first), m, u2, u3);
    first = v128.load_splat<i32>(blocks, 8); m = v128.load_splat<f32>(blocks, 24);
    addScaled(acc + 64, pairs(d20, ones, first), pairs(d21, ones, first), m, u0, u1);
    addScaled(acc + PANEL_SUMS + 64, pairs(d22, ones, first), pairs(d23, ones, first), m, u2, u3);
    first = v128.load_splat<i32>(blocks, 12); m = v128.load_splat<f32>(blocks, 28);
    addScaled(acc + 96, pairs(d30, ones, first), pairs(d31, ones, first), m, u0, u1);
    addScaled(acc + PANEL_SUMS + 96, pairs(d32, ones, first), pairs(d33, ones, first), m, u2, u3);
    s += 64;
    blocks += 32;
  }
}

export function tileDot16Lanes(form: i32, acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  if (form == TURNS) lanesTurns(acc, x, blocks, w, s, count);
  else lanesOffsets(acc, x, blocks, w, s, count);
}

function lanesOffsets(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  for (const end = w + (<usize>count << 9); w < end; w += 512) {
    let u0: v128, u1: v128, p: v128, q: v128;
    let d00 = v128.load_splat<i32>(blocks), d01 = d00;
    let d10 = v128.load_splat<i32>(blocks, 4), d11 = d10;
    let d20 = v128.load_splat<i32>(blocks, 8), d21 = d20;
    let d30 = v128.load_splat<i32>(blocks, 12), d31 = d30;
    u0 = v128.load(w); u1 = v128.load(w, 16);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 32); u1 = v128.load(w, 48);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 64); u1 = v128.load(w, 80);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 96); u1 = v128.load(w, 112);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 128); u1 = v128.load(w, 144);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 160); u1 = v128.load(w, 176);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 192); u1 = v128.load(w, 208);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 224); u1 = v128.load(w, 240);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 256); u1 = v128.load(w, 272);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 288); u1 = v128.load(w, 304);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 320); u1 = v128.load(w, 336);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 352); u1 = v128.load(w, 368);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 384); u1 = v128.load(w, 400);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 416); u1 = v128.load(w, 432);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 448); u1 = v128.load(w, 464);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 2;
    u0 = v128.load(w, 480); u1 = v128.load(w, 496);
    q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
    q = v128.load_splat<i32>(x, 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
    q = v128.load_splat<i32>(x, 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
    q = v128.load_splat<i32>(x, 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
    x += 114;
    const s0 = v128.load(s), s1 = v128.load(s, 16), s2 = v128.load(s, 32), s3 = v128.load(s, 48);
    addLanes(acc, d00, d01, v128.load_splat<i32>(blocks, 16), v128.load_splat<f32>(blocks, 32), s0, s1, s2, s3);
    addLanes(acc + 32, d10, d11, v128.load_splat<i32>(blocks, 20), v128.load_splat<f32>(blocks, 36), s0, s1, s2, s3);
    addLanes(acc + 64, d20, d21, v128.load_splat<i32>(blocks, 24), v128.load_splat<f32>(blocks, 40), s0, s1, s2, s3);
    addLanes(acc + 96, d30, d31, v128.load_splat<i32>(blocks, 28), v128.load_splat<f32>(blocks, 44), s0, s1, s2, s3);
    s += 64;
    blocks += 48;
  }
}

function lanesTurns(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  for (const last = w + (<usize>count << 9); w < last; ) {
    let u0: v128, u1: v128, p: v128, q: v128;
    let d00 = v128.load_splat<i32>(blocks), d01 = d00;
    let d10 = v128.load_splat<i32>(blocks, 4), d11 = d10;
    let d20 = v128.load_splat<i32>(blocks, 8), d21 = d20;
    let d30 = v128.load_splat<i32>(blocks, 12), d31 = d30;
    for (const end = w + 512; w < end; w += 32) {
      u0 = v128.load(w); u1 = v128.load(w, 16);
      q = v128.load_splat<i32>(x); p = product(q, u0); q = product(q, u1); d00 = i16x8.add(d00, p); d01 = i16x8.add(d01, q);
      q = v128.load_splat<i32>(x + 36); p = product(q, u0); q = product(q, u1); d10 = i16x8.add(d10, p); d11 = i16x8.add(d11, q);
      q = v128.load_splat<i32>(x + 72); p = product(q, u0); q = product(q, u1); d20 = i16x8.add(d20, p); d21 = i16x8.add(d21, q);
      q = v128.load_splat<i32>(x + 108); p = product(q, u0); q = product(q, u1); d30 = i16x8.add(d30, p); d31 = i16x8.add(d31, q);
      x += 2;
    }
    x += 112;
    const s0 = v128.load(s), s1 = v128.load(s, 16), s2 = v128.load(s, 32), s3 = v128.load(s, 48);
    addLanes(acc, d00, d01, v128.load_splat<i32>(blocks, 16), v128.load_splat<f32>(blocks, 32), s0, s1, s2, s3);
    addLanes(acc + 32, d10, d11, v128.load_splat<i32>(blocks, 20), v128.load_splat<f32>(blocks, 36), s0, s1, s2, s3);
    addLanes(acc + 64, d20, d21, v128.load_splat<i32>(blocks, 24), v128.load_splat<f32>(blocks, 40), s0, s1, s2, s3);
    addLanes(acc + 96, d30, d31, v128.load_splat<i32>(blocks, 28), v128.load_splat<f32>(blocks, 44), s0, s1, s2, s3);
    s += 64;
    blocks += 48;
  }
}
