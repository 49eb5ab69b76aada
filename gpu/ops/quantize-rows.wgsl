// quantize-rows: activations to the operand of a linear. Rows are padded with zeros from cols to inner, a multiple of 32.
//
//   fp32   y = bound(x)
//   bf16   y = roundBf16(x), kept as f32
//   split  y = [roundBf16(x) | roundBf16(x - roundBf16(x))], each half `inner` long: the weights are stored twice
//   int8   per block of 32: e = exponent of max|x| - 6, one more where max|x| would round to 128;
//          y = round-half-even(x * 2^-e), blocks = { f32 2^e, i16 pair }: -8 * sum of y over k mod 4 in {0, 1} and {2, 3}
//
// x [rows][cols] f32. One invocation four inputs, 64 a workgroup, workgroups numbered over two dimensions.
// Exact class: integers and exact powers of two. Before it: lib/math.wgsl, lib/int8.wgsl.
// Twins: ts-api/src/backends/oracle/ops/quantize-rows.ts, assembly/ops/quantize-rows.ts.

struct Params {
  zero: u32,
  rows: u32,
  cols: u32,
  inner: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;
@group(0) @binding(3) var<storage, read_write> blocks: array<vec2u>;

var<workgroup> magnitudes: array<u32, 64>;
var<workgroup> pairs: array<vec2i, 64>;

/// The place of an invocation: row, and a quarter of its first input.
struct Place { row: u32, quad: u32 }

fn placeOf(index: u32) -> Place {
  let quads = params.inner / 4;
  return Place(index / quads, index % quads);
}

/// The bits of four inputs, +0 from cols on.
fn inputs(place: Place) -> vec4u {
  var bits = vec4u(0u);
  if (place.row >= params.rows) { return bits; }
  let k = place.quad * 4;
  let source = place.row * params.cols + k;
  if (k < params.cols) { bits.x = x[source]; }
  if (k + 1 < params.cols) { bits.y = x[source + 1]; }
  if (k + 2 < params.cols) { bits.z = x[source + 2]; }
  if (k + 3 < params.cols) { bits.w = x[source + 3]; }
  return bits;
}

@compute @workgroup_size(64)
fn quantize_rows_fp32(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  let place = placeOf(index);
  if (place.row < params.rows) { y[index] = boundBits(inputs(place)); }
}

@compute @workgroup_size(64)
fn quantize_rows_bf16(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  let place = placeOf(index);
  if (place.row < params.rows) { y[index] = roundBf16Bits(inputs(place)); }
}

@compute @workgroup_size(64)
fn quantize_rows_split(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  zero = params.zero;
  let place = placeOf((group.y * groups.x + group.x) * 64 + local);
  if (place.row >= params.rows) { return; }
  let v = boundBits(inputs(place));
  let high = roundBf16Bits(v);
  let low = pin(bitcast<vec4f>(v) - bitcast<vec4f>(high));
  let to = place.row * (params.inner / 2) + place.quad;
  y[to] = high;
  y[to + params.inner / 4] = bitcast<vec4u>(roundBf16(low));
}

@compute @workgroup_size(64)
fn quantize_rows_int8(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  zero = params.zero;
  let index = (group.y * groups.x + group.x) * 64 + local;
  let place = placeOf(index);
  let first = local - local % 8;
  // 1. 32 values in 8 invocations, bounded
  let v = boundBits(inputs(place));
  // 2. the exponent, from the bits of the largest magnitude
  let m = v & vec4u(0x7fffffffu);
  magnitudes[local] = max(max(m.x, m.y), max(m.z, m.w));
  workgroupBarrier();
  var largest = 0u;
  for (var i = 0u; i < 8; i++) { largest = max(largest, magnitudes[first + i]); }
  let e = blockExponents(vec4u(largest));
  // 3. round to int8
  let q = roundToInt(pin(bitcast<vec4f>(v) * powerOfTwo(-e)));
  if (place.row < params.rows) { packed[index] = wordOf(q); }
  // 4. 2^e, and the correction for the offset 8 of the weights
  pairs[local] = vec2i(q.x + q.y, q.z + q.w);
  workgroupBarrier();
  if (local == first && place.row < params.rows) {
    var sums = vec2i(0);
    for (var i = 0u; i < 8; i++) { sums += pairs[first + i]; }
    blocks[index / 8] = blockOf(e.x, sums);
  }
}
