// attention: softmax(q k^T * scale) v, head by head.
//
//   s[i][j] = scale * sum_d q[i][d] k[j][d];  p = softmax of each row;  y[i][d] = sum_j p[i][j] v[j][d]
//
// x [batch][tokens][3][heads][headDim] f32 (q, k, v side by side); y [batch][tokens][heads][headDim]. q, k, v and p enter
// their products bounded (fp32) or rounded to bf16 (bf16). `scale` = f32(1 / sqrt(headDim)). headMask [heads] multiplies p;
// attentionMask [batch][tokens]: a key whose word is 0 has MASKED_SCORE in place of its sum; probabilities
// [batch][heads][tokens][tokens] receives p as it enters its product. `headMasked`, `keyMasked`, `probable`: whether they are there.
// Order: d in order, j in order, from +0; the softmax sum in pinned lanes. Exact class: fp32 pinned, bf16 exact products,
// softmax pinned.
// A workgroup takes 32 queries of one head: 8 groups of 32 invocations, four queries a vector; invocation `lane` of a group
// has keys lane, lane + 32, ..., which are the contract's lanes. It keeps its scores of up to 1024 tokens; with more, they are
// made anew in each of three passes, so that memory does not grow with the tokens.
// Where y is the int8 operand of a linear it goes to packed and blocks; headDim is a multiple of 32 then.
// Before it: lib/math.wgsl, lib/lanes.wgsl, lib/accumulate.wgsl, lib/store.wgsl or lib/store-int8.wgsl.
// Twins: ts-api/src/backends/oracle/ops/attention.ts, assembly/ops/attention.ts.

struct Params {
  zero: u32,
  tokens: u32,
  heads: u32,
  headDim: u32,
  scale: f32,
  /// Workgroups in all: batch * heads * ceil(tokens / 32).
  tiles: u32,
  headMasked: u32,
  keyMasked: u32,
  probable: u32,
  /// heads * headDim.
  width: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> headMask: array<u32>;
@group(0) @binding(3) var<storage, read> attentionMask: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(4) var<storage, read_write> packed: array<u32>;
@group(0) @binding(6) var<storage, read_write> blocks: array<vec2u>;

const FP32: u32 = 0;
const BF16: u32 = 1;
/// Scores that an invocation keeps: those of 32 * KEPT tokens.
const KEPT: u32 = 32;
/// Below every score.
const LOWEST: f32 = -3e38;
/// Before it is scaled: -2^127, below every sum.
const MASKED_SCORE: f32 = -1.7014118346046923e38;
/// Elements between keys in `tile`: one more than 32, so that 32 keys lie in 32 banks.
const STRIDE: u32 = 33;

/// 32 keys or values by 32 elements of the head.
var<workgroup> tile: array<f32, 1056>;
/// 32 queries by 32 elements: [group][element], four queries a vector.
var<workgroup> queries: array<vec4f, 256>;
/// Scores, then exponentials, of four queries against keys lane, lane + 32, ...
var<private> kept: array<vec4f, KEPT>;

@compute @workgroup_size(256)
fn attention_fp32(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  attend(FP32, group.y * groups.x + group.x, local);
}

@compute @workgroup_size(256)
fn attention_bf16(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  attend(BF16, group.y * groups.x + group.x, local);
}

fn enter(format: u32, bits: vec4u) -> vec4f {
  if (format == BF16) { return bitcast<vec4f>(roundBf16Bits(bits)); }
  return bitcast<vec4f>(boundBits(bits));
}

/// The first element of q (0), k (1) or v (2) of a token.
fn startOf(unit: u32, token: u32, part: u32) -> u32 {
  let image = unit / params.heads;
  let head = unit % params.heads;
  return (((image * params.tokens + token) * 3 + part) * params.heads + head) * params.headDim;
}

fn attend(format: u32, index: u32, local: u32) {
  zero = params.zero;
  if (index >= params.tiles) { return; }
  let perHead = (params.tokens + 31) / 32;
  let unit = index / perHead;
  let first = (index % perHead) * 32;
  let lane = local % LANES;
  let keep = params.tokens <= KEPT * LANES;
  // 1. the largest score
  var top = vec4f(LOWEST);
  for (var j = 0u; j < params.tokens; j += LANES) {
    let s = scores(format, unit, first, j, local);
    if (keep) { kept[j / LANES] = s; }
    if (j + lane < params.tokens) { top = max(top, s); }
  }
  top = laneMax(local, top);
  // 2. the sum of the exponentials
  var sum = vec4f(0);
  for (var j = 0u; j < params.tokens; j += LANES) {
    var s = kept[(j / LANES) % KEPT];
    if (!keep) { s = scores(format, unit, first, j, local); }
    let e = exponential(pin(s - top));
    if (keep) { kept[j / LANES] = e; }
    if (j + lane < params.tokens) { sum = pin(sum + e); }
  }
  let inverse = reciprocal(laneSum(local, sum));
  var mask = vec4f(1);
  if (params.headMasked != 0) { mask = bitcast<vec4f>(boundBits(vec4u(headMask[unit % params.heads]))); }
  // 3. probabilities, and the mix of the values: 128 elements of the head at a time
  for (var d = 0u; d < params.headDim; d += 128) {
    var mixed = array<vec4f, 4>();
    for (var j = 0u; j < params.tokens; j += LANES) {
      var e = kept[(j / LANES) % KEPT];
      if (!keep) { e = exponential(pin(scores(format, unit, first, j, local) - top)); }
      let p = enter(format, bitcast<vec4u>(pin(pin(e * inverse) * mask)));
      if (d == 0 && params.probable != 0) { storeProbabilities(unit, first + (local / LANES) * 4, j + lane, p); }
      workgroupBarrier();
      lanes[local] = select(vec4f(0), p, j + lane < params.tokens);
      mixed[0] = mix32(format, unit, j, d, local, mixed[0]);
      if (d + 32 < params.headDim) { mixed[1] = mix32(format, unit, j, d + 32, local, mixed[1]); }
      if (d + 64 < params.headDim) { mixed[2] = mix32(format, unit, j, d + 64, local, mixed[2]); }
      if (d + 96 < params.headDim) { mixed[3] = mix32(format, unit, j, d + 96, local, mixed[3]); }
    }
    for (var i = 0u; i < 4 && d + i * 32 < params.headDim; i++) { storeMixed(unit, first, d + i * 32, local, mixed[i]); }
  }
}

/// Scaled scores of four queries against key j + lane.
fn scores(format: u32, unit: u32, first: u32, j: u32, local: u32) -> vec4f {
  let group = local / LANES;
  let lane = local % LANES;
  var sum = vec4f(0);
  for (var d = 0u; d < params.headDim; d += 32) {
    workgroupBarrier();
    loadTile(format, unit, 1, j, d, local);
    loadQueries(format, unit, first + group * 4, d + lane, local);
    workgroupBarrier();
    for (var i = 0u; i < 32; i++) { sum = accumulate(sum, queries[group * LANES + i] * tile[lane * STRIDE + i]); }
  }
  if (masked(unit, j + lane)) { sum = vec4f(MASKED_SCORE); }
  return pin(sum * params.scale);
}

/// Whether nobody attends to a token.
fn masked(unit: u32, token: u32) -> bool {
  if (params.keyMasked == 0 || token >= params.tokens) { return false; }
  return attentionMask[(unit / params.heads) * params.tokens + token] == 0;
}

/// Adds 32 keys' part to element d + lane of four mixed values; their probabilities are in `lanes`.
fn mix32(format: u32, unit: u32, j: u32, d: u32, local: u32, before: vec4f) -> vec4f {
  let group = local / LANES;
  let lane = local % LANES;
  workgroupBarrier();
  loadTile(format, unit, 2, j, d, local);
  workgroupBarrier();
  var sum = before;
  for (var i = 0u; i < LANES; i++) { sum = accumulate(sum, lanes[group * LANES + i] * tile[i * STRIDE + lane]); }
  return sum;
}

/// tile[token - j][element - d] of keys (part 1) or values (part 2), zeros outside.
fn loadTile(format: u32, unit: u32, part: u32, j: u32, d: u32, local: u32) {
  let token = j + local / 8;
  let element = d + (local % 8) * 4;
  let end = params.headDim;
  var bits = vec4u(0u);
  if (token < params.tokens) {
    let source = startOf(unit, token, part) + element;
    if (element < end) { bits.x = x[source]; }
    if (element + 1 < end) { bits.y = x[source + 1]; }
    if (element + 2 < end) { bits.z = x[source + 2]; }
    if (element + 3 < end) { bits.w = x[source + 3]; }
  }
  let v = enter(format, bits);
  let to = (local / 8) * STRIDE + (local % 8) * 4;
  tile[to] = v.x;
  tile[to + 1] = v.y;
  tile[to + 2] = v.z;
  tile[to + 3] = v.w;
}

/// Element d of four queries; queries beyond the last repeat it.
fn loadQueries(format: u32, unit: u32, first: u32, d: u32, local: u32) {
  let token = min(vec4u(first) + vec4u(0u, 1u, 2u, 3u), vec4u(params.tokens - 1));
  var bits = vec4u(0u);
  if (d < params.headDim) {
    bits = vec4u(
      x[startOf(unit, token.x, 0) + d], x[startOf(unit, token.y, 0) + d],
      x[startOf(unit, token.z, 0) + d], x[startOf(unit, token.w, 0) + d],
    );
  }
  queries[local] = enter(format, bits);
}

/// Element d + lane of four mixed values.
fn storeMixed(unit: u32, first: u32, d: u32, local: u32, v: vec4f) {
  let query = first + (local / LANES) * 4;
  let element = d + local % LANES;
  let row = (unit / params.heads) * params.tokens + query;
  let column = (unit % params.heads) * params.headDim + element;
  store(local, row, min(4u, max(query, params.tokens) - query), select(params.width, column, element < params.headDim), v);
}

/// The probabilities of four queries for key j.
fn storeProbabilities(unit: u32, first: u32, j: u32, p: vec4f) {
  if (j >= params.tokens) { return; }
  for (var i = 0u; i < 4; i++) {
    if (first + i < params.tokens) { probabilities[(unit * params.tokens + first + i) * params.tokens + j] = p[i]; }
  }
}
