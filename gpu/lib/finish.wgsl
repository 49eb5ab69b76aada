// The end of a linear: four sums of one row to y.
//
//   y[r][c] = activation(sum + bias[c])          then, with a residual, residual[r mod residualRows][c] + that
//
// The op's file declares params { cols, activation, residualRows }, bias [panels * 8] as vec4f, residual and y [..][cols].
// residualRows 0 means none. Before it: lib/math.wgsl, lib/activation.wgsl. Twin: assembly/ops/linear/finish.ts.

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
