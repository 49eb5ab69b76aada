// The end of a linear: sums to y, for workgroups that make 64 rows by 64 columns, an invocation 8 rows by 4.
//
//   y[r][c] = activation(sum + bias[c])          then, with a residual, residual[r mod residualRows][c] + that
//
// The op's file declares params { cols, activation, residualRows }, bias [panels * 8] as vec4f, residual and y [..][cols].
// residualRows 0 means none. Before it: lib/math.wgsl, lib/activation.wgsl. Twin: assembly/ops/linear/finish.ts.

/// Rows and columns of a workgroup, in fours.
const QUADS: u32 = 16;

/// Sums of an invocation: row by row, four columns each. Members, and no array, so that they stay in registers.
struct Sums { r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f }

fn finishRows(sums: Sums, group: vec3u, local: u32) {
  let row = group.y * 64 + (local / QUADS) * 8;
  let col = group.x * 64 + (local % QUADS) * 4;
  var rows = array<vec4f, 8>(sums.r0, sums.r1, sums.r2, sums.r3, sums.r4, sums.r5, sums.r6, sums.r7);
  for (var i = 0u; i < 8; i++) { finish(rows[i], row + i, col); }
}

fn finish(sum: vec4f, row: u32, col: u32) {
  if (row >= params.rows || col >= params.cols) { return; }
  var v = activate(params.activation, pin(sum + bias[col / 4]));
  let at = row * params.cols + col;
  let count = min(4u, params.cols - col);
  if (params.residualRows > 0) {
    let source = (row % params.residualRows) * params.cols + col;
    var before = vec4f(0);
    for (var i = 0u; i < count; i++) { before[i] = residual[source + i]; }
    v = pin(before + v);
  }
  for (var i = 0u; i < count; i++) { y[at + i] = v[i]; }
}
