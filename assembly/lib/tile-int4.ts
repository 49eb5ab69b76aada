/**
 * Products of a few int8 rows with one panel of 8 int4 columns, block by block of 32 inputs.
 *
 *   d         = sum over the block of q[r][k] * (u[k][c] - 8)      integers, exact in any order
 *   acc[r][c] += d * (s[block][c] * 2^e[r][block])                 one f32 rounding: |d| < 2^15, s has 8 bits
 *
 * x rows int8, `xStride` bytes apart; `blocks` rows of { f32 2^e, i16 pair } per block, `bStride` bytes apart: the pair is
 * -8 * sum of q over k mod 4 in {0, 1} and {2, 3}. s [count][8] f32. acc [r][8] f32, read and written. `last` is the last
 * valid row: rows beyond it repeat it and are not stored. Three inner loops, the same integers:
 *
 * tileDot32: i32x4.relaxed_dot_i8x16_i7x16_add_s (VNNI, SDOT). w [count * 8][32] u8: 4 inputs of 8 columns.
 * tileDot16: i16x8.relaxed_dot_i8x16_i7x16_s; 8 steps stay within i16. w as above.
 * tilePlain: i32x4.dot_i16x8_s. x rows i16; w [count * 16][16] i16 of u - 8: 2 inputs of 8 columns.
 */

export const DOT32_ROWS: i32 = 6;
export const DOT16_ROWS: i32 = 4;
export const PLAIN_ROWS: i32 = 4;

@inline
function row(x: usize, stride: usize, index: i32, last: i32): usize {
  return x + stride * <usize>min(index, last);
}

/** acc += d * (s * 2^e); the product is exact, so fused or not is the same. */
@inline
function accumulate(acc: usize, d: v128, s: v128, e: v128): void {
  const product = f32x4.convert_i32x4_s(d), scale = f32x4.mul(s, e);
  if (ASC_FEATURE_RELAXED_SIMD) v128.store(acc, f32x4.relaxed_madd(product, scale, v128.load(acc)));
  else v128.store(acc, f32x4.add(v128.load(acc), f32x4.mul(product, scale)));
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

export function tileDot16(acc: usize, x: usize, xStride: usize, blocks: usize, bStride: usize, w: usize, s: usize, count: i32, last: i32): void {
  let x0 = x, x1 = row(x, xStride, 1, last), x2 = row(x, xStride, 2, last), x3 = row(x, xStride, 3, last);
  let b0 = blocks, b1 = row(blocks, bStride, 1, last), b2 = row(blocks, bStride, 2, last), b3 = row(blocks, bStride, 3, last);
  for (let block = 0; block < count; block++) {
    let d00 = v128.load_splat<i32>(b0, 4), d01 = d00;
    let d10 = v128.load_splat<i32>(b1, 4), d11 = d10;
    let d20 = v128.load_splat<i32>(b2, 4), d21 = d20;
    let d30 = v128.load_splat<i32>(b3, 4), d31 = d30;
    for (const end = w + 256; w < end; w += 64) {
      let u0 = v128.load(w), u1 = v128.load(w, 16);
      let q = v128.load_splat<i32>(x0);
      d00 = dot16(q, u0, d00);
      d01 = dot16(q, u1, d01);
      q = v128.load_splat<i32>(x1);
      d10 = dot16(q, u0, d10);
      d11 = dot16(q, u1, d11);
      q = v128.load_splat<i32>(x2);
      d20 = dot16(q, u0, d20);
      d21 = dot16(q, u1, d21);
      q = v128.load_splat<i32>(x3);
      d30 = dot16(q, u0, d30);
      d31 = dot16(q, u1, d31);
      u0 = v128.load(w, 32);
      u1 = v128.load(w, 48);
      q = v128.load_splat<i32>(x0, 4);
      d00 = dot16(q, u0, d00);
      d01 = dot16(q, u1, d01);
      q = v128.load_splat<i32>(x1, 4);
      d10 = dot16(q, u0, d10);
      d11 = dot16(q, u1, d11);
      q = v128.load_splat<i32>(x2, 4);
      d20 = dot16(q, u0, d20);
      d21 = dot16(q, u1, d21);
      q = v128.load_splat<i32>(x3, 4);
      d30 = dot16(q, u0, d30);
      d31 = dot16(q, u1, d31);
      x0 += 8;
      x1 += 8;
      x2 += 8;
      x3 += 8;
    }
    const s0 = v128.load(s), s1 = v128.load(s, 16);
    let e = v128.load_splat<f32>(b0);
    accumulate(acc, i32x4.extadd_pairwise_i16x8_s(d00), s0, e);
    accumulate(acc + 16, i32x4.extadd_pairwise_i16x8_s(d01), s1, e);
    e = v128.load_splat<f32>(b1);
    accumulate(acc + 32, i32x4.extadd_pairwise_i16x8_s(d10), s0, e);
    accumulate(acc + 48, i32x4.extadd_pairwise_i16x8_s(d11), s1, e);
    e = v128.load_splat<f32>(b2);
    accumulate(acc + 64, i32x4.extadd_pairwise_i16x8_s(d20), s0, e);
    accumulate(acc + 80, i32x4.extadd_pairwise_i16x8_s(d21), s1, e);
    e = v128.load_splat<f32>(b3);
    accumulate(acc + 96, i32x4.extadd_pairwise_i16x8_s(d30), s0, e);
    accumulate(acc + 112, i32x4.extadd_pairwise_i16x8_s(d31), s1, e);
    s += 32;
    b0 += 8;
    b1 += 8;
    b2 += 8;
    b3 += 8;
  }
}

export function tileDot32(acc: usize, x: usize, xStride: usize, blocks: usize, bStride: usize, w: usize, s: usize, count: i32, last: i32): void {
  let x0 = x, x1 = row(x, xStride, 1, last), x2 = row(x, xStride, 2, last);
  let x3 = row(x, xStride, 3, last), x4 = row(x, xStride, 4, last), x5 = row(x, xStride, 5, last);
  const o1 = row(0, bStride, 1, last), o2 = row(0, bStride, 2, last), o3 = row(0, bStride, 3, last);
  const o4 = row(0, bStride, 4, last), o5 = row(0, bStride, 5, last);
  for (let block = 0; block < count; block++) {
    let d00 = i32x4.extadd_pairwise_i16x8_s(v128.load_splat<i32>(blocks, 4)), d01 = d00;
    let d10 = i32x4.extadd_pairwise_i16x8_s(v128.load_splat<i32>(blocks + o1, 4)), d11 = d10;
    let d20 = i32x4.extadd_pairwise_i16x8_s(v128.load_splat<i32>(blocks + o2, 4)), d21 = d20;
    let d30 = i32x4.extadd_pairwise_i16x8_s(v128.load_splat<i32>(blocks + o3, 4)), d31 = d30;
    let d40 = i32x4.extadd_pairwise_i16x8_s(v128.load_splat<i32>(blocks + o4, 4)), d41 = d40;
    let d50 = i32x4.extadd_pairwise_i16x8_s(v128.load_splat<i32>(blocks + o5, 4)), d51 = d50;
    for (const end = w + 256; w < end; w += 32) {
      const u0 = v128.load(w), u1 = v128.load(w, 16);
      let q = v128.load_splat<i32>(x0);
      d00 = dot32(q, u0, d00);
      d01 = dot32(q, u1, d01);
      q = v128.load_splat<i32>(x1);
      d10 = dot32(q, u0, d10);
      d11 = dot32(q, u1, d11);
      q = v128.load_splat<i32>(x2);
      d20 = dot32(q, u0, d20);
      d21 = dot32(q, u1, d21);
      q = v128.load_splat<i32>(x3);
      d30 = dot32(q, u0, d30);
      d31 = dot32(q, u1, d31);
      q = v128.load_splat<i32>(x4);
      d40 = dot32(q, u0, d40);
      d41 = dot32(q, u1, d41);
      q = v128.load_splat<i32>(x5);
      d50 = dot32(q, u0, d50);
      d51 = dot32(q, u1, d51);
      x0 += 4;
      x1 += 4;
      x2 += 4;
      x3 += 4;
      x4 += 4;
      x5 += 4;
    }
    const s0 = v128.load(s), s1 = v128.load(s, 16);
    let e = v128.load_splat<f32>(blocks);
    accumulate(acc, d00, s0, e);
    accumulate(acc + 16, d01, s1, e);
    e = v128.load_splat<f32>(blocks + o1);
    accumulate(acc + 32, d10, s0, e);
    accumulate(acc + 48, d11, s1, e);
    e = v128.load_splat<f32>(blocks + o2);
    accumulate(acc + 64, d20, s0, e);
    accumulate(acc + 80, d21, s1, e);
    e = v128.load_splat<f32>(blocks + o3);
    accumulate(acc + 96, d30, s0, e);
    accumulate(acc + 112, d31, s1, e);
    e = v128.load_splat<f32>(blocks + o4);
    accumulate(acc + 128, d40, s0, e);
    accumulate(acc + 144, d41, s1, e);
    e = v128.load_splat<f32>(blocks + o5);
    accumulate(acc + 160, d50, s0, e);
    accumulate(acc + 176, d51, s1, e);
    s += 32;
    blocks += 8;
  }
}

export function tilePlain(acc: usize, x: usize, xStride: usize, blocks: usize, bStride: usize, w: usize, s: usize, count: i32, last: i32): void {
  let x0 = x, x1 = row(x, xStride, 1, last), x2 = row(x, xStride, 2, last), x3 = row(x, xStride, 3, last);
  let b0 = blocks, b1 = row(blocks, bStride, 1, last), b2 = row(blocks, bStride, 2, last), b3 = row(blocks, bStride, 3, last);
  for (let block = 0; block < count; block++) {
    let d00 = i32x4.splat(0), d01 = d00, d10 = d00, d11 = d00, d20 = d00, d21 = d00, d30 = d00, d31 = d00;
    for (const end = w + 512; w < end; w += 64) {
      let w0 = v128.load(w), w1 = v128.load(w, 16);
      let q = v128.load_splat<i32>(x0);
      d00 = dotPlain(q, w0, d00);
      d01 = dotPlain(q, w1, d01);
      q = v128.load_splat<i32>(x1);
      d10 = dotPlain(q, w0, d10);
      d11 = dotPlain(q, w1, d11);
      q = v128.load_splat<i32>(x2);
      d20 = dotPlain(q, w0, d20);
      d21 = dotPlain(q, w1, d21);
      q = v128.load_splat<i32>(x3);
      d30 = dotPlain(q, w0, d30);
      d31 = dotPlain(q, w1, d31);
      w0 = v128.load(w, 32);
      w1 = v128.load(w, 48);
      q = v128.load_splat<i32>(x0, 4);
      d00 = dotPlain(q, w0, d00);
      d01 = dotPlain(q, w1, d01);
      q = v128.load_splat<i32>(x1, 4);
      d10 = dotPlain(q, w0, d10);
      d11 = dotPlain(q, w1, d11);
      q = v128.load_splat<i32>(x2, 4);
      d20 = dotPlain(q, w0, d20);
      d21 = dotPlain(q, w1, d21);
      q = v128.load_splat<i32>(x3, 4);
      d30 = dotPlain(q, w0, d30);
      d31 = dotPlain(q, w1, d31);
      x0 += 8;
      x1 += 8;
      x2 += 8;
      x3 += 8;
    }
    const s0 = v128.load(s), s1 = v128.load(s, 16);
    let e = v128.load_splat<f32>(b0);
    accumulate(acc, d00, s0, e);
    accumulate(acc + 16, d01, s1, e);
    e = v128.load_splat<f32>(b1);
    accumulate(acc + 32, d10, s0, e);
    accumulate(acc + 48, d11, s1, e);
    e = v128.load_splat<f32>(b2);
    accumulate(acc + 64, d20, s0, e);
    accumulate(acc + 80, d21, s1, e);
    e = v128.load_splat<f32>(b3);
    accumulate(acc + 96, d30, s0, e);
    accumulate(acc + 112, d31, s1, e);
    s += 32;
    b0 += 8;
    b1 += 8;
    b2 += 8;
    b3 += 8;
  }
}
