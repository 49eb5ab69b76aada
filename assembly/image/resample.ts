/**
 * The two passes of Pillow's resize for 8-bit RGB, bit for bit: out = clamp((2^21 + sum of pixel * coefficient) >> 22, 0 ... 255), the
 * sum modulo 2^32.
 *
 * A coefficient is high * 2^16 + low, both i16, so two products of a pixel and a half fit one dot product of i16; the sum modulo 2^32 is
 * the same. Coefficients are stored in pairs of taps: a word with the two low halves, then one with the two high ones.
 *
 * Twin: ts-api/src/image/resize.ts, `resampleRows` and `resampleColumns`; the layout of the tables: ts-api/src/image/resizer.ts.
 */

/** 2^21: half of the last bit that is kept. */
const HALF: i32 = 0x200000;
const SHIFT: i32 = 22;

/**
 * src [rows][stride] u8, pixels of three bytes; dst [rows][dstStride] u8. rows is a multiple of 4. For each of `width` pixels of a row of
 * dst: the byte of its first input pixel in a row (i32, at `firsts`), and its taps, `groups` times four (i32, at `groups`), 16 bytes a
 * group at `coefficients`, `tableStride` bytes from one pixel to the next. Reads up to 16 bytes beyond a row, writes one beyond it.
 */
export function resample_rows(
  src: usize, stride: usize, dst: usize, dstStride: usize, rows: i32, width: i32, firsts: usize, groups: usize, coefficients: usize, tableStride: usize,
): void {
  const stride2 = stride << 1, stride3 = stride2 + stride, dstStride2 = dstStride << 1, dstStride3 = dstStride2 + dstStride;
  for (let y = 0; y < rows; y += 4) {
    for (let x: usize = 0; x < <usize>width; x++) {
      let at = src + <usize>i32.load(firsts + (x << 2)), table = coefficients + x * tableStride;
      const end = table + (<usize>i32.load(groups + (x << 2)) << 4);
      let low0 = i32x4.splat(HALF), low1 = i32x4.splat(HALF), low2 = i32x4.splat(HALF), low3 = i32x4.splat(HALF);
      let high0 = i32x4.splat(0), high1 = i32x4.splat(0), high2 = i32x4.splat(0), high3 = i32x4.splat(0);
      for (; table < end; table += 16, at += 12) {
        const lows01 = v128.load32_splat(table), highs01 = v128.load32_splat(table + 4);
        const lows23 = v128.load32_splat(table + 8), highs23 = v128.load32_splat(table + 12);
        const row0 = v128.load(at), row1 = v128.load(at + stride), row2 = v128.load(at + stride2), row3 = v128.load(at + stride3);
        const taps0 = byColor(row0), near0 = i16x8.extend_low_i8x16_u(taps0), far0 = i16x8.extend_high_i8x16_u(taps0);
        low0 = i32x4.add(low0, i32x4.add(i32x4.dot_i16x8_s(near0, lows01), i32x4.dot_i16x8_s(far0, lows23)));
        high0 = i32x4.add(high0, i32x4.add(i32x4.dot_i16x8_s(near0, highs01), i32x4.dot_i16x8_s(far0, highs23)));
        const taps1 = byColor(row1), near1 = i16x8.extend_low_i8x16_u(taps1), far1 = i16x8.extend_high_i8x16_u(taps1);
        low1 = i32x4.add(low1, i32x4.add(i32x4.dot_i16x8_s(near1, lows01), i32x4.dot_i16x8_s(far1, lows23)));
        high1 = i32x4.add(high1, i32x4.add(i32x4.dot_i16x8_s(near1, highs01), i32x4.dot_i16x8_s(far1, highs23)));
        const taps2 = byColor(row2), near2 = i16x8.extend_low_i8x16_u(taps2), far2 = i16x8.extend_high_i8x16_u(taps2);
        low2 = i32x4.add(low2, i32x4.add(i32x4.dot_i16x8_s(near2, lows01), i32x4.dot_i16x8_s(far2, lows23)));
        high2 = i32x4.add(high2, i32x4.add(i32x4.dot_i16x8_s(near2, highs01), i32x4.dot_i16x8_s(far2, highs23)));
        const taps3 = byColor(row3), near3 = i16x8.extend_low_i8x16_u(taps3), far3 = i16x8.extend_high_i8x16_u(taps3);
        low3 = i32x4.add(low3, i32x4.add(i32x4.dot_i16x8_s(near3, lows01), i32x4.dot_i16x8_s(far3, lows23)));
        high3 = i32x4.add(high3, i32x4.add(i32x4.dot_i16x8_s(near3, highs01), i32x4.dot_i16x8_s(far3, highs23)));
      }
      // The fourth byte is the next pixel's first, which is written after it.
      const to = dst + x * 3;
      i32.store(to, pixelOf(low0, high0));
      i32.store(to + dstStride, pixelOf(low1, high1));
      i32.store(to + dstStride2, pixelOf(low2, high2));
      i32.store(to + dstStride3, pixelOf(low3, high3));
    }
    src += stride << 2;
    dst += dstStride << 2;
  }
}

/**
 * src [..][stride] u8, stride a multiple of 16; dst [height][stride] u8. For each row of dst: its first input row (i32, at `firsts`) and
 * its taps, `pairs` times two (i32, at `pairs`), 8 bytes a pair at `coefficients`, `tableStride` bytes from one row to the next. Reads
 * one row beyond an odd number of taps.
 */
export function resample_columns(
  src: usize, stride: usize, dst: usize, height: i32, firsts: usize, pairs: usize, coefficients: usize, tableStride: usize,
): void {
  for (let y: usize = 0; y < <usize>height; y++) {
    const first = src + <usize>i32.load(firsts + (y << 2)) * stride, begin = coefficients + y * tableStride;
    const end = begin + (<usize>i32.load(pairs + (y << 2)) << 3);
    for (let column: usize = 0; column < stride; column += 16) {
      let at = first + column;
      let low0 = i32x4.splat(HALF), low1 = i32x4.splat(HALF), low2 = i32x4.splat(HALF), low3 = i32x4.splat(HALF);
      let high0 = i32x4.splat(0), high1 = i32x4.splat(0), high2 = i32x4.splat(0), high3 = i32x4.splat(0);
      for (let table = begin; table < end; table += 8, at += stride << 1) {
        const lows = v128.load32_splat(table), highs = v128.load32_splat(table + 4);
        const upper = v128.load(at), lower = v128.load(at + stride);
        const left = v128.shuffle<i8>(upper, lower, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const right = v128.shuffle<i8>(upper, lower, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        const taps0 = i16x8.extend_low_i8x16_u(left), taps1 = i16x8.extend_high_i8x16_u(left);
        const taps2 = i16x8.extend_low_i8x16_u(right), taps3 = i16x8.extend_high_i8x16_u(right);
        low0 = i32x4.add(low0, i32x4.dot_i16x8_s(taps0, lows));
        high0 = i32x4.add(high0, i32x4.dot_i16x8_s(taps0, highs));
        low1 = i32x4.add(low1, i32x4.dot_i16x8_s(taps1, lows));
        high1 = i32x4.add(high1, i32x4.dot_i16x8_s(taps1, highs));
        low2 = i32x4.add(low2, i32x4.dot_i16x8_s(taps2, lows));
        high2 = i32x4.add(high2, i32x4.dot_i16x8_s(taps2, highs));
        low3 = i32x4.add(low3, i32x4.dot_i16x8_s(taps3, lows));
        high3 = i32x4.add(high3, i32x4.dot_i16x8_s(taps3, highs));
      }
      const first8 = i16x8.narrow_i32x4_s(rounded(low0, high0), rounded(low1, high1));
      const last8 = i16x8.narrow_i32x4_s(rounded(low2, high2), rounded(low3, high3));
      v128.store(dst + column, i8x16.narrow_i16x8_u(first8, last8));
    }
    dst += stride;
  }
}

/**
 * Of four pixels side by side the first two in the low half, the others in the high one: both reds, both greens, both blues, two unused
 * bytes. A shuffle, because V8 in Node 24 makes two more instructions of each swizzle by a constant.
 */
@inline
function byColor(pixels: v128): v128 {
  return v128.shuffle<u8>(pixels, pixels, 0, 3, 1, 4, 2, 5, 0, 0, 6, 9, 7, 10, 8, 11, 0, 0);
}

@inline
function rounded(low: v128, high: v128): v128 {
  return i32x4.shr_s(i32x4.add(low, i32x4.shl(high, 16)), SHIFT);
}

/** Red, green and blue in the low bytes of a word. */
@inline
function pixelOf(low: v128, high: v128): i32 {
  const sums = rounded(low, high), narrow = i16x8.narrow_i32x4_s(sums, sums);
  return i32x4.extract_lane(i8x16.narrow_i16x8_u(narrow, narrow), 0);
}
