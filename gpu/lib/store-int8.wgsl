// Four rows of results as int8 operands, for kernels whose 32 lanes hold a block of each: layer-norm or attention, and
// quantize-rows, in one dispatch. `lanes` carries whole numbers here.
//
// The op's file declares params { width }, a multiple of 32, packed and blocks. Call from uniform control flow.
// Before it: lib/math.wgsl, lib/lanes.wgsl, lib/int8.wgsl. In its place for other results: lib/store.wgsl.

/// Elements column - lane ... column - lane + 31 of `count` rows from `row` on; column - lane is a multiple of 32.
fn store(local: u32, row: u32, count: u32, column: u32, v: vec4f) {
  let lane = local % LANES;
  let first = local - lane;
  // 1. the exponents, from the largest magnitudes
  let x = bound(v);
  let e = blockExponents(bitcast<vec4u>(laneMax(local, abs(x))));
  // 2. round to int8
  let q = roundToInt(pin(x * powerOfTwo(-e)));
  workgroupBarrier();
  lanes[local] = vec4f(q);
  workgroupBarrier();
  // 3. lane 8 r + i packs word i of row r, and the first of them the block
  let r = lane / 8;
  let part = lane % 8;
  let at = (row + r) * params.width + column - lane;
  if (r < count) { packed[at / 4 + part] = wordOf(four(first + part * 4, r)); }
  if (r < count && part == 0) {
    var sums = vec2i(0);
    for (var i = 0u; i < LANES; i += 4) {
      let word = four(first + i, r);
      sums += vec2i(word.x + word.y, word.z + word.w);
    }
    blocks[at / 32] = blockOf(e[r], sums);
  }
}

/// Row r of four lanes.
fn four(at: u32, r: u32) -> vec4i {
  return vec4i(vec4f(lanes[at][r], lanes[at + 1][r], lanes[at + 2][r], lanes[at + 3][r]));
}
