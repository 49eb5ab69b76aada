/** Unpacks a part of a panel, as it is stored, to [count][8] f32 in scratch memory. */
import { plane, zipHigh, zipLow } from "../../lib/codebook";
import { roundBf16 } from "../../lib/math";
import { storeSplats } from "../../lib/pack-rows";

/** [count][8] bf16. */
export function unpackBf16(w: usize, to: usize, count: i32): void {
  for (const end = w + (<usize>count << 4); w < end; w += 16) {
    const v = v128.load(w);
    v128.store(to, i32x4.shl(i32x4.extend_low_i16x8_u(v), 16));
    v128.store(to, i32x4.shl(i32x4.extend_high_i16x8_u(v), 16), 16);
    to += 32;
  }
}

/** [count / 4][16] pairs of codes and one scale a column for `group` inputs: roundBf16(codebook[u] * s). */
@inline
export function unpackCodes(codebook: i32, w: usize, scales: usize, group: i32, to: usize, count: i32): void {
  decodeGroups(plane(codebook, 0), plane(codebook, 1), plane(codebook, 2), plane(codebook, 3), w, scales, group, to, count);
}

function decodeGroups(p0: v128, p1: v128, p2: v128, p3: v128, w: usize, scales: usize, group: i32, to: usize, count: i32): void {
  for (let left = count; left > 0; left -= group) {
    const s0 = v128.load(scales), s1 = v128.load(scales, 16);
    scales += 32;
    for (const end = w + (<usize>min(group, left) << 2); w < end; w += 16) {
      const v = v128.load(w);
      // Byte 4 c + i of column c and input i becomes byte 4 i + c: one input of four columns is one vector.
      const pairs = v128.shuffle<u8>(v, v, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      decode(p0, p1, p2, p3, v128.and(pairs, i8x16.splat(15)), s0, to);
      decode(p0, p1, p2, p3, i8x16.shr_u(pairs, 4), s1, to + 16);
      to += 128;
    }
  }
}

/** Four inputs of four columns. */
@inline
function decode(p0: v128, p1: v128, p2: v128, p3: v128, codes: v128, scale: v128, to: usize): void {
  const b0 = i8x16.swizzle(p0, codes), b1 = i8x16.swizzle(p1, codes), b2 = i8x16.swizzle(p2, codes), b3 = i8x16.swizzle(p3, codes);
  const lowA = zipLow(b0, b1), lowB = zipHigh(b0, b1), highA = zipLow(b2, b3), highB = zipHigh(b2, b3);
  v128.store(to, roundBf16(f32x4.mul(v128.shuffle<u16>(lowA, highA, 0, 8, 1, 9, 2, 10, 3, 11), scale)));
  v128.store(to, roundBf16(f32x4.mul(v128.shuffle<u16>(lowA, highA, 4, 12, 5, 13, 6, 14, 7, 15), scale)), 32);
  v128.store(to, roundBf16(f32x4.mul(v128.shuffle<u16>(lowB, highB, 0, 8, 1, 9, 2, 10, 3, 11), scale)), 64);
  v128.store(to, roundBf16(f32x4.mul(v128.shuffle<u16>(lowB, highB, 4, 12, 5, 13, 6, 14, 7, 15), scale)), 96);
}

/** [count][8] f32 as tileColumns reads them: [2][count][4], each value a vector. */
export function splatColumns(w: usize, to: usize, count: i32): void {
  const half = <usize>count << 6;
  for (const end = w + (<usize>count << 5); w < end; w += 32) {
    storeSplats(to, v128.load(w));
    storeSplats(to + half, v128.load(w, 16));
    to += 64;
  }
}
