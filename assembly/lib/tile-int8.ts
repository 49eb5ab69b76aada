/**
 * Products of int8 rows with int8 columns, block by block of 32 inputs.
 *
 *   d         = sum over the block of q[r][k] * u[k][c]       integers, exact in any order
 *   acc[r][c] += (d * 2^e[r][block]) * s[block][c]            one f32 rounding: |d| < 2^19, s has 5 bits
 *
 * As in lib/tile-int4.ts no integer is converted: bits(m) + d is the float m + d * 2^e for m = 1.5 * 2^(23 + e), |d| < 2^22. The loop
 * for one panel of 8 columns by i32x4.dot_i16x8_s (tilePlain) is in that file too. Here:
 *
 * tileWide: the same for two panels, 4 rows. x and blocks as for tilePlain; w [count * 16][32] i16: 2 inputs of 16 columns;
 * s [count][16]; acc: the sums of the first panel, [4][8], and PANEL_SUMS further on those of the second. Sixteen vectors of sums: for
 * engines that combine two to one of 256 bits, or have 32 registers.
 *
 * tileHalves: i32x4.relaxed_dot_i8x16_i7x16_add_s (VNNI, SDOT), 6 rows. u = 16 h + l - 128 with h and l in 0 ... 15, a range in which the
 * instruction has one result: the products with h, shifted by four bits, then those with l.
 * x as for tileDot32 of int4; blocks [count]{ 6 x i32 first, 6 x f32 m }, first = bits(m) / 16 - 8 * sum of q;
 * w [count][2][8][32] u8: h of 4 inputs of 8 columns, eight times, then l. s and acc as for one panel.
 */
import { addScaled, dot32, dotPlain } from "./tile-int4";
import { PANEL_SUMS } from "./tile-int4-wide";

export function tileWide(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  for (const last = w + (<usize>count << 10); w < last; ) {
    let u0: v128, u1: v128, u2: v128, u3: v128, q: v128, m: v128;
    let d00 = v128.load_splat<i32>(blocks), d01 = d00, d02 = d00, d03 = d00;
    let d10 = v128.load_splat<i32>(blocks, 4), d11 = d10, d12 = d10, d13 = d10;
    let d20 = v128.load_splat<i32>(blocks, 8), d21 = d20, d22 = d20, d23 = d20;
    let d30 = v128.load_splat<i32>(blocks, 12), d31 = d30, d32 = d30, d33 = d30;
    for (const end = w + 1024; w < end; w += 256) {
      u0 = v128.load(w); u1 = v128.load(w, 16); u2 = v128.load(w, 32); u3 = v128.load(w, 48);
      q = v128.load_splat<i32>(x);
      d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01); d02 = dotPlain(q, u2, d02); d03 = dotPlain(q, u3, d03);
      q = v128.load_splat<i32>(x, 4);
      d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11); d12 = dotPlain(q, u2, d12); d13 = dotPlain(q, u3, d13);
      q = v128.load_splat<i32>(x, 8);
      d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21); d22 = dotPlain(q, u2, d22); d23 = dotPlain(q, u3, d23);
      q = v128.load_splat<i32>(x, 12);
      d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31); d32 = dotPlain(q, u2, d32); d33 = dotPlain(q, u3, d33);
      x += 16;
      u0 = v128.load(w, 64); u1 = v128.load(w, 80); u2 = v128.load(w, 96); u3 = v128.load(w, 112);
      q = v128.load_splat<i32>(x);
      d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01); d02 = dotPlain(q, u2, d02); d03 = dotPlain(q, u3, d03);
      q = v128.load_splat<i32>(x, 4);
      d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11); d12 = dotPlain(q, u2, d12); d13 = dotPlain(q, u3, d13);
      q = v128.load_splat<i32>(x, 8);
      d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21); d22 = dotPlain(q, u2, d22); d23 = dotPlain(q, u3, d23);
      q = v128.load_splat<i32>(x, 12);
      d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31); d32 = dotPlain(q, u2, d32); d33 = dotPlain(q, u3, d33);
      x += 16;
      u0 = v128.load(w, 128); u1 = v128.load(w, 144); u2 = v128.load(w, 160); u3 = v128.load(w, 176);
      q = v128.load_splat<i32>(x);
      d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01); d02 = dotPlain(q, u2, d02); d03 = dotPlain(q, u3, d03);
      q = v128.load_splat<i32>(x, 4);
      d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11); d12 = dotPlain(q, u2, d12); d13 = dotPlain(q, u3, d13);
      q = v128.load_splat<i32>(x, 8);
      d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21); d22 = dotPlain(q, u2, d22); d23 = dotPlain(q, u3, d23);
      q = v128.load_splat<i32>(x, 12);
      d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31); d32 = dotPlain(q, u2, d32); d33 = dotPlain(q, u3, d33);
      x += 16;
      u0 = v128.load(w, 192); u1 = v128.load(w, 208); u2 = v128.load(w, 224); u3 = v128.load(w, 240);
      q = v128.load_splat<i32>(x);
      d00 = dotPlain(q, u0, d00); d01 = dotPlain(q, u1, d01); d02 = dotPlain(q, u2, d02); d03 = dotPlain(q, u3, d03);
      q = v128.load_splat<i32>(x, 4);
      d10 = dotPlain(q, u0, d10); d11 = dotPlain(q, u1, d11); d12 = dotPlain(q, u2, d12); d13 = dotPlain(q, u3, d13);
      q = v128.load_splat<i32>(x, 8);
      d20 = dotPlain(q, u0, d20); d21 = dotPlain(q, u1, d21); d22 = dotPlain(q, u2, d22); d23 = dotPlain(q, u3, d23);
      q = v128.load_splat<i32>(x, 12);
      d30 = dotPlain(q, u0, d30); d31 = dotPlain(q, u1, d31); d32 = dotPlain(q, u2, d32); d33 = dotPlain(q, u3, d33);
      x += 16;
    }
    u0 = v128.load(s); u1 = v128.load(s, 16); u2 = v128.load(s, 32); u3 = v128.load(s, 48);
    m = v128.load_splat<f32>(blocks, 16);
    addScaled(acc, d00, d01, m, u0, u1);
    addScaled(acc + PANEL_SUMS, d02, d03, m, u2, u3);
    m = v128.load_splat<f32>(blocks, 20);
    addScaled(acc + 32, d10, d11, m, u0, u1);
    addScaled(acc + PANEL_SUMS + 32, d12, d13, m, u2, u3);
    m = v128.load_splat<f32>(blocks, 24);
    addScaled(acc + 64, d20, d21, m, u0, u1);
    addScaled(acc + PANEL_SUMS + 64, d22, d23, m, u2, u3);
    m = v128.load_splat<f32>(blocks, 28);
    addScaled(acc + 96, d30, d31, m, u0, u1);
    addScaled(acc + PANEL_SUMS + 96, d32, d33, m, u2, u3);
    s += 64;
    blocks += 32;
  }
}

export function tileHalves(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  for (const last = w + (<usize>count << 9); w < last; ) {
    let u0: v128, u1: v128, q: v128;
    let d00 = v128.load_splat<i32>(blocks), d01 = d00;
    let d10 = v128.load_splat<i32>(blocks, 4), d11 = d10;
    let d20 = v128.load_splat<i32>(blocks, 8), d21 = d20;
    let d30 = v128.load_splat<i32>(blocks, 12), d31 = d30;
    let d40 = v128.load_splat<i32>(blocks, 16), d41 = d40;
    let d50 = v128.load_splat<i32>(blocks, 20), d51 = d50;
    for (const end = w + 512; ; x -= 192) {
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
      w += 256;
      if (w == end) break;
      d00 = i32x4.shl(d00, 4); d01 = i32x4.shl(d01, 4);
      d10 = i32x4.shl(d10, 4); d11 = i32x4.shl(d11, 4);
      d20 = i32x4.shl(d20, 4); d21 = i32x4.shl(d21, 4);
      d30 = i32x4.shl(d30, 4); d31 = i32x4.shl(d31, 4);
      d40 = i32x4.shl(d40, 4); d41 = i32x4.shl(d41, 4);
      d50 = i32x4.shl(d50, 4); d51 = i32x4.shl(d51, 4);
    }
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
