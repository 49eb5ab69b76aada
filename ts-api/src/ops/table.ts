/**
 * The op set, as one type: a backend that lacks an op does not compile.
 *
 * An op has one stem everywhere: contract here, oracle in backends/oracle/ops, kernels in assembly/ops and gpu/ops, cases in
 * tests/conformance/ops.
 */
import { sizeOf } from "../core/tensor.js";
import { attention, type AttentionCall } from "./attention.js";
import { ELEMENT_BYTES, type DeviceTensor, type OpContract, type OpResult, type Work } from "./contract.js";
import { layerNorm, type LayerNormCall } from "./layer-norm.js";
import { linear, type LinearCall } from "./linear.js";
import { patchify, type PatchifyCall } from "./patchify.js";
import { quantizeRows, type QuantizeRowsCall } from "./quantize-rows.js";

export interface OpCalls {
  patchify: PatchifyCall;
  "quantize-rows": QuantizeRowsCall;
  linear: LinearCall;
  "layer-norm": LayerNormCall;
  attention: AttentionCall;
}

export type OpName = keyof OpCalls;
/** One use of an op: its name, sizes and buffers. A plan is a list of these. */
export type OpCall = { [K in OpName]: { op: K } & OpCalls[K] }[OpName];
export type CallOf<K extends OpName> = Extract<OpCall, { op: K }>;

export const OPS: { [K in OpName]: OpContract<OpCalls[K]> } = {
  patchify,
  "quantize-rows": quantizeRows,
  linear,
  "layer-norm": layerNorm,
  attention,
};

function contractOf(call: OpCall): OpContract<OpCall> {
  return OPS[call.op] as unknown as OpContract<OpCall>;
}

/** Throws IJepaError `input/shape` when the call cannot be run. */
export function checkCall(call: OpCall): void {
  contractOf(call).check(call);
}

export function readsOf(call: OpCall): DeviceTensor[] {
  return contractOf(call).reads(call);
}

export function resultsOf(call: OpCall): OpResult[] {
  return contractOf(call).results(call);
}

/** Bytes of a result. */
export function resultBytes({ tensor, dims }: OpResult): number {
  return sizeOf(dims) * ELEMENT_BYTES[tensor.type];
}

export function workOf(call: OpCall): Work {
  const read = readsOf(call).reduce((sum, tensor) => sum + tensor.bytes, 0);
  const bytes = resultsOf(call).reduce((sum, result) => sum + resultBytes(result), read);
  return { operations: contractOf(call).operations(call), bytes };
}
