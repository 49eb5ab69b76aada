/**
 * exp and log in double precision by fixed operations: those of Math differ between engines in their last bits. Each step is an
 * addition, multiplication or division of IEEE 754, so the same numbers give the same bits everywhere.
 */

const LN2_HIGH = 6.93147180369123816490e-1, LN2_LOW = 1.90821492927058770002e-10, LOG2_E = 1.4426950408889634;
const SMALLEST = -745.2, LARGEST = 709.79;
/** 1 / 13! ... 1 / 2!, for the series of e^r with |r| up to ln(2) / 2. */
const EXP_TERMS = Array.from({ length: 12 }, (_, i) => 1 / factorial(13 - i));
/** 1 / 23, 1 / 21 ... 1 / 3, for that of the inverse hyperbolic tangent. */
const LOG_TERMS = Array.from({ length: 11 }, (_, i) => 1 / (23 - 2 * i));

const real = new Float64Array(1), words = new Uint32Array(real.buffer);

/** Within two units in the last place. */
export function exp(x: number): number {
  if (!(x >= SMALLEST)) return Number.isNaN(x) ? NaN : 0;
  if (x > LARGEST) return Infinity;
  const k = Math.round(x * LOG2_E), r = x - k * LN2_HIGH - k * LN2_LOW;
  let series = 0;
  for (const term of EXP_TERMS) series = series * r + term;
  const power = 1 + (r + r * r * series), half = Math.trunc(k / 2);
  // In two steps: 2^k alone may be out of range.
  return power * powerOfTwo(half) * powerOfTwo(k - half);
}

/** Of numbers above 0; within two units in the last place. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  const isTiny = x < 2 ** -1022;
  real[0] = isTiny ? x * 2 ** 54 : x;
  let exponent = (words[1] >>> 20) - 1023 - (isTiny ? 54 : 0);
  words[1] = (words[1] & 0xfffff) | 0x3ff00000;
  let m = real[0];
  if (m > Math.SQRT2) {
    m /= 2;
    exponent++;
  }
  const s = (m - 1) / (m + 1), square = s * s;
  let series = 0;
  for (const term of LOG_TERMS) series = series * square + term;
  return exponent * LN2_HIGH + (2 * s + (2 * s * square * series + exponent * LN2_LOW));
}

function powerOfTwo(k: number): number {
  words[0] = 0;
  words[1] = (k + 1023) << 20;
  return real[0];
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}
