// patchify: pixels to one row a patch, in the order of a convolution's weights.
//
//   y[b * gridHeight * gridWidth + i * gridWidth + j][(c * patchHeight + p) * patchWidth + q]
//     = x[b][c][i * patchHeight + p][j * patchWidth + q]
//
// x [batch][channels][height][width] f32; y dense; pixels beyond the last whole patch are dropped. One invocation an element
// of y, 64 a workgroup, workgroups numbered over two dimensions. Exact class: copy of bits.
// Twins: ts-api/src/backends/oracle/ops/patchify.ts, assembly/ops/patchify.ts.

struct Params {
  zero: u32,
  /// Elements of y.
  count: u32,
  channels: u32,
  height: u32,
  width: u32,
  patchHeight: u32,
  patchWidth: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn patchify(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let at = (group.y * groups.x + group.x) * 64 + local;
  if (at >= params.count) { return; }
  let gridWidth = params.width / params.patchWidth;
  let patches = (params.height / params.patchHeight) * gridWidth;
  // 1. which row, which pixel of it
  let q = at % params.patchWidth;
  let p = (at / params.patchWidth) % params.patchHeight;
  let rest = at / (params.patchWidth * params.patchHeight);
  let c = rest % params.channels;
  let r = rest / params.channels;
  // 2. where that pixel is
  let image = r / patches;
  let index = r % patches;
  let top = (index / gridWidth) * params.patchHeight;
  let left = (index % gridWidth) * params.patchWidth;
  y[at] = x[((image * params.channels + c) * params.height + top + p) * params.width + left + q];
}
