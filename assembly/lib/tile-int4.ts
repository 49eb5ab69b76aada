/**
 * Products of a few int8 rows with one panel of 8 int4 columns, block by block of 32 inputs.
 *
 *   d         = sum over the block of q[r][k] * (u[k][c] - 8)      integers, exact in any order
 *   acc[r][c] += d * (s[block][c] * 2^e[r][block])                 one f32 rounding: |d| < 2^15, s has 8 bits
 *
 * The R rows of a tile stand side by side (lib/pack-rows.ts): x [count * 8][R] words of 4 int8, blocks [count]{ R x f32 2^e,
 * R x i16 pair }; a pair is -8 * sum of q over k mod 4 in {0, 1} and {2, 3}. s [count][8] f32. acc [R][8] f32, read and
 * written. Three inner loops, the same integers:
 *
 * tileDot32: i32x4.relaxed_dot_i8x16_i7x16_add_s (VNNI, SDOT). w [count * 8][32] u8: 4 inputs of 8 columns.
 * tileDot16: i16x8.relaxed_dot_i8x16_i7x16_s; 8 steps stay within i16. w as above.
 * tilePlain: i32x4.dot_i16x8_s. x words of 4 i16; w [count * 16][16] i16 of u - 8: 2 inputs of 8 columns.
 *
 * A block is written out step by step: a loop would check for interrupts at each turn, and x moves on because engines fold
 * no offset into a splat's address.
 */
import { PAIR_OF_ONES, splat } from "./constants";

export const DOT32_ROWS: i32 = 6;
export const DOT16_ROWS: i32 = 4;
export const PLAIN_ROWS: i32 = 4;

/** sum + d * (s * e); the product is exact, so fused or not is the same. */
@inline
function scaled(d: v128, s: v128, e: v128, sum: v128): v128 {
  const product = f32x4.convert_i32x4_s(d), scale = f32x4.mul(s, e);
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(product, scale, sum);
  return f32x4.add(sum, f32x4.mul(product, scale));
}

/** acc[0 ... 7] += d * (s * e). Both loads, then the stores from the last: an engine can make one vector of two. */
@inline
function addScaled(acc: usize, d0: v128, d1: v128, s0: v128, s1: v128, e: v128): void {
  const sum0 = scaled(d0, s0, e, v128.load(acc)), sum1 = scaled(d1, s1, e, v128.load(acc, 16));
  v128.store(acc, sum1, 16);
  v128.store(acc, sum0);
}

/** Sums of pairs; i32x4.extadd_pairwise_i16x8_s builds its ones at every use. */
@inline
function pairs(d: v128, ones: v128): v128 {
  return i32x4.dot_i16x8_s(d, ones);
}

@inline
function dot16(q: v128, u: v128, sum: v128): v128 {
  return i16x8.add(sum, i16x8.relaxed_dot_i8x16_i7x16_s(q, u));
}

@inline
function dot32(q: v128, u: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(q, u, sum);
}

@inline
function dotPlain(q: v128, w: v128, sum: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(q, w));
}

export function tileDot16(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  const ones = splat(PAIR_OF_ONES);
  for (const end = w + (<usize>count << 8); w < end; w += 256) {
    let u0: v128, u1: v128, q: v128;
    let d00 = v128.load_splat<i32>(blocks, 16), d01 = d00;
    let d10 = v128.load_splat<i32>(blocks, 20), d11 = d10;
    let d20 = v128.load_splat<i32>(blocks, 24), d21 = d20;
    let d30 = v128.load_splat<i32>(blocks, 28), d31 = d30;
    u0 = v128.load(w); u1 = v128.load(w, 16);
    q = v128.load_splat<i32>(x); d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31);
    x += 16;
    u0 = v128.load(w, 32); u1 = v128.load(w, 48);
    q = v128.load_splat<i32>(x); d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31);
    x += 16;
    u0 = v128.load(w, 64); u1 = v128.load(w, 80);
    q = v128.load_splat<i32>(x); d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31);
    x += 16;
    u0 = v128.load(w, 96); u1 = v128.load(w, 112);
    q = v128.load_splat<i32>(x); d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31);
    x += 16;
    u0 = v128.load(w, 128); u1 = v128.load(w, 144);
    q = v128.load_splat<i32>(x); d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31);
    x += 16;
    u0 = v128.load(w, 160); u1 = v128.load(w, 176);
    q = v128.load_splat<i32>(x); d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31);
    x += 16;
    u0 = v128.load(w, 192); u1 = v128.load(w, 208);
    q = v128.load_splat<i32>(x); d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31);
    x += 16;
    u0 = v128.load(w, 224); u1 = v128.load(w, 240);
    q = v128.load_splat<i32>(x); d00 = dot16(q, u0, d00); d01 = dot16(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot16(q, u0, d10); d11 = dot16(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot16(q, u0, d20); d21 = dot16(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot16(q, u0, d30); d31 = dot16(q, u1, d31);
    x += 16;
    const s0 = v128.load(s), s1 = v128.load(s, 16);
    addScaled(acc, pairs(d00, ones), pairs(d01, ones), s0, s1, v128.load_splat<f32>(blocks));
    addScaled(acc + 32, pairs(d10, ones), pairs(d11, ones), s0, s1, v128.load_splat<f32>(blocks, 4));
    addScaled(acc + 64, pairs(d20, ones), pairs(d21, ones), s0, s1, v128.load_splat<f32>(blocks, 8));
    addScaled(acc + 96, pairs(d30, ones), pairs(d31, ones), s0, s1, v128.load_splat<f32>(blocks, 12));
    s += 32;
    blocks += 32;
  }
}

export function tileDot32(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  const ones = splat(PAIR_OF_ONES);
  for (const end = w + (<usize>count << 8); w < end; w += 256) {
    let u0: v128, u1: v128, q: v128;
    let d00 = pairs(v128.load_splat<i32>(blocks, 24), ones), d01 = d00;
    let d10 = pairs(v128.load_splat<i32>(blocks, 28), ones), d11 = d10;
    let d20 = pairs(v128.load_splat<i32>(blocks, 32), ones), d21 = d20;
    let d30 = pairs(v128.load_splat<i32>(blocks, 36), ones), d31 = d30;
    let d40 = pairs(v128.load_splat<i32>(blocks, 40), ones), d41 = d40;
    let d50 = pairs(v128.load_splat<i32>(blocks, 44), ones), d51 = d50;
    u0 = v128.load(w); u1 = v128.load(w, 16);
    q = v128.load_splat<i32>(x); d00 = dot32(q, u0, d00); d01 = dot32(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot32(q, u0, d10); d11 = dot32(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot32(q, u0, d20); d21 = dot32(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot32(q, u0, d30); d31 = dot32(q, u1, d31);
    q = v128.load_splat<i32>(x, 16); d40 = dot32(q, u0, d40); d41 = dot32(q, u1, d41);
    q = v128.load_splat<i32>(x, 20); d50 = dot32(q, u0, d50); d51 = dot32(q, u1, d51);
    x += 24;
    u0 = v128.load(w, 32); u1 = v128.load(w, 48);
    q = v128.load_splat<i32>(x); d00 = dot32(q, u0, d00); d01 = dot32(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot32(q, u0, d10); d11 = dot32(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot32(q, u0, d20); d21 = dot32(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot32(q, u0, d30); d31 = dot32(q, u1, d31);
    q = v128.load_splat<i32>(x, 16); d40 = dot32(q, u0, d40); d41 = dot32(q, u1, d41);
    q = v128.load_splat<i32>(x, 20); d50 = dot32(q, u0, d50); d51 = dot32(q, u1, d51);
    x += 24;
    u0 = v128.load(w, 64); u1 = v128.load(w, 80);
    q = v128.load_splat<i32>(x); d00 = dot32(q, u0, d00); d01 = dot32(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot32(q, u0, d10); d11 = dot32(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot32(q, u0, d20); d21 = dot32(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot32(q, u0, d30); d31 = dot32(q, u1, d31);
    q = v128.load_splat<i32>(x, 16); d40 = dot32(q, u0, d40); d41 = dot32(q, u1, d41);
    q = v128.load_splat<i32>(x, 20); d50 = dot32(q, u0, d50); d51 = dot32(q, u1, d51);
    x += 24;
    u0 = v128.load(w, 96); u1 = v128.load(w, 112);
    q = v128.load_splat<i32>(x); d00 = dot32(q, u0, d00); d01 = dot32(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot32(q, u0, d10); d11 = dot32(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot32(q, u0, d20); d21 = dot32(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot32(q, u0, d30); d31 = dot32(q, u1, d31);
    q = v128.load_splat<i32>(x, 16); d40 = dot32(q, u0, d40); d41 = dot32(q, u1, d41);
    q = v128.load_splat<i32>(x, 20); d50 = dot32(q, u0, d50); d51 = dot32(q, u1, d51);
    x += 24;
    u0 = v128.load(w, 128); u1 = v128.load(w, 144);
    q = v128.load_splat<i32>(x); d00 = dot32(q, u0, d00); d01 = dot32(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot32(q, u0, d10); d11 = dot32(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot32(q, u0, d20); d21 = dot32(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot32(q, u0, d30); d31 = dot32(q, u1, d31);
    q = v128.load_splat<i32>(x, 16); d40 = dot32(q, u0, d40); d41 = dot32(q, u1, d41);
    q = v128.load_splat<i32>(x, 20); d50 = dot32(q, u0, d50); d51 = dot32(q, u1, d51);
    x += 24;
    u0 = v128.load(w, 160); u1 = v128.load(w, 176);
    q = v128.load_splat<i32>(x); d00 = dot32(q, u0, d00); d01 = dot32(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot32(q, u0, d10); d11 = dot32(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot32(q, u0, d20); d21 = dot32(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot32(q, u0, d30); d31 = dot32(q, u1, d31);
    q = v128.load_splat<i32>(x, 16); d40 = dot32(q, u0, d40); d41 = dot32(q, u1, d41);
    q = v128.load_splat<i32>(x, 20); d50 = dot32(q, u0, d50); d51 = dot32(q, u1, d51);
    x += 24;
    u0 = v128.load(w, 192); u1 = v128.load(w, 208);
    q = v128.load_splat<i32>(x); d00 = dot32(q, u0, d00); d01 = dot32(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot32(q, u0, d10); d11 = dot32(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot32(q, u0, d20); d21 = dot32(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot32(q, u0, d30); d31 = dot32(q, u1, d31);
    q = v128.load_splat<i32>(x, 16); d40 = dot32(q, u0, d40); d41 = dot32(q, u1, d41);
    q = v128.load_splat<i32>(x, 20); d50 = dot32(q, u0, d50); d51 = dot32(q, u1, d51);
    x += 24;
    u0 = v128.load(w, 224); u1 = v128.load(w, 240);
    q = v128.load_splat<i32>(x); d00 = dot32(q, u0, d00); d01 = dot32(q, u1, d01);
    q = v128.load_splat<i32>(x, 4); d10 = dot32(q, u0, d10); d11 = dot32(q, u1, d11);
    q = v128.load_splat<i32>(x, 8); d20 = dot32(q, u0, d20); d21 = dot32(q, u1, d21);
    q = v128.load_splat<i32>(x, 12); d30 = dot32(q, u0, d30); d31 = dot32(q, u1, d31);
    q = v128.load_splat<i32>(x, 16); d40 = dot32(q, u0, d40); d41 = dot32(q, u1, d41);
    q = v128.load_splat<i32>(x, 20); d50 = dot32(q, u0, d50); d51 = dot32(q, u1, d51);
    x += 24;
    const s0 = v128.load(s), s1 = v128.load(s, 16);
    addScaled(acc, d00, d01, s0, s1, v128.load_splat<f32>(blocks));
    addScaled(acc + 32, d10, d11, s0, s1, v128.load_splat<f32>(blocks, 4));
    addScaled(acc + 64, d20, d21, s0, s1, v128.load_splat<f32>(blocks, 8));
    addScaled(acc + 96, d30, d31, s0, s1, v128.load_splat<f32>(blocks, 12));
    addScaled(acc + 128, d40, d41, s0, s1, v128.load_splat<f32>(blocks, 16));
    addScaled(acc + 160, d50, d51, s0, s1, v128.load_splat<f32>(blocks, 20));
    s += 32;
    blocks += 48;
  }
}

export function tilePlain(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  for (const last = w + (<usize>count << 9); w < last; ) {
    let u0: v128, u1: v128, q: v128;
    let d00 = i32x4.splat(0), d01 = d00, d10 = d00, d11 = d00, d20 = d00, d21 = d00, d30 = d00, d31 = d00;
    for (const end = w + 512; w < end; w += 256) {
      u0 = v128.load(w); u1 = v128.load(w, 16);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x, 8); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x, 16); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x, 24); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 4;
      u0 = v128.load(w, 32); u1 = v128.load(w, 48);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x, 8); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x, 16); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x, 24); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 28;
      u0 = v128.load(w, 64); u1 = v128.load(w, 80);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x, 8); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x, 16); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x, 24); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 4;
      u0 = v128.load(w, 96); u1 = v128.load(w, 112);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x, 8); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x, 16); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x, 24); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 28;
      u0 = v128.load(w, 128); u1 = v128.load(w, 144);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x, 8); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x, 16); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x, 24); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 4;
      u0 = v128.load(w, 160); u1 = v128.load(w, 176);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x, 8); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x, 16); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x, 24); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 28;
      u0 = v128.load(w, 192); u1 = v128.load(w, 208);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x, 8); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x, 16); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x, 24); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 4;
      u0 = v128.load(w, 224); u1 = v128.load(w, 240);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x, 8); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x, 16); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x, 24); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 28;
    }
    const s0 = v128.load(s), s1 = v128.load(s, 16);
    addScaled(acc, d00, d01, s0, s1, v128.load_splat<f32>(blocks));
    addScaled(acc + 32, d10, d11, s0, s1, v128.load_splat<f32>(blocks, 4));
    addScaled(acc + 64, d20, d21, s0, s1, v128.load_splat<f32>(blocks, 8));
    addScaled(acc + 96, d30, d31, s0, s1, v128.load_splat<f32>(blocks, 12));
    s += 32;
    blocks += 32;
  }
}
