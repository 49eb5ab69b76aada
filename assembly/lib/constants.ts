/**
 * The constants of the numeric contract, each by its address: an engine splats one from memory in one instruction, but builds
 * a constant vector in three, at every use.
 *
 * Twins: ts-api/src/core/float.ts, ts-api/src/backends/oracle/math.ts and activation.ts, gpu/lib. Same names, same values.
 */

/** The constant at an address, in all four lanes. */
@inline
export function splat(constant: usize): v128 {
  return v128.load_splat<i32>(constant);
}

export const MIN_BITS: usize = memory.data<i32>([0x26800000]);
export const MAX_BITS: usize = memory.data<i32>([0x58800000]);
export const ROUND_MAGIC: usize = memory.data<f32>([12582912]);
export const ROUND_MAGIC_BITS: usize = memory.data<i32>([0x4b400000]);

export const LOG2_E: usize = memory.data<f32>([1.4426950408889634]);
export const LN2_HIGH: usize = memory.data<f32>([0.693359375]);
export const LN2_LOW: usize = memory.data<f32>([-2.1219444e-4]);
export const LN2: usize = memory.data<f32>([0.6931471805599453]);
export const EXP_LIMIT: usize = memory.data<f32>([69]);
export const EXP_FLOOR: usize = memory.data<f32>([-69]);

/**
 * The coefficients of a polynomial are side by side, the lowest first: lib/normal-tail.ts walks over them. 1 + r * (1 + r * (C0 + ...)).
 */
export const EXP_ONES: usize = memory.data<f32>([1, 1]);
export const EXP_C0: usize = memory.data<f32>([0.4999999403953552]);
export const EXP_C1: usize = memory.data<f32>([0.1666652113199234]);
export const EXP_C2: usize = memory.data<f32>([0.04166838899254799]);
export const EXP_C3: usize = memory.data<f32>([0.008368716575205326]);
export const EXP_C4: usize = memory.data<f32>([0.001381459878757596]);

export const TAIL_LIMIT: usize = memory.data<f32>([7]);
export const TAIL_C0: usize = memory.data<f32>([-0.9999997615814209]);
export const TAIL_C1: usize = memory.data<f32>([-1.1511154174804688]);
export const TAIL_C2: usize = memory.data<f32>([-0.4591318964958191]);
export const TAIL_C3: usize = memory.data<f32>([-0.05270823463797569]);
export const TAIL_C4: usize = memory.data<f32>([0.007345029152929783]);
export const TAIL_C5: usize = memory.data<f32>([-0.0003319773531984538]);
export const TAIL_C6: usize = memory.data<f32>([-0.00011634694237727672]);
export const TAIL_C7: usize = memory.data<f32>([2.8404287149896845e-5]);
export const TAIL_C8: usize = memory.data<f32>([-2.7170847261004383e-6]);
export const TAIL_C9: usize = memory.data<f32>([9.988416849182613e-8]);

export const RECIPROCAL_SEED: usize = memory.data<i32>([0x7ef311c7]);
export const RSQRT_SEED: usize = memory.data<i32>([0x5f3759df]);

export const GELU_TANH_CUBIC: usize = memory.data<f32>([0.044715]);
/** 2 * sqrt(2 / pi). */
export const GELU_TANH_SLOPE: usize = memory.data<f32>([1.5957691216057308]);
/** Beyond this limit the tanh form is 0 or x in f32. */
export const GELU_TANH_LIMIT: usize = memory.data<f32>([16]);
export const QUICK_GELU_SLOPE: usize = memory.data<f32>([1.702]);
export const SELU_SCALE: usize = memory.data<f32>([1.0507009873554805]);
export const SELU_ALPHA: usize = memory.data<f32>([1.6732632423543772]);
/** Beyond this limit mish is x in f32. */
export const MISH_LIMIT: usize = memory.data<f32>([20]);
export const LEAKY_RELU_SLOPE: usize = memory.data<f32>([0.01]);

export const HALF: usize = memory.data<f32>([0.5]);
export const ONE: usize = memory.data<f32>([1]);
export const THREE_HALVES: usize = memory.data<f32>([1.5]);
export const TWO: usize = memory.data<f32>([2]);
export const SIX: usize = memory.data<f32>([6]);

/** Masks of an f32: its magnitude, its sign, the bits that bf16 keeps. */
export const MAGNITUDE: usize = memory.data<i32>([0x7fffffff]);
export const SIGN: usize = memory.data<i32>([<i32>0x80000000]);
export const BF16_BITS: usize = memory.data<i32>([<i32>0xffff0000]);
/** The lower half of each byte. */
export const NIBBLES: usize = memory.data<i32>([0x0f0f0f0f]);
/** The sign of each byte. */
export const SIGN_BITS: usize = memory.data<i32>([<i32>0x80808080]);
/** The bits of a scale that int8 reads: sign, exponent and 4 bits of fraction. */
export const INT8_SCALE_BITS: usize = memory.data<i32>([<i32>0xfff80000]);
/** Two i16. */
export const PAIR_OF_ONES: usize = memory.data<i32>([0x00010001]);
/** Just under half of the last bit that bf16 keeps. */
export const BF16_HALF: usize = memory.data<i32>([0x7fff]);
export const BF16_LAST: usize = memory.data<i32>([1]);
