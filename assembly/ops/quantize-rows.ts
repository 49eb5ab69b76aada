/**
 * quantize-rows: activations to the operand of a linear. Rows are padded with zeros from cols to inner, a multiple of 32.
 *
 *   fp32   y = bound(x)
 *   bf16   y = roundBf16(x), kept as f32
 *   split  y = [roundBf16(x) | roundBf16(x - roundBf16(x))], each half `inner` long: the weights are stored twice
 *   int8   per block of 32: e = exponent of max|x| - 6, one more where max|x| would round to 128;
 *          y = round-half-even(x * 2^-e), blocks = { f32 2^e, i16 pair }: -8 * sum of y over k mod 4 in {0, 1} and {2, 3}
 *
 * x [rows][cols] f32. Rows begin ... end - 1. Exact class: integers and exact powers of two.
 * scratch (int8): 128 bytes. Twins: ts-api/src/backends/oracle/ops/quantize-rows.ts, gpu/ops/quantize-rows.wgsl.
 */
import { MAGNITUDE, MIN_BITS, splat } from "../lib/constants";
import { bound, roundBf16, roundToInt } from "../lib/math";
import { boundRow } from "../lib/rows";

export function quantize_rows_fp32(x: usize, y: usize, cols: i32, inner: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) boundRow(x + (<usize>(r * cols) << 2), y + (<usize>(r * inner) << 2), cols, inner);
}

export function quantize_rows_bf16(x: usize, y: usize, cols: i32, inner: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const to = y + (<usize>(r * inner) << 2);
    boundRow(x + (<usize>(r * cols) << 2), to, cols, inner);
    for (let c: usize = 0; c < <usize>inner << 2; c += 16) v128.store(to + c, roundBf16(v128.load(to + c)));
  }
}

export function quantize_rows_split(x: usize, y: usize, cols: i32, inner: i32, begin: i32, end: i32): void {
  const half = <usize>inner << 2;
  for (let r = begin; r < end; r++) {
    const to = y + half * <usize>(r * 2);
    boundRow(x + (<usize>(r * cols) << 2), to, cols, inner);
    for (let c: usize = 0; c < half; c += 16) {
      const v = v128.load(to + c), high = roundBf16(v);
      v128.store(to + c, high);
      v128.store(to + half + c, roundBf16(f32x4.sub(v, high)));
    }
  }
}

export function quantize_rows_int8(x: usize, y: usize, blocks: usize, cols: i32, inner: i32, scratch: usize, begin: i32, end: i32): void {
  y += <usize>(begin * inner);
  blocks += <usize>(begin * (inner >> 5)) << 3;
  for (let r = begin; r < end; r++) {
    const from = x + (<usize>(r * cols) << 2);
    for (let k = 0; k < inner; k += 32) {
      // 1. 32 values, bounded; the last block of a row is padded
      let source = from + (<usize>k << 2);
      if (k + 32 > cols) {
        boundRow(source, scratch, max(0, cols - k), 32);
        source = scratch;
      }
      const v0 = bound(v128.load(source)), v1 = bound(v128.load(source, 16)), v2 = bound(v128.load(source, 32));
      const v3 = bound(v128.load(source, 48)), v4 = bound(v128.load(source, 64)), v5 = bound(v128.load(source, 80));
      const v6 = bound(v128.load(source, 96)), v7 = bound(v128.load(source, 112));
      // 2. the exponent, from the bits of the largest magnitude
      let m = i32x4.max_s(i32x4.max_s(magnitude(v0, v1), magnitude(v2, v3)), i32x4.max_s(magnitude(v4, v5), magnitude(v6, v7)));
      m = i32x4.max_s(m, v128.shuffle<i32>(m, m, 2, 3, 0, 1));
      m = i32x4.max_s(m, v128.shuffle<i32>(m, m, 1, 0, 3, 2));
      const exponent = ((max(i32x4.extract_lane(m, 0), i32.load(MIN_BITS)) + 0x10000) >> 23) - 133;
      const inverse = f32x4.splat(reinterpret<f32>((127 - exponent) << 23));
      // 3. round to int8
      const q0 = i16x8.narrow_i32x4_s(roundToInt(f32x4.mul(v0, inverse)), roundToInt(f32x4.mul(v1, inverse)));
      const q1 = i16x8.narrow_i32x4_s(roundToInt(f32x4.mul(v2, inverse)), roundToInt(f32x4.mul(v3, inverse)));
      const q2 = i16x8.narrow_i32x4_s(roundToInt(f32x4.mul(v4, inverse)), roundToInt(f32x4.mul(v5, inverse)));
      const q3 = i16x8.narrow_i32x4_s(roundToInt(f32x4.mul(v6, inverse)), roundToInt(f32x4.mul(v7, inverse)));
      v128.store(y, i8x16.narrow_i16x8_s(q0, q1));
      v128.store(y, i8x16.narrow_i16x8_s(q2, q3), 16);
      // 4. 2^e, and the correction for the offset 8 of the weights
      f32.store(blocks, reinterpret<f32>((127 + exponent) << 23));
      let s = i32x4.dot_i16x8_s(i16x8.add(i16x8.add(q0, q1), i16x8.add(q2, q3)), i16x8.splat(-8));
      s = i32x4.add(s, v128.shuffle<i32>(s, s, 2, 3, 0, 1));
      i32.store(blocks, (i32x4.extract_lane(s, 0) & 0xffff) | (i32x4.extract_lane(s, 1) << 16), 4);
      y += 32;
      blocks += 8;
    }
  }
}

@inline
function magnitude(a: v128, b: v128): v128 {
  return i32x4.max_s(v128.and(a, splat(MAGNITUDE)), v128.and(b, splat(MAGNITUDE)));
}
