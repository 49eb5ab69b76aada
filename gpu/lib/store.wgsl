// Four rows of results to y, for kernels whose 32 lanes hold elements that lie side by side, four rows a vector.
//
// The op's file declares params { width }, the elements of a row of y, and y. Before it: lib/math.wgsl, lib/operand.wgsl.
// In its place for int8 operands: lib/store-int8.wgsl.

/// Element `column` of `count` rows from `row` on; nothing from params.width on.
fn store(local: u32, row: u32, count: u32, column: u32, v: vec4f) {
  if (column >= params.width) { return; }
  let rounded = stored(v);
  for (var i = 0u; i < count; i++) { y[(row + i) * params.width + column] = rounded[i]; }
}
