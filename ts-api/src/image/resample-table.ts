/**
 * From the sizes of one axis to the table of Pillow's resampling: for every output pixel, which input pixels it mixes and the weight of
 * each. Formulas from Pillow's `Resample.c`.
 */

/** Pillow's number of each filter, as `resample` in preprocessor_config.json. */
export const RESAMPLE = { nearest: 0, lanczos: 1, bilinear: 2, bicubic: 3, box: 4, hamming: 5 } as const;

export type Resample = (typeof RESAMPLE)[keyof typeof RESAMPLE];

/** Bits after the binary point of a coefficient: 32 - 8 for the pixel - 2 for sums above 1 and below 0. */
export const COEFFICIENT_BITS = 22;

/** How one axis is resampled. */
export interface AxisTable {
  /** First input pixel of each output pixel. */
  readonly first: Int32Array;
  /** Number of input pixels of each output pixel, at most `width`. */
  readonly count: Int32Array;
  /** Coefficients times 2^22, `width` entries for each output pixel. */
  readonly coefficients: Int32Array;
  readonly width: number;
}

interface Filter {
  /** Reach to each side, in input pixels when enlarging and in output pixels when shrinking. */
  support: number;
  weight(x: number): number;
}

const FILTERS: Record<Exclude<Resample, 0>, Filter> = {
  [RESAMPLE.box]: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  [RESAMPLE.bilinear]: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  [RESAMPLE.hamming]: { support: 1, weight: hamming },
  [RESAMPLE.bicubic]: { support: 2, weight: bicubic },
  [RESAMPLE.lanczos]: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** @param filter any but nearest, which mixes nothing */
export function axisTable(inSize: number, outSize: number, filter: Exclude<Resample, 0>): AxisTable {
  const { support: reach, weight } = FILTERS[filter];
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = reach * filterScale;
  const width = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const coefficients = new Int32Array(outSize * width);
  const weights = new Float64Array(width);
  for (let out = 0; out < outSize; out++) {
    const center = (out + 0.5) * scale;
    const from = Math.max(0, Math.trunc(center - support + 0.5));
    const n = Math.min(inSize, Math.trunc(center + support + 0.5)) - from;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      weights[i] = weight((i + from - center + 0.5) * (1 / filterScale));
      sum += weights[i];
    }
    for (let i = 0; i < n; i++) {
      const scaled = (sum === 0 ? weights[i] : weights[i] / sum) * 2 ** COEFFICIENT_BITS;
      coefficients[out * width + i] = Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
    }
    first[out] = from;
    count[out] = n;
  }
  return { first, count, coefficients, width };
}

function bicubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

function hamming(x: number): number {
  const t = Math.abs(x);
  if (t === 0) return 1;
  if (t >= 1) return 0;
  return sinc(t) * (Math.fround(0.54) + Math.fround(0.46) * sinPi(0.5 - t));
}

function sinc(x: number): number {
  return x === 0 ? 1 : sinPi(x) / (x * Math.PI);
}

/**
 * sin(pi x) for |x| <= 3. `Math.sin` may differ in the last bit between engines; this uses only + - * /, which may not.
 * It is within 2e-15 of C's sin(x * M_PI), while a coefficient's last bit is 2.4e-7, so the tables come out as Pillow's.
 */
function sinPi(x: number): number {
  const whole = Math.round(x);
  const t = (x - whole) * Math.PI;
  let term = t;
  let sum = t;
  for (let k = 2; k <= 22; k += 2) {
    term *= (-t * t) / (k * (k + 1));
    sum += term;
  }
  return whole % 2 === 0 ? sum : -sum;
}
