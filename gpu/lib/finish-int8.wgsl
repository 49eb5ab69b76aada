// The end of an int8 or int4 linear whose result is the operand of another: linear and quantize-rows in one dispatch.
//
// A workgroup makes 64 rows by 64 columns, an invocation 8 rows by 4: eight invocations side by side have a block of 32
// columns of each row. The op's file declares params { cols, activation, width }, width = cols rounded up to a multiple of 32,
// and bias; no residual. Before it: lib/math.wgsl, lib/activation.wgsl, lib/sums.wgsl, lib/int8.wgsl.
// In its place for other results: lib/finish.wgsl.

@group(0) @binding(6) var<storage, read_write> packed: array<u32>;
@group(0) @binding(7) var<storage, read_write> packedBlocks: array<vec2u>;

/// One place an invocation: a word for each of four rows.
var<workgroup> exchange: array<vec4u, 128>;

fn finishRows(sums: Sums, group: vec3u, local: u32) {
  let row = group.y * 64 + (local / QUADS) * 8;
  let col = group.x * 64 + (local % QUADS) * 4;
  finishFour(array<vec4f, 4>(sums.r0, sums.r1, sums.r2, sums.r3), row, col, local);
  finishFour(array<vec4f, 4>(sums.r4, sums.r5, sums.r6, sums.r7), row + 4, col, local);
}

fn finishFour(sums: array<vec4f, 4>, row: u32, col: u32, local: u32) {
  let first = local - local % 8;
  // 1. bias, activation, bounded
  var x = sums;
  var largest = vec4u(0u);
  for (var i = 0u; i < 4; i++) {
    x[i] = bound(activated(x[i], col));
    let m = bitcast<vec4u>(abs(x[i]));
    largest[i] = max(max(m.x, m.y), max(m.z, m.w));
  }
  // 2. the exponents, from the largest magnitudes
  workgroupBarrier();
  exchange[local] = largest;
  workgroupBarrier();
  for (var i = 0u; i < 8; i++) { largest = max(largest, exchange[first + i]); }
  let e = blockExponents(largest);
  let inverse = powerOfTwo(-e);
  // 3. round to int8
  var pairs = vec4u(0u);
  for (var i = 0u; i < 4; i++) {
    let q = roundToInt(pin(x[i] * inverse[i]));
    pairs[i] = (u32(q.x + q.y) & 0xffffu) | (u32(q.z + q.w) << 16u);
    if (row + i < params.rows && col < params.width) { packed[((row + i) * params.width + col) / 4] = wordOf(q); }
  }
  // 4. the blocks: invocation i of eight makes that of row i
  workgroupBarrier();
  exchange[local] = pairs;
  workgroupBarrier();
  let i = local % 8;
  if (i < 4 && row + i < params.rows && col < params.width) {
    var total = vec2i(0);
    for (var j = 0u; j < 8; j++) {
      let pair = bitcast<i32>(exchange[first + j][i]);
      total += vec2i((pair << 16u) >> 16u, pair >> 16u);
    }
    packedBlocks[((row + i) * params.width + col) / 32] = blockOf(e[i], total);
  }
}
