/**
 * Seeded random numbers whose bits are the same in every engine: integers, and doubles under + - * / and square roots, which IEEE 754
 * rounds in one way. `Math.log` and similar functions are not used, because their last bits differ between engines.
 */

/**
 * An endless sequence of 32-bit words: xoshiro128++ (Blackman and Vigna, 2019).
 * @param seed 32 bits, from which splitmix32 makes the state, or the state itself
 */
export function xoshiro128(seed: number | { state: readonly [number, number, number, number] }): () => number {
  let [a, b, c, d] = typeof seed === "number" ? splitmix32(seed) : seed.state;
  return () => {
    const sum = (a + d) | 0, word = (((sum << 7) | (sum >>> 25)) + a) | 0, shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return word >>> 0;
  };
}

function splitmix32(seed: number): number[] {
  return [1, 2, 3, 4].map((step) => {
    const mixed = (seed + Math.imul(step, 0x9e3779b9)) | 0;
    let h = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    return h ^ (h >>> 15);
  });
}

/** A double in (0, 1): 52 random bits and a half. */
export function uniform(words: () => number): number {
  return ((words() >>> 6) * 2 ** 26 + (words() >>> 6) + 0.5) * 2 ** -52;
}

/** The limits of torch's `trunc_normal_`, for every standard deviation. */
const LIMIT = 2;
/** From here on what lies within the limits is flat to 2e-12, and a larger deviation changes nothing that f32 could hold. */
const FLAT = 1e6;

/**
 * Normal numbers of mean 0 and deviation `std`, of those within -2 and 2, in f32: what torch's `nn.init.trunc_normal_` draws
 * from, by the same method, the inverse of the distribution.
 */
export function truncatedNormal(count: number, std: number, words: () => number): Float32Array {
  const values = new Float32Array(count), deviation = Math.min(std, FLAT);
  const tail = deviation === 0 ? 0 : lowerTail(LIMIT / deviation);
  for (let i = 0; i < count; i++) {
    const z = quantile(tail + (1 - 2 * tail) * uniform(words));
    values[i] = Math.min(Math.max(deviation * z, -LIMIT), LIMIT);
  }
  return values;
}

/** The share of a normal distribution below -z, by bisection of its inverse; 0 beyond what `uniform` can reach. */
function lowerTail(z: number): number {
  let low = 2 ** -54, high = 0.5;
  if (quantile(low) > -z) return 0;
  for (let i = 0; i < 64; i++) {
    const middle = (low + high) / 2;
    if (quantile(middle) < -z) low = middle;
    else high = middle;
  }
  return low;
}

/** Highest power first: near the median, and for r = sqrt(-ln p) up to 5 and beyond. */
const MEDIAN = [
  [2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608],
  [5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1],
] as const;
const MIDDLE = [
  [7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734],
  [1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1],
] as const;
const FAR = [
  [2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772],
  [2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1],
] as const;

/**
 * The inverse of the standard normal distribution for 0 < p < 1, to about 1e-16: Wichura's algorithm AS 241, PPND16
 * (Applied Statistics 37, 1988).
 */
export function quantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(MEDIAN, 0.180625 - q * q);
  const r = Math.sqrt(-logarithm(Math.min(p, 1 - p)));
  const z = r <= 5 ? ratio(MIDDLE, r - 1.6) : ratio(FAR, r - 5);
  return q < 0 ? -z : z;
}

function ratio([above, below]: readonly [readonly number[], readonly number[]], x: number): number {
  return horner(above, x) / horner(below, x);
}

function horner(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (const c of coefficients) sum = sum * x + c;
  return sum;
}

/** Natural logarithm of 2^-60 < x < 1: x = m 2^-n with m from sqrt(1/2) to sqrt(2), and ln m = 2 artanh((m - 1) / (m + 1)). */
function logarithm(x: number): number {
  let m = x, n = 0;
  for (; m < Math.SQRT1_2; n++) m *= 2;
  const s = (m - 1) / (m + 1), square = s * s;
  let sum = 0;
  for (let k = 25; k >= 1; k -= 2) sum = sum * square + 1 / k;
  return 2 * s * sum - n * Math.LN2;
}
