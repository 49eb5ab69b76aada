/**
 * Codes of four bits to the values of a codebook, 16 codes at a time: one swizzle for each byte of the code's f32.
 *
 * Twins: ts-api/src/core/codebooks.ts, gpu/lib/codebook.wgsl.
 */

export const NF4: i32 = 0;
export const FP4: i32 = 1;

/** Values `quarter * 4` to `quarter * 4 + 3` of a codebook. */
@inline
function values(codebook: i32, quarter: i32): v128 {
  if (codebook == NF4) {
    if (quarter == 0) return f32x4(-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453);
    if (quarter == 1) return f32x4(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0);
    if (quarter == 2) return f32x4(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224);
    return f32x4(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1);
  }
  if (quarter == 0) return f32x4(0, 0.0052083334885537624, 0.6666666865348816, 1);
  if (quarter == 1) return f32x4(0.3333333432674408, 0.5, 0.1666666716337204, 0.25);
  if (quarter == 2) return f32x4(0, -0.0052083334885537624, -0.6666666865348816, -1);
  return f32x4(-0.3333333432674408, -0.5, -0.1666666716337204, -0.25);
}

/** Byte `index` (0 is the lowest) of each of the 16 values. */
@inline
export function plane(codebook: i32, index: i32): v128 {
  const shift = 8 * index, low = i32x4.splat(255);
  const a = v128.and(i32x4.shr_u(values(codebook, 0), shift), low), b = v128.and(i32x4.shr_u(values(codebook, 1), shift), low);
  const c = v128.and(i32x4.shr_u(values(codebook, 2), shift), low), d = v128.and(i32x4.shr_u(values(codebook, 3), shift), low);
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(a, b), i16x8.narrow_i32x4_u(c, d));
}

/** Bytes 0 to 7 of a and b, in turn: a0 b0 a1 b1 ... */
@inline
export function zipLow(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** Bytes 8 to 15 of a and b, in turn. */
@inline
export function zipHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
