/** The op `patchify`: its call, and its checks. */
import { need, needSize, type DeviceTensor, type OpContract } from "./contract.js";

/** Pixels to one row a patch: x [batch][channels][height][width] f32 to y [batch * patches][channels * patchHeight * patchWidth]. */
export interface PatchifyCall {
  batch: number;
  channels: number;
  height: number;
  width: number;
  patchHeight: number;
  patchWidth: number;
  x: DeviceTensor;
  y: DeviceTensor;
}

export function patchCount(call: Pick<PatchifyCall, "height" | "width" | "patchHeight" | "patchWidth">): number {
  return Math.floor(call.height / call.patchHeight) * Math.floor(call.width / call.patchWidth);
}

export const patchify: OpContract<PatchifyCall> = {
  check(call) {
    for (const size of ["batch", "channels", "height", "width", "patchHeight", "patchWidth"] as const) needSize("patchify", size, call[size]);
    needSize("patchify", "patches", patchCount(call));
    need("patchify", call.x, "x", "f32", [call.batch, call.channels, call.height, call.width]);
    need("patchify", call.y, "y", "f32", [call.batch * patchCount(call), call.channels * call.patchHeight * call.patchWidth]);
  },
  reads: (call) => [call.x],
  results: (call) => [{ buffer: "y", tensor: call.y, dims: [call.batch * patchCount(call), call.channels * call.patchHeight * call.patchWidth] }],
  operations: () => 0,
};
