// linear, fp32 and bf16 weights: y = activation(x W^T + bias) (+ residual).
//
// x [rows][inner] f32, as quantize-rows leaves it (bounded, or rounded to bf16); w panels [panel][inner][8] of f32 or
// bf16; bias [panels * 8]; y [rows][cols]; inner a multiple of 32.
// A workgroup makes 64 rows by 64 columns, an invocation 8 rows by 4; 16 inputs at a time pass through workgroup memory
// (8 KiB), four rows or four columns side by side; half of the invocations load rows, the other half weights.
// Order: k = 0 ... inner - 1 from +0. Exact class: fp32 pinned (product, then sum), bf16 exact products.
// Before it: lib/math.wgsl, lib/activation.wgsl, lib/accumulate.wgsl, lib/sums.wgsl, lib/finish.wgsl.
// Twins: ts-api/src/backends/oracle/ops/linear.ts, assembly/ops/linear/float.ts. nf4 and fp4: linear-codes.wgsl.

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
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> wide: array<vec4f>;
@group(0) @binding(2) var<storage, read> halves: array<vec2u>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

/// Inputs of a step.
const STEP: u32 = 16;

var<workgroup> tileX: array<vec4f, 256>;
var<workgroup> tileW: array<vec4f, 256>;

@compute @workgroup_size(128)
fn linear_fp32(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  zero = params.zero;
  var sums = Sums();
  var next = fetchFp32(group, 0, local);
  for (var k = 0u; k < params.inner; k += STEP) {
    workgroupBarrier();
    // 1. a block of rows, and of panels, to workgroup memory; the next one is on its way meanwhile
    place(next, local);
    workgroupBarrier();
    next = fetchFp32(group, min(k + STEP, params.inner - STEP), local);
    // 2. sums over k
    sums = multiply(sums, local);
  }
  // 3. bias, activation, residual
  finishRows(sums, group, local);
}

@compute @workgroup_size(128)
fn linear_bf16(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  zero = params.zero;
  var sums = Sums();
  var next = fetchBf16(group, 0, local);
  for (var k = 0u; k < params.inner; k += STEP) {
    workgroupBarrier();
    // 1. a block of rows, and of panels, to workgroup memory; the next one is on its way meanwhile
    place(next, local);
    workgroupBarrier();
    next = fetchBf16(group, min(k + STEP, params.inner - STEP), local);
    // 2. sums over k
    sums = multiply(sums, local);
  }
  // 3. bias, activation, residual
  finishRows(sums, group, local);
}

/// What an invocation brings of a block: four inputs of four rows, or four times four weights.
struct Fetched { a: vec4f, b: vec4f, c: vec4f, d: vec4f }

fn fetchFp32(group: vec3u, k: u32, local: u32) -> Fetched {
  if (local < 64) { return fetchRows(group.y, k, local); }
  let i = local - 64;
  return Fetched(wideAt(group.x, k, i), wideAt(group.x, k, i + 64), wideAt(group.x, k, i + 128), wideAt(group.x, k, i + 192));
}

fn fetchBf16(group: vec3u, k: u32, local: u32) -> Fetched {
  if (local < 64) { return fetchRows(group.y, k, local); }
  let i = local - 64;
  return Fetched(halfAt(group.x, k, i), halfAt(group.x, k, i + 64), halfAt(group.x, k, i + 128), halfAt(group.x, k, i + 192));
}

fn place(fetched: Fetched, local: u32) {
  if (local < 64) {
    placeRows(fetched, local);
  } else {
    let i = local - 64;
    tileW[placeOf(i)] = fetched.a;
    tileW[placeOf(i + 64)] = fetched.b;
    tileW[placeOf(i + 128)] = fetched.c;
    tileW[placeOf(i + 192)] = fetched.d;
  }
}

/// Rows beyond the last repeat it.
fn fetchRows(tile: u32, k: u32, local: u32) -> Fetched {
  let row = min(vec4u(tile * 64 + (local / 4) * 4) + vec4u(0u, 1u, 2u, 3u), vec4u(params.rows - 1));
  let source = (row * params.inner + vec4u(k)) / 4 + vec4u(local % 4);
  return Fetched(x[source.x], x[source.y], x[source.z], x[source.w]);
}

/// To tileX[input][row / 4], four rows a vector.
fn placeRows(rows: Fetched, local: u32) {
  let to = (local % 4) * 4 * QUADS + local / 4;
  tileX[to] = vec4f(rows.a.x, rows.b.x, rows.c.x, rows.d.x);
  tileX[to + QUADS] = vec4f(rows.a.y, rows.b.y, rows.c.y, rows.d.y);
  tileX[to + 2 * QUADS] = vec4f(rows.a.z, rows.b.z, rows.c.z, rows.d.z);
  tileX[to + 3 * QUADS] = vec4f(rows.a.w, rows.b.w, rows.c.w, rows.d.w);
}

/// Four weights of 256: panel i / 32 of the tile, input (i mod 32) / 2, half i mod 2 of its 8 columns.
fn wideAt(tile: u32, k: u32, i: u32) -> vec4f {
  let panel = tile * 8 + i / 32;
  if (panel * 8 >= params.cols) { return vec4f(0); }
  return wide[(panel * params.inner + k) * 2 + i % 32];
}

fn halfAt(tile: u32, k: u32, i: u32) -> vec4f {
  let panel = tile * 8 + i / 32;
  if (panel * 8 >= params.cols) { return vec4f(0); }
  let pairs = halves[(panel * params.inner + k) * 2 + i % 32];
  return bitcast<vec4f>(vec4u(pairs.x << 16u, pairs.x & 0xffff0000u, pairs.y << 16u, pairs.y & 0xffff0000u));
}

fn placeOf(i: u32) -> u32 {
  return ((i % 32) / 2) * QUADS + (i / 32) * 2 + i % 2;
}

fn multiply(before: Sums, local: u32) -> Sums {
  var sums = before;
  let left = (local / QUADS) * 2;
  let right = local % QUADS;
  for (var k = 0u; k < STEP * QUADS; k += QUADS) {
    let w = tileW[k + right];
    let a = tileX[k + left];
    let b = tileX[k + left + 1];
    sums.r0 = accumulate(sums.r0, a.x * w);
    sums.r1 = accumulate(sums.r1, a.y * w);
    sums.r2 = accumulate(sums.r2, a.z * w);
    sums.r3 = accumulate(sums.r3, a.w * w);
    sums.r4 = accumulate(sums.r4, b.x * w);
    sums.r5 = accumulate(sums.r5, b.y * w);
    sums.r6 = accumulate(sums.r6, b.z * w);
    sums.r7 = accumulate(sums.r7, b.w * w);
  }
  return sums;
}
