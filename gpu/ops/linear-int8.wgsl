// linear, int8 weights: y = activation(x W^T + bias) (+ residual), W[c][k] = u[c][k] * s[c][k / 32].
//
// x [rows][inner] int8 and blocks [rows][inner / 32] { f32 2^e, i16 pair }, as quantize-rows leaves them; the pair is for int4.
// w panels [panel][inner / 4][32] bytes: byte 4 c + i holds u of column c and input 4 j + i. scales [panel][inner / 32][8] bf16, of
// which 5 significant bits count; bias [panels * 8]; y [rows][cols].
// For devices without packed dot products: the integers of a block run in f32, where sums below 2^24 are exact in any order.
// A workgroup makes 64 rows by 64 columns, an invocation 8 rows by 4; half a block at a time in workgroup memory.
// Order: integers inside a block of 32, blocks in order from +0. Exact class: exact products, one rounding a block.
// Before it: lib/math.wgsl, lib/activation.wgsl, lib/accumulate.wgsl, lib/sums.wgsl, lib/blocks.wgsl, lib/finish.wgsl or
// lib/finish-int8.wgsl.
// Twins: ts-api/src/backends/oracle/ops/linear.ts, assembly/ops/linear/int8.ts. Faster form: linear-int8-dot4.wgsl.

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

var<workgroup> tileX: array<vec4f, 256>;
var<workgroup> tileW: array<vec4f, 256>;

@compute @workgroup_size(128)
fn linear_int8_plain(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  zero = params.zero;
  let left = (local / QUADS) * 2;
  let right = local % QUADS;
  var sums = Sums();
  for (var block = 0u; block < params.inner / 32; block++) {
    var dots = Sums();
    for (var half = 0u; half < 2; half++) {
      workgroupBarrier();
      // 1. 16 inputs of the rows and panels, as integers in f32
      if (half == 0) { placeBlock(fetchBlock(group, block, local), local); }
      let word = block * 8 + half * 4;
      if (local < 64) { loadRows(group.y, word, local); } else { loadColumns(group.x, word, local - 64); }
      workgroupBarrier();
      // 2. dots inside the block
      for (var k = 0u; k < 16 * QUADS; k += QUADS) {
        let u = tileW[k + right];
        let a = tileX[k + left];
        let b = tileX[k + left + 1];
        dots.r0 += a.x * u;
        dots.r1 += a.y * u;
        dots.r2 += a.z * u;
        dots.r3 += a.w * u;
        dots.r4 += b.x * u;
        dots.r5 += b.y * u;
        dots.r6 += b.z * u;
        dots.r7 += b.w * u;
      }
    }
    // 3. one rounding a block
    sums = accumulateBlock(sums, dots, left * 4, tileScales[right]);
  }
  // 4. bias, activation, residual
  finishRows(sums, group, local);
}

fn scalesOf(bits: vec4u) -> vec4f {
  return bitcast<vec4f>(bits & vec4u(INT8_SCALE_BITS));
}

/// 64 rows by four words to tileX[input][row / 4]; rows beyond the last repeat it.
fn loadRows(tile: u32, word: u32, local: u32) {
  let quad = local / 4;
  let row = min(vec4u(tile * 64 + quad * 4) + vec4u(0u, 1u, 2u, 3u), vec4u(params.rows - 1));
  let source = row * (params.inner / 4) + vec4u(word + local % 4);
  let bytes = vec4u(x[source.x], x[source.y], x[source.z], x[source.w]);
  let to = (local % 4) * 4 * QUADS + quad;
  for (var i = 0u; i < 4; i++) { tileX[to + i * QUADS] = inputOf(bytes, i); }
}

/// 8 panels by four words to tileW[input][column / 4].
fn loadColumns(tile: u32, word: u32, local: u32) {
  let quad = local / 4;
  let panel = tile * 8 + quad / 2;
  var bytes = vec4u(0u);
  if (panel * 8 < params.cols) { bytes = w[(panel * (params.inner / 4) + word + local % 4) * 2 + quad % 2]; }
  let to = (local % 4) * 4 * QUADS + quad;
  for (var i = 0u; i < 4; i++) { tileW[to + i * QUADS] = inputOf(bytes, i); }
}

/// Input i of four, of four rows or columns.
fn inputOf(bytes: vec4u, i: u32) -> vec4f {
  return vec4f((bitcast<vec4i>(bytes) << vec4u(24 - 8 * i)) >> vec4u(24u));
}
