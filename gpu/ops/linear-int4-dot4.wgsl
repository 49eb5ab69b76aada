// linear, int4 weights, by dot4I8Packed (language feature packed_4x8_integer_dot_product).
//
//   y = activation(x W^T + bias) (+ residual), W[c][k] = (u[c][k] - 8) * s[c][k / group]
//
// Layouts, order and exact class are those of linear-int4.wgsl. u stays 0 ... 15, so that p & 0x0f0f0f0f and
// (p >> 4) & 0x0f0f0f0f are operands as they stand; the correction of `blocks` takes the offset 8 away.
// A workgroup makes 64 rows by 64 columns, an invocation 8 rows by 4; a block at a time in workgroup memory (5 KiB).
// Before it: lib/math.wgsl, lib/activation.wgsl, lib/accumulate.wgsl, lib/sums.wgsl, lib/blocks.wgsl, lib/dots.wgsl,
// lib/finish.wgsl or lib/finish-int8.wgsl.
// Twins: ts-api/src/backends/oracle/ops/linear.ts, assembly/ops/linear/int4.ts.

struct Params {
  zero: u32,
  rows: u32,
  cols: u32,
  inner: u32,
  activation: u32,
  residualRows: u32,
  group: u32,
  width: u32,
  stride: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> blocks: array<vec2u>;
@group(0) @binding(3) var<storage, read> w: array<vec4u>;
@group(0) @binding(4) var<storage, read> scales: array<vec2u>;
@group(0) @binding(5) var<storage, read> bias: array<vec4f>;
@group(0) @binding(6) var<storage, read> residual: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(128)
fn linear_int4_dot4(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  zero = params.zero;
  let left = (local / QUADS) * 2;
  let right = local % QUADS;
  var sums = Sums();
  let last = params.inner / 32 - 1;
  var next = fetch(group, 0, local);
  for (var block = 0u; block <= last; block++) {
    workgroupBarrier();
    // 1. a block of the rows and panels to workgroup memory; the next one is on its way meanwhile
    place(next, local);
    workgroupBarrier();
    next = fetch(group, min(block + 1, last), local);
    // 2. dots inside the block
    let dots = addDots(correctionsOf(left * 4), left, right);
    // 3. one rounding a block
    sums = accumulateBlock(sums, asFloats(dots), left * 4, tileScales[right]);
  }
  // 4. bias, activation, residual
  finishRows(sums, group, local);
}

/// All 8 significant bits count.
fn scalesOf(bits: vec4u) -> vec4f {
  return bitcast<vec4f>(bits);
}

/// What takes the offset 8 of the weights away, for 8 rows from `row` on.
fn correctionsOf(row: u32) -> Dots {
  return Dots(
    vec4i(corrections[row]), vec4i(corrections[row + 1]), vec4i(corrections[row + 2]), vec4i(corrections[row + 3]),
    vec4i(corrections[row + 4]), vec4i(corrections[row + 5]), vec4i(corrections[row + 6]), vec4i(corrections[row + 7]),
  );
}

/// What an invocation brings of a block.
struct Fetched { block: vec2u, rows: vec4u, panel: vec4u }

/// A word of four rows, one of 8 by 16; rows beyond the last repeat it. A word of a panel, one of 8 by 8.
fn fetch(group: vec3u, block: u32, local: u32) -> Fetched {
  let word = block * 8 + local % 8;
  let words = params.inner / 4;
  let row = min(vec4u(group.y * 64 + (local / 8) * 4) + vec4u(0u, 1u, 2u, 3u), vec4u(params.rows - 1)) * words + vec4u(word);
  let panel = group.x * 8 + local / 8;
  var bytes = vec4u(0u);
  if (local < 64 && panel * 8 < params.cols) { bytes = w[panel * words + word]; }
  return Fetched(fetchBlock(group, block, local), vec4u(x[row.x], x[row.y], x[row.z], x[row.w]), bytes);
}

/// To tileX[word][row / 4], four rows a vector, and tileW[word][column / 4], four columns a vector.
fn place(fetched: Fetched, local: u32) {
  let part = (local % 8) * QUADS;
  placeBlock(fetched.block, local);
  tileX[part + local / 8] = fetched.rows;
  if (local < 64) {
    tileW[part + (local / 8) * 2] = fetched.panel & vec4u(0x0f0f0f0fu);
    tileW[part + (local / 8) * 2 + 1] = (fetched.panel >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  }
}
