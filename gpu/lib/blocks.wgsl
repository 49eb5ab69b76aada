// Blocks of 32 inputs in int4 linears: y += d * (s * 2^e), d an integer of at most 16 bits, s a bf16. The product is exact.
// A scale is of a group of one or two blocks.
//
// A workgroup has 64 rows and 64 columns; an invocation 8 rows and 4 columns of them. The op's file declares params,
// blocks, scales, and calls loadBlock before a barrier, then accumulateBlock.
// Before it: lib/math.wgsl, lib/accumulate.wgsl, lib/finish.wgsl. Twin: accumulate in assembly/lib/tile-int4.ts.

var<workgroup> powers: array<f32, 64>;
var<workgroup> corrections: array<i32, 64>;
var<workgroup> tileScales: array<vec4f, 16>;

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
      let scaleGroups = (params.inner + params.group - 1) / params.group;
      let pairs = scales[(panel * scaleGroups + block * 32 / params.group) * 2 + quad % 2];
      bits = vec4u(pairs.x << 16u, pairs.x & 0xffff0000u, pairs.y << 16u, pairs.y & 0xffff0000u);
    }
    tileScales[quad] = bitcast<vec4f>(bits);
  }
}

/// Adds a block's integers d, of 8 rows from `row` on.
fn accumulateBlock(before: Sums, d: Sums, row: u32, scale: vec4f) -> Sums {
  var sums = before;
  sums.r0 = accumulate(sums.r0, d.r0 * (scale * powers[row]));
  sums.r1 = accumulate(sums.r1, d.r1 * (scale * powers[row + 1]));
  sums.r2 = accumulate(sums.r2, d.r2 * (scale * powers[row + 2]));
  sums.r3 = accumulate(sums.r3, d.r3 * (scale * powers[row + 3]));
  sums.r4 = accumulate(sums.r4, d.r4 * (scale * powers[row + 4]));
  sums.r5 = accumulate(sums.r5, d.r5 * (scale * powers[row + 5]));
  sums.r6 = accumulate(sums.r6, d.r6 * (scale * powers[row + 6]));
  sums.r7 = accumulate(sums.r7, d.r7 * (scale * powers[row + 7]));
  return sums;
}
