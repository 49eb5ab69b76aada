// The form in which a kernel stores its results: as they are, or as a linear reads them (quantize-rows fp32 and bf16), where
// the two calls are one dispatch.
//
// Before it: lib/math.wgsl.

/// 0: as they are.
override OPERAND: u32 = 0;
const BOUNDED: u32 = 1;
const ROUNDED: u32 = 2;

fn stored(v: vec4f) -> vec4f {
  if (OPERAND == BOUNDED) { return bound(v); }
  if (OPERAND == ROUNDED) { return roundBf16(v); }
  return v;
}
