/*
 * libjpeg-turbo's accurate inverse DCT (of Loeffler, Ligtenberg and Moschytz), in lanes of 16 bits as on x86-64. Encoders write nothing
 * that does not fit; what damaged files hold wraps and saturates as there, so that they have Pillow's pixels.
 *
 * It stands in the place of jidctint.c.
 */
#include <wasm_simd128.h>

#define JPEG_INTERNALS
#include <jinclude.h>
#include <jpeglib.h>
#include <jdct.h>

/** Bits of the fraction of the constants, and those that are kept between the passes. */
#define CONST_BITS 13
#define PASS1_BITS 2
#define FIX(x) ((short)((x) * (1 << CONST_BITS) + 0.5))

#define LOW_PAIRS(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_PAIRS(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)

/** Of each pair (a, b): a * first + b * second. */
static inline v128_t dot(v128_t pairs, short first, short second) {
  return wasm_i32x4_dot_i16x8(pairs, wasm_i16x8_make(first, second, first, second, first, second, first, second));
}

/** `value` and what its mirror image is, still with the fraction of the constants. */
static inline void sum_and_difference(v128_t a, v128_t b, int shift, v128_t *sum, v128_t *difference) {
  v128_t half = wasm_i32x4_splat(1 << (shift - 1));
  *sum = wasm_i32x4_shr(wasm_i32x4_add(wasm_i32x4_add(a, b), half), shift);
  *difference = wasm_i32x4_shr(wasm_i32x4_add(wasm_i32x4_sub(a, b), half), shift);
}

/** One dimension of four columns. The pairs are rows (2, 6), (7, 1), (5, 3), and the sums of rows (7 + 3, 5 + 1). */
static inline void half_pass(v128_t even0, v128_t even1, v128_t p26, v128_t p71, v128_t p53, v128_t z34, int shift, v128_t out[8]) {
  v128_t tmp0 = wasm_i32x4_shl(even0, CONST_BITS), tmp1 = wasm_i32x4_shl(even1, CONST_BITS);
  v128_t tmp3 = dot(p26, FIX(0.541196100) + FIX(0.765366865), FIX(0.541196100));
  v128_t tmp2 = dot(p26, FIX(0.541196100), FIX(0.541196100) - FIX(1.847759065));
  v128_t z3 = dot(z34, FIX(1.175875602) - FIX(1.961570560), FIX(1.175875602));
  v128_t z4 = dot(z34, FIX(1.175875602), FIX(1.175875602) - FIX(0.390180644));
  v128_t odd0 = wasm_i32x4_add(dot(p71, FIX(0.298631336) - FIX(0.899976223), -FIX(0.899976223)), z3);
  v128_t odd1 = wasm_i32x4_add(dot(p53, FIX(2.053119869) - FIX(2.562915447), -FIX(2.562915447)), z4);
  v128_t odd2 = wasm_i32x4_add(dot(p53, -FIX(2.562915447), FIX(3.072711026) - FIX(2.562915447)), z3);
  v128_t odd3 = wasm_i32x4_add(dot(p71, -FIX(0.899976223), FIX(1.501321110) - FIX(0.899976223)), z4);
  sum_and_difference(wasm_i32x4_add(tmp0, tmp3), odd3, shift, &out[0], &out[7]);
  sum_and_difference(wasm_i32x4_add(tmp1, tmp2), odd2, shift, &out[1], &out[6]);
  sum_and_difference(wasm_i32x4_sub(tmp1, tmp2), odd1, shift, &out[2], &out[5]);
  sum_and_difference(wasm_i32x4_sub(tmp0, tmp3), odd0, shift, &out[3], &out[4]);
}

/** One dimension of eight columns, in place. */
static inline void pass(v128_t x[8], int shift) {
  v128_t sum = wasm_i16x8_add(x[0], x[4]), difference = wasm_i16x8_sub(x[0], x[4]);
  v128_t z3 = wasm_i16x8_add(x[7], x[3]), z4 = wasm_i16x8_add(x[5], x[1]), low[8], high[8];
  half_pass(wasm_i32x4_extend_low_i16x8(sum), wasm_i32x4_extend_low_i16x8(difference),
            LOW_PAIRS(x[2], x[6]), LOW_PAIRS(x[7], x[1]), LOW_PAIRS(x[5], x[3]), LOW_PAIRS(z3, z4), shift, low);
  half_pass(wasm_i32x4_extend_high_i16x8(sum), wasm_i32x4_extend_high_i16x8(difference),
            HIGH_PAIRS(x[2], x[6]), HIGH_PAIRS(x[7], x[1]), HIGH_PAIRS(x[5], x[3]), HIGH_PAIRS(z3, z4), shift, high);
  for (int i = 0; i < 8; i++) x[i] = wasm_i16x8_narrow_i32x4(low[i], high[i]);
}

/** Rows become columns: three times, each row is mixed with the one four below. */
static inline void transpose(v128_t x[8]) {
  for (int round = 0; round < 3; round++) {
    v128_t y[8];
    for (int i = 0; i < 4; i++) {
      y[2 * i] = LOW_PAIRS(x[i], x[i + 4]);
      y[2 * i + 1] = HIGH_PAIRS(x[i], x[i + 4]);
    }
    for (int i = 0; i < 8; i++) x[i] = y[i];
  }
}

void jpeg_idct_islow(j_decompress_ptr codec, jpeg_component_info *component, JCOEFPTR coefficients, JSAMPARRAY rows, JDIMENSION column) {
  (void)codec;
  const ISLOW_MULT_TYPE *factors = component->dct_table;
  v128_t x[8], others = wasm_i16x8_splat(0);
  for (int i = 1; i < 8; i++) others = wasm_v128_or(others, wasm_v128_load(coefficients + 8 * i));
  int flat = !wasm_v128_any_true(others);
  for (int i = 0; i < (flat ? 1 : 8); i++) {
    v128_t factor = wasm_i16x8_shuffle(wasm_v128_load(factors + 8 * i), wasm_v128_load(factors + 8 * i + 4), 0, 2, 4, 6, 8, 10, 12, 14);
    x[i] = wasm_i16x8_mul(wasm_v128_load(coefficients + 8 * i), factor);
  }
  if (flat) {
    x[0] = wasm_i16x8_shl(x[0], PASS1_BITS);
    for (int i = 1; i < 8; i++) x[i] = x[0];
  } else {
    pass(x, CONST_BITS - PASS1_BITS);
  }
  transpose(x);
  pass(x, CONST_BITS + PASS1_BITS + 3);
  transpose(x);
  for (int i = 0; i < 8; i += 2) {
    v128_t samples = wasm_i8x16_add(wasm_i8x16_narrow_i16x8(x[i], x[i + 1]), wasm_i8x16_splat((char)CENTERJSAMPLE));
    wasm_v128_store64_lane(rows[i] + column, samples, 0);
    wasm_v128_store64_lane(rows[i + 1] + column, samples, 1);
  }
}
