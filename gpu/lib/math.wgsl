// The functions of the numeric contract, four lanes at a time: f32 add, sub, mul, and integer operations on the bits.
// Every rounded value is pinned, because WGSL lets a compiler fuse, reorder and factorise what is not.
//
// `zero` must be set from a storage buffer at the start of every entry point. Uses nothing else of the op's file.
// Twins: ts-api/src/core/float.ts, ts-api/src/backends/oracle/math.ts, assembly/lib/math.ts. Same names, constants, steps.

const MIN_BITS: u32 = 0x26800000u;
const MAX_BITS: u32 = 0x58800000u;
const ROUND_MAGIC: f32 = 12582912;
const ROUND_MAGIC_BITS: i32 = 0x4b400000;

const LOG2_E: f32 = 1.4426950408889634;
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.1219444e-4;
const LN2: f32 = 0.6931471805599453;
const EXP_LIMIT: f32 = 69;

const EXP_C0: f32 = 0.4999999403953552;
const EXP_C1: f32 = 0.1666652113199234;
const EXP_C2: f32 = 0.04166838899254799;
const EXP_C3: f32 = 0.008368716575205326;
const EXP_C4: f32 = 0.001381459878757596;

const TAIL_LIMIT: f32 = 7;
const TAIL_C0: f32 = -0.9999997615814209;
const TAIL_C1: f32 = -1.1511154174804688;
const TAIL_C2: f32 = -0.4591318964958191;
const TAIL_C3: f32 = -0.05270823463797569;
const TAIL_C4: f32 = 0.007345029152929783;
const TAIL_C5: f32 = -0.0003319773531984538;
const TAIL_C6: f32 = -0.00011634694237727672;
const TAIL_C7: f32 = 2.8404287149896845e-5;
const TAIL_C8: f32 = -2.7170847261004383e-6;
const TAIL_C9: f32 = 9.988416849182613e-8;

const RECIPROCAL_SEED: i32 = 0x7ef311c7;
const RSQRT_SEED: i32 = 0x5f3759df;

/// 0, from memory: no compiler knows it.
var<private> zero: u32;

/// v, rounded to f32 here and not elsewhere.
fn pin(v: vec4f) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(v) ^ vec4u(zero));
}

/// bits of any f32: |v| < 2^-50 and -0 become +0; |v| > 2^50, infinities and NaN become +-2^50.
fn boundBits(bits: vec4u) -> vec4u {
  let magnitude = bits & vec4u(0x7fffffffu);
  let held = (bits & vec4u(0x80000000u)) | min(magnitude, vec4u(MAX_BITS));
  return select(vec4u(0u), held, magnitude >= vec4u(MIN_BITS));
}

fn bound(v: vec4f) -> vec4f {
  return bitcast<vec4f>(boundBits(bitcast<vec4u>(v)));
}

/// Bits of any f32, bounded and rounded half to even to 8 significant bits.
fn roundBf16Bits(v: vec4u) -> vec4u {
  let bits = boundBits(v);
  return (bits + vec4u(0x7fffu) + ((bits >> vec4u(16u)) & vec4u(1u))) & vec4u(0xffff0000u);
}

fn roundBf16(v: vec4f) -> vec4f {
  return bitcast<vec4f>(roundBf16Bits(bitcast<vec4u>(v)));
}

/// Round half to even, as integers, for |v| < 2^22.
fn roundToInt(v: vec4f) -> vec4i {
  return bitcast<vec4i>(pin(v + vec4f(ROUND_MAGIC))) - vec4i(ROUND_MAGIC_BITS);
}

/// 2^n * e^r for |r| <= ln(2) / 2 and |n| <= 100.
fn scaledExp(n: vec4i, r: vec4f) -> vec4f {
  var p = vec4f(EXP_C4);
  p = pin(pin(p * r) + vec4f(EXP_C3));
  p = pin(pin(p * r) + vec4f(EXP_C2));
  p = pin(pin(p * r) + vec4f(EXP_C1));
  p = pin(pin(p * r) + vec4f(EXP_C0));
  p = pin(pin(p * r) + vec4f(1));
  p = pin(pin(p * r) + vec4f(1));
  return bitcast<vec4f>(bitcast<vec4i>(p) + (n << vec4u(23u)));
}

/// e^x, x clamped to +-EXP_LIMIT.
fn exponential(x: vec4f) -> vec4f {
  let clamped = min(max(x, vec4f(-EXP_LIMIT)), vec4f(EXP_LIMIT));
  let n = roundToInt(pin(clamped * LOG2_E));
  let real = vec4f(n);
  let high = pin(clamped - pin(real * LN2_HIGH));
  return scaledExp(n, pin(high - pin(real * LN2_LOW)));
}

/// 2^x for |x| <= 100.
fn exponential2(x: vec4f) -> vec4f {
  let n = roundToInt(x);
  return scaledExp(n, pin(pin(x - vec4f(n)) * LN2));
}

/// 1 / v for 2^-100 <= v <= 2^100.
fn reciprocal(v: vec4f) -> vec4f {
  var r = bitcast<vec4f>(vec4i(RECIPROCAL_SEED) - bitcast<vec4i>(v));
  r = pin(r * pin(vec4f(2) - pin(v * r)));
  r = pin(r * pin(vec4f(2) - pin(v * r)));
  return pin(r * pin(vec4f(2) - pin(v * r)));
}

/// 1 / sqrt(v) for 2^-100 <= v <= 2^120.
fn rsqrt(v: vec4f) -> vec4f {
  let half = pin(0.5 * v);
  var r = bitcast<vec4f>(vec4i(RSQRT_SEED) - bitcast<vec4i>(bitcast<vec4u>(v) >> vec4u(1u)));
  r = pin(r * pin(vec4f(1.5) - pin(pin(half * r) * r)));
  r = pin(r * pin(vec4f(1.5) - pin(pin(half * r) * r)));
  return pin(r * pin(vec4f(1.5) - pin(pin(half * r) * r)));
}

/// The standard normal's upper tail, erfc(t / sqrt 2) / 2, for t >= 0.
fn normalTail(t: vec4f) -> vec4f {
  let u = min(t, vec4f(TAIL_LIMIT));
  var p = vec4f(TAIL_C9);
  p = pin(pin(p * u) + vec4f(TAIL_C8));
  p = pin(pin(p * u) + vec4f(TAIL_C7));
  p = pin(pin(p * u) + vec4f(TAIL_C6));
  p = pin(pin(p * u) + vec4f(TAIL_C5));
  p = pin(pin(p * u) + vec4f(TAIL_C4));
  p = pin(pin(p * u) + vec4f(TAIL_C3));
  p = pin(pin(p * u) + vec4f(TAIL_C2));
  p = pin(pin(p * u) + vec4f(TAIL_C1));
  p = pin(pin(p * u) + vec4f(TAIL_C0));
  return exponential2(p);
}

/// 1 / (1 + e^-v).
fn sigmoid(v: vec4f) -> vec4f {
  return reciprocal(pin(vec4f(1) + exponential(-v)));
}
