// Pinned sums: 32 invocations side by side are the 32 lanes of the contract, for four rows at a time.
//
// Lane l has added its elements l, l + 32, ... in order, from +0; then lanes l and l + 16 are added, then 8, 4, 2, 1.
// Workgroups of 32 to 256 invocations, a whole number of 32s. Call from uniform control flow.
// Before it: lib/math.wgsl. Twins: laneSum in ts-api/src/backends/oracle/math.ts, assembly/lib/lanes.ts.

const LANES: u32 = 32;

/// One place an invocation. Free between the calls of laneSum and laneMax.
var<workgroup> lanes: array<vec4f, 256>;

/// The sum over the 32 lanes that `local` belongs to, in each of them.
fn laneSum(local: u32, term: vec4f) -> vec4f {
  let lane = local % LANES;
  workgroupBarrier();
  lanes[local] = term;
  for (var half = LANES / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { lanes[local] = pin(lanes[local] + lanes[local + half]); }
  }
  workgroupBarrier();
  return lanes[local - lane];
}

/// The largest over the 32 lanes; exact in any order.
fn laneMax(local: u32, term: vec4f) -> vec4f {
  let lane = local % LANES;
  workgroupBarrier();
  lanes[local] = term;
  for (var half = LANES / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { lanes[local] = max(lanes[local], lanes[local + half]); }
  }
  workgroupBarrier();
  return lanes[local - lane];
}
