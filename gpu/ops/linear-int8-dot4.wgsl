// linear, int8 weights, by dot4I8Packed (language feature packed_4x8_integer_dot_product).
//
//   y = activation(x W^T + bias) (+ residual), W[c][k] = u[c][k] * s[c][k / 32]
//
// Layouts, order and exact class are those of linear-int8.wgsl: four inputs of a column are an operand as they stand.
// A workgroup makes 64 rows by 64 columns, an invocation 8 rows by 4; a block at a time in workgroup memory (5 KiB).
// Before it: lib/math.wgsl, lib/activation.wgsl, lib/accumulate.wgsl, lib/sums.wgsl, lib/blocks.wgsl, lib/dots.wgsl,
// lib/finish.wgsl or lib/finish-int8.wgsl.
// Twins: ts-api/src/backends/oracle/ops/linear.ts, assembly/ops/linear/int8.ts.

/// What is read of a scale: sign, exponent and 4 bits of fraction.
const INT8_SCALE_BITS: u32 = 0xfff80000u;

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
fn linear_int8_dot4(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
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
    let dots = addDots(Dots(), left, right);
    // 3. one rounding a block
    sums = accumulateBlock(sums, asFloats(dots), left * 4, tileScales[right]);
  }
  // 4. bias, activation, residual
  finishRows(sums, group, local);
}

fn scalesOf(bits: vec4u) -> vec4f {
  return bitcast<vec4f>(bits & vec4u(INT8_SCALE_BITS));
}

/// What an invocation brings of a block.
struct Fetched { block: vec2u, rows: vec4u, columns: vec4u }

/// A word of four rows, and of four columns: one of 8 by 16. Rows beyond the last repeat it.
fn fetch(group: vec3u, block: u32, local: u32) -> Fetched {
  let word = block * 8 + local % 8;
  let words = params.inner / 4;
  let quad = local / 8;
  let row = min(vec4u(group.y * 64 + quad * 4) + vec4u(0u, 1u, 2u, 3u), vec4u(params.rows - 1)) * words + vec4u(word);
  let panel = group.x * 8 + quad / 2;
  var columns = vec4u(0u);
  if (panel * 8 < params.cols) { columns = w[(panel * words + word) * 2 + quad % 2]; }
  return Fetched(fetchBlock(group, block, local), vec4u(x[row.x], x[row.y], x[row.z], x[row.w]), columns);
}

fn place(fetched: Fetched, local: u32) {
  let to = (local % 8) * QUADS + local / 8;
  placeBlock(fetched.block, local);
  tileX[to] = fetched.rows;
  tileW[to] = fetched.columns;
}
