/**
 * The 16 values that a code of bitsandbytes' four-bit formats stands for, as f32 (bitsandbytes, `functional.get_4bit_type`). A weight is
 * bf16(value * scale), rule 22 of the numeric contract.
 *
 * Twins: assembly/lib/codebook.ts, gpu/lib/codebook.wgsl.
 */

const NF4 = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];

/** Sign, two bits of exponent, one of fraction; in twelfths of the largest value. */
const FP4 = [
  0, 0.0052083334885537624, 0.6666666865348816, 1, 0.3333333432674408, 0.5, 0.1666666716337204, 0.25,
  0, -0.0052083334885537624, -0.6666666865348816, -1, -0.3333333432674408, -0.5, -0.1666666716337204, -0.25,
];

export const CODEBOOKS = { nf4: Float32Array.from(NF4), fp4: Float32Array.from(FP4) } as const;
export type CodebookName = keyof typeof CODEBOOKS;

/** True for formats whose codes are looked up. */
export function isCodebook(format: string): format is CodebookName {
  return Object.hasOwn(CODEBOOKS, format);
}
