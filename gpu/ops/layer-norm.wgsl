// layer-norm: each row to mean 0 and variance 1, then gain and offset.
//
//   mean = sum(x) / cols;  d = bound(x - mean);  var = sum(d^2) / cols
//   y = bound(d * rsqrt(var + eps)) * gamma + beta
//
// x, y [rows][cols] f32; gamma, beta [cols]; `inverse` = f32(1 / cols), a factor in place of both divisions.
// Where y is the operand of a linear, its rows have `width` elements, zeros from cols on; int8 goes to packed and blocks.
// Order: pinned 32 lanes. Exact class: pinned. A workgroup is 32 lanes over four rows, one row a component.
// Before it: lib/math.wgsl, lib/lanes.wgsl, lib/store.wgsl or lib/store-int8.wgsl.
// Twins: ts-api/src/backends/oracle/ops/layer-norm.ts, assembly/ops/layer-norm.ts.

struct Params {
  zero: u32,
  rows: u32,
  cols: u32,
  inverse: f32,
  eps: f32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> packed: array<u32>;
@group(0) @binding(5) var<storage, read_write> blocks: array<vec2u>;

/// Column c of four rows, bounded.
fn column(base: vec4u, c: u32) -> vec4f {
  let source = base + vec4u(c);
  return bitcast<vec4f>(boundBits(vec4u(x[source.x], x[source.y], x[source.z], x[source.w])));
}

fn difference(base: vec4u, c: u32, mean: vec4f) -> vec4f {
  return bound(pin(column(base, c) - mean));
}

@compute @workgroup_size(32)
fn layer_norm(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  zero = params.zero;
  let first = (group.y * groups.x + group.x) * 4;
  let cols = params.cols;
  let row = vec4u(first) + vec4u(0u, 1u, 2u, 3u);
  let base = min(row, vec4u(params.rows - 1)) * cols;
  // 1. mean
  var sum = vec4f(0);
  for (var c = lane; c < cols; c += LANES) { sum = pin(sum + column(base, c)); }
  let mean = pin(laneSum(lane, sum) * params.inverse);
  // 2. variance of the differences
  sum = vec4f(0);
  for (var c = lane; c < cols; c += LANES) {
    let d = difference(base, c, mean);
    sum = pin(sum + pin(d * d));
  }
  let variance = pin(laneSum(lane, sum) * params.inverse);
  // 3. normalise, gain, offset
  let scale = rsqrt(pin(variance + vec4f(params.eps)));
  let count = min(4u, max(first, params.rows) - first);
  for (var start = 0u; start < params.width; start += LANES) {
    let c = start + lane;
    let k = min(c, cols - 1);
    let v = pin(pin(bound(pin(difference(base, k, mean) * scale)) * gamma[k]) + vec4f(beta[k]));
    store(lane, first, count, c, select(vec4f(0), v, c < cols));
  }
}
