// Codes of four bits to the values of a codebook, for weights bf16(value * scale).
//
// The 16 values of the call's codebook stand in workgroup memory; loadCodebook fills it before a barrier.
// Before it: lib/math.wgsl. Twins: ts-api/src/core/codebooks.ts, assembly/lib/codebook.ts.

const NF4 = array<f32, 16>(
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
);
const FP4 = array<f32, 16>(
  0, 0.0052083334885537624, 0.6666666865348816, 1, 0.3333333432674408, 0.5, 0.1666666716337204, 0.25,
  0, -0.0052083334885537624, -0.6666666865348816, -1, -0.3333333432674408, -0.5, -0.1666666716337204, -0.25,
);

var<workgroup> codebook: array<f32, 16>;

fn loadCodebook(values: array<f32, 16>, local: u32) {
  var table = values;
  if (local < 16) { codebook[local] = table[local]; }
}

/// The weights of four codes, one a column, with the scales of the columns.
fn decode(codes: vec4u, scales: vec4f) -> vec4f {
  let values = vec4f(codebook[codes.x], codebook[codes.y], codebook[codes.z], codebook[codes.w]);
  return roundBf16(pin(values * scales));
}
