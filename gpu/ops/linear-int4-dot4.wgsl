// linear, int4 weights, by dot4I8Packed (language feature packed_4x8_integer_dot_product).
//
//   y = activation(x W^T + bias) (+ residual), W[c][k] = (u[c][k] - 8) * s[c][k / group]
//
// Layouts, order and exact class are those of linear-int4.wgsl. u stays 0 ... 15, so that p & 0x0f0f0f0f and
// (p >> 4) & 0x0f0f0f0f are operands as they stand; the correction of `blocks` takes the offset 8 away.
// A workgroup makes 64 rows by 64 columns, an invocation 8 rows by 4; a block at a time in workgroup memory (5 KiB).
// Before it: lib/math.wgsl, lib/activation.wgsl, lib/accumulate.wgsl, lib/finish.wgsl, lib/blocks.wgsl.
// Twins: ts-api/src/backends/oracle/ops/linear.ts, assembly/ops/linear/int4.ts.

struct Params {
  zero: u32,
  rows: u32,
  cols: u32,
  inner: u32,
  activation: u32,
  residualRows: u32,
  group: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> blocks: array<vec2u>;
@group(0) @binding(3) var<storage, read> w: array<vec4u>;
@group(0) @binding(4) var<storage, read> scales: array<vec2u>;
@group(0) @binding(5) var<storage, read> bias: array<vec4f>;
@group(0) @binding(6) var<storage, read> residual: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

var<workgroup> tileX: array<vec4u, 128>;
var<workgroup> tileW: array<vec4u, 128>;
/// The integers of 8 rows, 4 columns each.
struct Dots { r0: vec4i, r1: vec4i, r2: vec4i, r3: vec4i, r4: vec4i, r5: vec4i, r6: vec4i, r7: vec4i }

@compute @workgroup_size(128)
fn linear_int4_dot4(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  zero = params.zero;
  let left = (local / QUADS) * 2;
  let right = local % QUADS;
  var sums = Sums();
  for (var block = 0u; block < params.inner / 32; block++) {
    workgroupBarrier();
    // 1. a block of the rows and panels
    loadBlock(group, block, local);
    loadRows(group.y, block, local);
    if (local < 64) { loadPanels(group.x, block, local); }
    workgroupBarrier();
    // 2. dots inside the block
    var dots = correctionsOf(left * 4);
    for (var j = 0u; j < 8 * QUADS; j += QUADS) {
      let u = tileW[j + right];
      let a = tileX[j + left];
      let b = tileX[j + left + 1];
      dots.r0 += dot4(a.x, u);
      dots.r1 += dot4(a.y, u);
      dots.r2 += dot4(a.z, u);
      dots.r3 += dot4(a.w, u);
      dots.r4 += dot4(b.x, u);
      dots.r5 += dot4(b.y, u);
      dots.r6 += dot4(b.z, u);
      dots.r7 += dot4(b.w, u);
    }
    // 3. one rounding a block
    sums = accumulateBlock(sums, asFloats(dots), left * 4, tileScales[right]);
  }
  // 4. bias, activation, residual
  finishRows(sums, group, local);
}

/// What takes the offset 8 of the weights away, for 8 rows from `row` on.
fn correctionsOf(row: u32) -> Dots {
  return Dots(
    vec4i(corrections[row]), vec4i(corrections[row + 1]), vec4i(corrections[row + 2]), vec4i(corrections[row + 3]),
    vec4i(corrections[row + 4]), vec4i(corrections[row + 5]), vec4i(corrections[row + 6]), vec4i(corrections[row + 7]),
  );
}

fn asFloats(d: Dots) -> Sums {
  return Sums(vec4f(d.r0), vec4f(d.r1), vec4f(d.r2), vec4f(d.r3), vec4f(d.r4), vec4f(d.r5), vec4f(d.r6), vec4f(d.r7));
}

/// Four inputs of a row times the same four of four columns.
fn dot4(q: u32, u: vec4u) -> vec4i {
  return vec4i(dot4I8Packed(q, u.x), dot4I8Packed(q, u.y), dot4I8Packed(q, u.z), dot4I8Packed(q, u.w));
}

/// 64 rows by 8 words to tileX[word][row / 4], four rows a vector; rows beyond the last repeat it.
fn loadRows(tile: u32, block: u32, local: u32) {
  let quad = local / 8;
  let part = local % 8;
  let row = min(vec4u(tile * 64 + quad * 4) + vec4u(0u, 1u, 2u, 3u), vec4u(params.rows - 1));
  let source = row * (params.inner / 4) + vec4u(block * 8 + part);
  tileX[part * QUADS + quad] = vec4u(x[source.x], x[source.y], x[source.z], x[source.w]);
}

/// 8 panels by 8 words to tileW[word][column / 4], four columns a vector.
fn loadPanels(tile: u32, block: u32, local: u32) {
  let panel = local / 8;
  let part = local % 8;
  var bytes = vec4u(0u);
  if ((tile * 8 + panel) * 8 < params.cols) { bytes = w[(tile * 8 + panel) * (params.inner / 4) + block * 8 + part]; }
  tileW[part * QUADS + panel * 2] = bytes & vec4u(0x0f0f0f0fu);
  tileW[part * QUADS + panel * 2 + 1] = (bytes >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
}
