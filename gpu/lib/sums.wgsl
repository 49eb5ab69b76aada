// What an invocation of a linear holds, in workgroups that make 64 rows by 64 columns: the sums of 8 rows by 4 columns.
//
// The op's file declares params { cols, activation } and bias [panels * 8] as vec4f.
// Before it: lib/math.wgsl, lib/activation.wgsl.

/// Rows and columns of a workgroup, in fours.
const QUADS: u32 = 16;

/// Row by row, four columns each. Members rather than an array, so that they stay in registers.
struct Sums { r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f }

/// activation(sum + bias) of four columns from `col` on, +0 for those that y does not have.
fn activated(sum: vec4f, col: u32) -> vec4f {
  let inside = vec4u(col) + vec4u(0u, 1u, 2u, 3u) < vec4u(params.cols);
  return select(vec4f(0), activate(params.activation, pin(sum + bias[col / 4])), inside);
}
