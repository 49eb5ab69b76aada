/**
 * Products of a few int8 rows with one panel of 8 int4 columns, block by block of 32 inputs.
 *
 *   d         = sum over the block of q[r][k] * (u[k][c] - 8)      integers, exact in any order
 *   acc[r][c] += (d * 2^e[r][block]) * s[block][c]                 one f32 rounding: |d| < 2^15, s has 8 bits
 *
 * No integer is converted: m = 1.5 * 2^(23 + e) is a float whose last bit counts 2^e, so bits(m) + d is the float m + d * 2^e.
 *
 * The R rows of a tile stand side by side (ops/linear/int4-rows.ts): x [count * 8][R] words of 4 int8, blocks [count]{ R x i32
 * first, R x f32 m }, first = bits(m) - 8 * sum of q. s [count][8] f32. acc [R][8] f32, read and written. The inner loops:
 *
 * tileDot32: i32x4.relaxed_dot_i8x16_i7x16_add_s (VNNI, SDOT). w [count * 8][32] u8: 4 inputs of 8 columns.
 * tilePlain: i32x4.dot_i16x8_s. x [count * 16][R] words of 2 i16; first = bits(m); w [count * 16][16] i16 of u - 8: 2 inputs of 8 columns.
 *
 * Tiles of i16 sums: lib/tile-int4-wide.ts.
 *
 * `form`: lib/forms.ts. A block of tileDot32 is written out step by step: a loop would check for interrupts at each turn, and x
 * moves on because older engines fold no offset into a splat's address.
 */
import { TURNS } from "./forms";

export const DOT32_ROWS: i32 = 6;
export const PLAIN_ROWS: i32 = 4;

/** sum + (f - m) * s; the difference and the product are exact, so fused or not is the same. */
@inline
function scaled(f: v128, m: v128, s: v128, sum: v128): v128 {
  const d = f32x4.sub(f, m);
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(d, s, sum);
  return f32x4.add(sum, f32x4.mul(d, s));
}

/** acc[0 ... 7] += (f - m) * s. Both loads first, then the stores, the upper one first, so that an engine can make one vector of two. */
@inline
export function addScaled(acc: usize, f0: v128, f1: v128, m: v128, s0: v128, s1: v128): void {
  const sum0 = scaled(f0, m, s0, v128.load(acc)), sum1 = scaled(f1, m, s1, v128.load(acc, 16));
  v128.store(acc, sum1, 16);
  v128.store(acc, sum0);
}

@inline
export function dot32(q: v128, u: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(q, u, sum);
}

@inline
export function dotPlain(q: v128, w: v128, sum: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(q, w));
}

export function tileDot32(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  for (const end = w + (<usize>count << 8); w < end; w += 256) {
    let u0: v128, u1: v128, q: v128;
    let d00 = v128.load_splat<i32>(blocks), d01 = d00;
    let d10 = v128.load_splat<i32>(blocks, 4), d11 = d10;
    let d20 = v128.load_splat<i32>(blocks, 8), d21 = d20;
    let d30 = v128.load_splat<i32>(blocks, 12), d31 = d30;
    let d40 = v128.load_splat<i32>(blocks, 16), d41 = d40;
    let d50 = v128.load_splat<i32>(blocks, 20), d51 = d50;
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
    addScaled(acc, d00, d01, v128.load_splat<f32>(blocks, 24), s0, s1);
    addScaled(acc + 32, d10, d11, v128.load_splat<f32>(blocks, 28), s0, s1);
    addScaled(acc + 64, d20, d21, v128.load_splat<f32>(blocks, 32), s0, s1);
    addScaled(acc + 96, d30, d31, v128.load_splat<f32>(blocks, 36), s0, s1);
    addScaled(acc + 128, d40, d41, v128.load_splat<f32>(blocks, 40), s0, s1);
    addScaled(acc + 160, d50, d51, v128.load_splat<f32>(blocks, 44), s0, s1);
    s += 32;
    blocks += 48;
  }
}

export function tilePlain(form: i32, acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  if (form == TURNS) plainTurns(acc, x, blocks, w, s, count);
  else plainAddresses(acc, x, blocks, w, s, count);
}

function plainAddresses(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  for (const last = w + (<usize>count << 9); w < last; ) {
    let u0: v128, u1: v128, q: v128;
    let d00 = v128.load_splat<i32>(blocks), d01 = d00;
    let d10 = v128.load_splat<i32>(blocks, 4), d11 = d10;
    let d20 = v128.load_splat<i32>(blocks, 8), d21 = d20;
    let d30 = v128.load_splat<i32>(blocks, 12), d31 = d30;
    for (const end = w + 512; w < end; w += 128) {
      u0 = v128.load(w); u1 = v128.load(w, 16);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x + 4); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x + 8); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x + 12); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 16;
      u0 = v128.load(w, 32); u1 = v128.load(w, 48);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x + 4); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x + 8); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x + 12); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 16;
      u0 = v128.load(w, 64); u1 = v128.load(w, 80);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x + 4); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x + 8); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x + 12); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 16;
      u0 = v128.load(w, 96); u1 = v128.load(w, 112);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x + 4); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x + 8); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x + 12); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 16;
    }
    const s0 = v128.load(s), s1 = v128.load(s, 16);
    addScaled(acc, d00, d01, v128.load_splat<f32>(blocks, 16), s0, s1);
    addScaled(acc + 32, d10, d11, v128.load_splat<f32>(blocks, 20), s0, s1);
    addScaled(acc + 64, d20, d21, v128.load_splat<f32>(blocks, 24), s0, s1);
    addScaled(acc + 96, d30, d31, v128.load_splat<f32>(blocks, 28), s0, s1);
    s += 32;
    blocks += 32;
  }
}

function plainTurns(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  for (const last = w + (<usize>count << 9); w < last; ) {
    let u0: v128, u1: v128, q: v128;
    let d00 = v128.load_splat<i32>(blocks), d01 = d00;
    let d10 = v128.load_splat<i32>(blocks, 4), d11 = d10;
    let d20 = v128.load_splat<i32>(blocks, 8), d21 = d20;
    let d30 = v128.load_splat<i32>(blocks, 12), d31 = d30;
    for (const end = w + 512; w < end; w += 32) {
      u0 = v128.load(w); u1 = v128.load(w, 16);
      q = v128.load_splat<i32>(x); d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01);
      q = v128.load_splat<i32>(x + 4); d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11);
      q = v128.load_splat<i32>(x + 8); d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21);
      q = v128.load_splat<i32>(x + 12); d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31);
      x += 16;
    }
    const s0 = v128.load(s), s1 = v128.load(s, 16);
    addScaled(acc, d00, d01, v128.load_splat<f32>(blocks, 16), s0, s1);
    addScaled(acc + 32, d10, d11, v128.load_splat<f32>(blocks, 20), s0, s1);
    addScaled(acc + 64, d20, d21, v128.load_splat<f32>(blocks, 24), s0, s1);
    addScaled(acc + 96, d30, d31, v128.load_splat<f32>(blocks, 28), s0, s1);
    s += 32;
    blocks += 32;
  }
}
