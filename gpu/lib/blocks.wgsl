// Blocks of 32 inputs in int4 linears: y += d * (s * 2^e), d an integer of at most 16 bits, s a bf16. The product is exact.
//
// A workgroup has 64 rows and 64 columns; an invocation 8 rows and 4 columns of them. The op's file declares params,
// blocks, scales, and calls loadBlock before a barrier, then accumulateBlock.
// Before it: lib/math.wgsl, lib/accumulate.wgsl. Twin: accumulate in assembly/lib/tile-int4.ts.

/// Rows and columns of a workgroup, in fours.
const QUADS: u32 = 16;

var<workgroup> powers: array<f32, 64>;
var<workgroup> corrections: array<i32, 64>;
var<workgroup> tileScales: array<vec4f, 16>;
/// Sums of 8 rows, 4 columns each.
var<private> sums: array<vec4f, 8>;

/// 2^e and the correction (-8 times the sum of the inputs) of 64 rows, and the scales of 64 columns.
fn loadBlock(group: vec3u, block: u32, local: u32) {
  let groups = params.inner / 32;
  if (local < 64) {
    let entry = blocks[min(group.y * 64 + local, params.rows - 1) * groups + block];
    powers[local] = bitcast<f32>(entry.x);
    corrections[local] = (bitcast<i32>(entry.y << 16u) >> 16u) + (bitcast<i32>(entry.y) >> 16u);
  } else if (local < 80) {
    let quad = local - 64;
    let panel = group.x * 8 + quad / 2;
    var bits = vec4u(0u);
    if (panel * 8 < params.cols) {
      let pairs = scales[(panel * groups + block) * 2 + quad % 2];
      bits = vec4u(pairs.x << 16u, pairs.x & 0xffff0000u, pairs.y << 16u, pairs.y & 0xffff0000u);
    }
    tileScales[quad] = bitcast<vec4f>(bits);
  }
}

/// Adds the block's integers d of row i of this invocation's 8.
fn accumulateBlock(i: u32, row: u32, scale: vec4f, d: vec4f) {
  sums[i] = accumulate(sums[i], d * (scale * powers[row + i]));
}
