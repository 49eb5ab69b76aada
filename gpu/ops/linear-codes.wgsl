// linear, nf4 and fp4 weights: y = activation(x W^T + bias) (+ residual), W[c][k] = roundBf16(codebook[u[c][k]] * s[c][k / group]).
//
// x, bias, residual, y, tiles, order and exact class are those of bf16 weights in linear.wgsl: the sums are the same on decoded
// weights. w panels [panel][inner / 4][16] bytes of two codes, as in linear-int4.wgsl; scales [panel][inner / group, rounded up][8] f32.
// Before it: lib/math.wgsl, lib/activation.wgsl, lib/accumulate.wgsl, lib/sums.wgsl, lib/finish.wgsl, lib/codebook.wgsl, ops/linear.wgsl.
// Twins: ts-api/src/backends/oracle/ops/linear.ts, assembly/ops/linear/float.ts.

@group(0) @binding(2) var<storage, read> codes: array<vec4u>;
@group(0) @binding(6) var<storage, read> scales: array<vec4f>;

@compute @workgroup_size(128)
fn linear_nf4(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  loadCodebook(NF4, local);
  multiplyCodes(group, local);
}

@compute @workgroup_size(128)
fn linear_fp4(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  loadCodebook(FP4, local);
  multiplyCodes(group, local);
}

fn multiplyCodes(group: vec3u, local: u32) {
  zero = params.zero;
  var sums = Sums();
  for (var k = 0u; k < params.inner; k += STEP) {
    workgroupBarrier();
    // 1. a block of rows, and of panels to f32
    if (local < 64) { placeRows(fetchRows(group.y, k, local), local); } else { loadCodes(group.x, k, local - 64); }
    workgroupBarrier();
    // 2. sums over k
    sums = multiply(sums, local);
  }
  // 3. bias, activation, residual
  finishRows(sums, group, local);
}

/// Load i of 64: panel i / 8 of the tile, four inputs of part i / 2 mod 4, half i mod 2 of its 8 columns.
fn loadCodes(tile: u32, k: u32, i: u32) {
  let panel = tile * 8 + i / 8;
  let part = (i / 2) % 4;
  let half = i % 2;
  var bytes = vec4u(0u);
  var scale = vec4f(0);
  if (panel * 8 < params.cols) {
    let groups = (params.inner + params.group - 1) / params.group;
    bytes = codes[(panel * params.inner + k) / 4 + part] >> vec4u(4 * half);
    scale = scales[(panel * groups + k / params.group) * 2 + half];
  }
  let to = part * 4 * QUADS + (i / 8) * 2 + half;
  for (var j = 0u; j < 4; j++) { tileW[to + j * QUADS] = decode((bytes >> vec4u(8 * j)) & vec4u(15u), scale); }
}
