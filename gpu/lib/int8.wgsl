// int8 operands: blocks of 32 inputs that share a power of two (quantize-rows int8).
//
//   e = exponent of max|x| - 6, one more where max|x| would round to 128;  q = round-half-even(x * 2^-e)
//
// Before it: lib/math.wgsl. Twins: ts-api/src/backends/oracle/ops/quantize-rows.ts, assembly/ops/quantize-rows.ts.

/// e of four blocks, from the bits of their largest bounded magnitudes.
fn blockExponents(largest: vec4u) -> vec4i {
  return vec4i((max(largest, vec4u(MIN_BITS)) + vec4u(0x10000u)) >> vec4u(23u)) - vec4i(133);
}

/// 2^e for -126 <= e <= 127.
fn powerOfTwo(e: vec4i) -> vec4f {
  return bitcast<vec4f>((vec4i(127) + e) << vec4u(23u));
}

/// Four inputs as a word.
fn wordOf(q: vec4i) -> u32 {
  let low = vec4u(q) & vec4u(255u);
  return low.x | (low.y << 8u) | (low.z << 16u) | (low.w << 24u);
}

/// An entry of blocks: 2^e, and -8 times the two sums, of q over k mod 4 in {0, 1} and {2, 3}, as i16.
fn blockOf(e: i32, sums: vec2i) -> vec2u {
  let pair = -8 * sums;
  return vec2u(u32(127 + e) << 23u, (u32(pair.x) & 0xffffu) | (u32(pair.y) << 16u));
}
