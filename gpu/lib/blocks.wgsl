// Blocks of 32 inputs in int8 and int4 linears: y += d * (s * 2^e), d an integer, s a bf16. The product is exact: d has 15 bits and s 8
// in int4, 19 and 5 in int8. A scale is of a group of one or two blocks.
//
// A workgroup has 64 rows and 64 columns; an invocation 8 rows and 4 columns of them. The op's file declares params,
// blocks, scales and scalesOf, from the bits of four scales to their values, and calls fetchBlock and placeBlock before a barrier,
// then accumulateBlock.
// Before it: lib/math.wgsl, lib/accumulate.wgsl, lib/sums.wgsl. Twin: addScaled in assembly/lib/tile-int4.ts.

var<workgroup> powers: array<f32, 64>;
var<workgroup> corrections: array<i32, 64>;
var<workgroup> tileScales: array<vec4f, 16>;

/// What an invocation brings of a block: an entry of `blocks` for each of 64 rows, then scales for 16 times four columns.
fn fetchBlock(group: vec3u, block: u32, local: u32) -> vec2u {
  if (local < 64) { return blocks[min(group.y * 64 + local, params.rows - 1) * (params.inner / 32) + block]; }
  let quad = local - 64;
  let panel = group.x * 8 + quad / 2;
  if (local >= 80 || panel * 8 >= params.cols) { return vec2u(0u); }
  let scaleGroups = (params.inner + params.group - 1) / params.group;
  return scales[(panel * scaleGroups + block * 32 / params.group) * 2 + quad % 2];
}

/// 2^e and the correction (-8 times the sum of the inputs) of 64 rows, and the scales of 64 columns.
fn placeBlock(fetched: vec2u, local: u32) {
  if (local < 64) {
    powers[local] = bitcast<f32>(fetched.x);
    corrections[local] = (bitcast<i32>(fetched.y << 16u) >> 16u) + (bitcast<i32>(fetched.y) >> 16u);
  } else if (local < 80) {
    let bits = vec4u(fetched.x << 16u, fetched.x & 0xffff0000u, fetched.y << 16u, fetched.y & 0xffff0000u);
    tileScales[local - 64] = scalesOf(bits);
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
