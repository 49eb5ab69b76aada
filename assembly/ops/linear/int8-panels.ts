/** Unpacks parts of int8 panels, as they are stored ([count / 4][8][4] bytes), to the layouts that the tiles read, in scratch memory. */
import { INT8_SCALE_BITS, NIBBLES, SIGN_BITS, splat } from "../../lib/constants";

/** To i16: 2 inputs of 8 columns, every `step` bytes. */
export function unpackPairs(w: usize, to: usize, count: i32, step: usize): void {
  for (const end = w + (<usize>count << 3); w < end; w += 32) {
    const low = inputPairs(v128.load(w)), high = inputPairs(v128.load(w, 16));
    v128.store(to, i16x8.extend_low_i8x16_s(low));
    v128.store(to, i16x8.extend_low_i8x16_s(high), 16);
    to += step;
    v128.store(to, i16x8.extend_high_i8x16_s(low));
    v128.store(to, i16x8.extend_high_i8x16_s(high), 16);
    to += step;
  }
}

/** Bytes 4 c + i of four columns, as inputs i = 0 1 of all columns, then 2 3. */
@inline
function inputPairs(v: v128): v128 {
  return v128.shuffle<u8>(v, v, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
}

/** To u8, block by block: the upper four bits of u + 128, then the lower ones. */
export function unpackHalves(w: usize, to: usize, count: i32): void {
  const nibbles = splat(NIBBLES), signs = splat(SIGN_BITS);
  for (let left = count; left > 0; left -= 32) {
    for (const end = w + 256; w < end; w += 16) {
      const v = v128.xor(v128.load(w), signs);
      v128.store(to, v128.and(i32x4.shr_u(v, 4), nibbles));
      v128.store(to, v128.and(v, nibbles), 256);
      to += 16;
    }
    to += 256;
  }
}

/** The scales of 8 columns to f32, every `step` bytes. */
export function unpackInt8Scales(scales: usize, to: usize, blocks: i32, step: usize): void {
  const kept = splat(INT8_SCALE_BITS);
  for (const end = to + step * <usize>blocks; to < end; to += step) {
    const v = v128.load(scales);
    v128.store(to, v128.and(i32x4.shl(i32x4.extend_low_i16x8_u(v), 16), kept));
    v128.store(to, v128.and(i32x4.shl(i32x4.extend_high_i16x8_u(v), 16), kept), 16);
    scales += 16;
  }
}
