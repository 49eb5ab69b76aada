// The end of a linear: sums to y, for workgroups that make 64 rows by 64 columns, an invocation 8 rows by 4.
//
//   y[r][c] = activation(sum + bias[c])          then, with a residual, residual[r mod residualRows][c] + that
//
// The op's file declares params { cols, activation, residualRows, width, stride }, bias [panels * 8] as vec4f, residual and y.
// residualRows 0 means none. A row of y and residual begins `stride` elements after the one before; `width` of them are written:
// cols, or where y is an operand (lib/operand.wgsl) that rounded up, with zeros.
// Before it: lib/math.wgsl, lib/activation.wgsl, lib/sums.wgsl, lib/operand.wgsl. Twin: assembly/ops/linear/finish.ts.

fn finishRows(sums: Sums, group: vec3u, local: u32) {
  let row = group.y * 64 + (local / QUADS) * 8;
  let col = group.x * 64 + (local % QUADS) * 4;
  var rows = array<vec4f, 8>(sums.r0, sums.r1, sums.r2, sums.r3, sums.r4, sums.r5, sums.r6, sums.r7);
  for (var i = 0u; i < 8; i++) { finish(rows[i], row + i, col); }
}

fn finish(sum: vec4f, row: u32, col: u32) {
  if (row >= params.rows || col >= params.width) { return; }
  var v = activated(sum, col);
  let at = row * params.stride + col;
  let count = min(4u, params.width - col);
  if (params.residualRows > 0) {
    let source = (row % params.residualRows) * params.stride + col;
    var before = vec4f(0);
    for (var i = 0u; i < count; i++) { before[i] = residual[source + i]; }
    v = pin(before + v);
  }
  v = stored(v);
  for (var i = 0u; i < count; i++) { y[at + i] = v[i]; }
}
