/** Unpacks parts of int4 panels, as they are stored, to the layouts that the tiles read, in scratch memory. */
import { NIBBLES, splat } from "../../lib/constants";
import { storeSplats } from "../../lib/pack-rows";

/** [count / 4][16] nibble pairs to u8, every `step` bytes 32: 4 inputs of columns 0-3, then of columns 4-7. */
export function unpackNibbles(w: usize, to: usize, count: i32, step: usize): void {
  for (const end = w + (<usize>count << 2); w < end; w += 16) {
    const v = v128.load(w);
    v128.store(to, v128.and(v, i8x16.splat(15)));
    v128.store(to, i8x16.shr_u(v, 4), 16);
    to += step;
  }
}

/** [count / 4][16] nibble pairs to [count / 2][16] i16 of u - 8: 2 inputs of 8 columns. */
export function unpackWide(w: usize, to: usize, count: i32): void {
  for (const end = w + (<usize>count << 2); w < end; w += 16) {
    const v = v128.load(w);
    // Bytes 4 c + i of columns c, as inputs i = 0 1 of all columns, then 2 3.
    const low = i8x16.sub(v128.and(v, i8x16.splat(15)), i8x16.splat(8));
    const high = i8x16.sub(i8x16.shr_u(v, 4), i8x16.splat(8));
    const lowPairs = v128.shuffle<u8>(low, low, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const highPairs = v128.shuffle<u8>(high, high, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    v128.store(to, i16x8.extend_low_i8x16_s(lowPairs));
    v128.store(to, i16x8.extend_low_i8x16_s(highPairs), 16);
    v128.store(to, i16x8.extend_high_i8x16_s(lowPairs), 32);
    v128.store(to, i16x8.extend_high_i8x16_s(highPairs), 48);
    to += 64;
  }
}

/** [count / 4][16] nibble pairs to the steps of tileDot16Lanes, 16 bytes every 32. */
export function unpackLanes(w: usize, to: usize, count: i32): void {
  const nibbles = splat(NIBBLES);
  for (let left = count; left > 0; left -= 32) {
    const v = v128.load(w), first = highNibbles(v, nibbles);
    let low = v128.and(v, nibbles), high = first;
    for (const end = w + 112; w < end; w += 16) {
      const next = v128.load(w, 16), nextHigh = highNibbles(next, nibbles);
      storeLanes(to, low, high, nextHigh);
      low = v128.and(next, nibbles);
      high = nextHigh;
      to += 64;
    }
    storeLanes(to, low, high, first);
    to += 64;
    w += 16;
  }
}

/** [count / 4][16] nibble pairs to the words of tileDot16Columns, [2][count / 4][4], each a vector. */
export function unpackColumnNibbles(w: usize, to: usize, count: i32): void {
  const half = <usize>count << 4;
  for (const end = w + (<usize>count << 2); w < end; w += 16) {
    const v = v128.load(w);
    storeSplats(to, v128.and(v, i8x16.splat(15)));
    storeSplats(to + half, i8x16.shr_u(v, 4));
    to += 64;
  }
}

/** bf16 scales of 8 columns, one for `repeat` blocks, to f32: [2][blocks][4], each a vector. */
export function unpackColumnScales(scales: usize, to: usize, blocks: i32, repeat: i32): void {
  const half = <usize>blocks << 6;
  for (let left = blocks; left > 0; scales += 16) {
    const v = v128.load(scales), v0 = i32x4.shl(i32x4.extend_low_i16x8_u(v), 16), v1 = i32x4.shl(i32x4.extend_high_i16x8_u(v), 16);
    for (const next = max(0, left - repeat); left > next; left--) {
      storeSplats(to, v0);
      storeSplats(to + half, v1);
      to += 64;
    }
  }
}

/** Takes three instructions less than a shift of bytes. */
@inline
function highNibbles(v: v128, nibbles: v128): v128 {
  return v128.and(i32x4.shr_u(v, 4), nibbles);
}

/** Two steps of four inputs: columns 0-3 in even lanes of i16, columns 4-7 two inputs ahead in odd ones. */
@inline
function storeLanes(to: usize, low: v128, high: v128, nextHigh: v128): void {
  v128.store(to, v128.shuffle<u16>(low, high, 0, 9, 2, 11, 4, 13, 6, 15));
  v128.store(to, v128.or(i32x4.shr_u(low, 16), i32x4.shl(nextHigh, 16)), 32);
}

/** bf16 scales of 8 columns, one for `repeat` blocks, to f32, every `step` bytes 8; with `lanes` in the order 0 4 1 5 2 6 3 7. */
@inline
export function unpackScales(lanes: bool, scales: usize, to: usize, blocks: i32, repeat: i32, step: usize): void {
  for (const end = to + step * <usize>blocks; to < end; scales += 16) {
    const v = v128.load(scales), v0 = i32x4.shl(i32x4.extend_low_i16x8_u(v), 16), v1 = i32x4.shl(i32x4.extend_high_i16x8_u(v), 16);
    const low = lanes ? v128.shuffle<u32>(v0, v1, 0, 4, 1, 5) : v0, high = lanes ? v128.shuffle<u32>(v0, v1, 2, 6, 3, 7) : v1;
    for (const same = min(end, to + step * <usize>repeat); to < same; to += step) {
      v128.store(to, low);
      v128.store(to, high, 16);
    }
  }
}
