/**
 * f32 values as bits, and the two ways in which a value enters an op (numeric contract, rules 1 and 2).
 *
 * Twins: bound and roundBf16 in assembly/lib/math.ts and gpu/lib/math.wgsl.
 */

const word = new Int32Array(1);
const real = new Float32Array(word.buffer);

export function bitsOf(value: number): number {
  real[0] = value;
  return word[0];
}

export function fromBits(bits: number): number {
  word[0] = bits;
  return real[0];
}

/** Bits of 2^-50: smaller magnitudes count as zero, so no product or sum of two is subnormal. */
export const MIN_BITS = 0x26800000;
/** Bits of 2^50: larger magnitudes, infinities and NaN count as this, so no product or sum overflows. */
export const MAX_BITS = 0x58800000;
/** The bits of a scale that int8 reads: sign, exponent and 4 bits of fraction. */
export const INT8_SCALE_BITS = 0xfff80000;
/** The value of MAX_BITS. */
export const MAX_VALUE = 2 ** 50;

/** The entrance of every op: |v| < 2^-50 and -0 become +0; |v| > 2^50, infinities and NaN become +-2^50. */
export function bound(v: number): number {
  const bits = bitsOf(v);
  const magnitude = bits & 0x7fffffff;
  if (magnitude < MIN_BITS) return 0;
  if (magnitude > MAX_BITS) return fromBits((bits & 0x80000000) | MAX_BITS);
  return fromBits(bits);
}

/** `bound(v)`, rounded half to even to 8 significant bits. */
export function roundBf16(v: number): number {
  const bits = bitsOf(bound(v));
  return fromBits((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
}
