/**
 * Fuses two calls into one dispatch: quantize-rows, which makes the operand of a linear, and the call before it. A plan stays a list of
 * single ops; this file says which neighbours have a fused kernel, and when it may be used. The words are the same.
 */
import { sizeOf } from "../../core/tensor.js";
import type { DeviceTensor } from "../../ops/contract.js";
import { readsOf, resultsOf, type CallOf, type OpCall, type OpName } from "../../ops/table.js";
import { KERNELS, linearSizes, type Dispatch, type Shader, type ShaderName, type WebgpuKernel } from "./kernels.js";

type Quantize = CallOf<"quantize-rows">;

export interface Fusion extends Shader {
  op: OpName;
  /** Nothing but `next` reads the y of `call`. */
  accepts(call: OpCall, next: Quantize): boolean;
  dispatch(call: OpCall, next: Quantize): Dispatch;
}

/** OPERAND in gpu/lib/operand.wgsl. */
const OPERAND = { fp32: 1, bf16: 2 } as const;

/** The kernel of an op, changed to store each value in the form of the operand. */
function rounding<K extends OpName>(op: K, kernel: WebgpuKernel<K>, format: keyof typeof OPERAND): Fusion {
  return {
    ...kernel,
    op,
    name: `${kernel.name}_to_${format}`,
    entry: kernel.name,
    constants: { OPERAND: OPERAND[format] },
    accepts: (call, next) => call.op === op && next.format === format && kernel.accepts(call as unknown as CallOf<K>) && fits(call, next),
    dispatch: (call, { inner, y }) => kernel.dispatch({ ...(call as unknown as CallOf<K>), y, width: inner, stride: inner }),
  };
}

interface Int8Form<K extends OpName> {
  /** Files of the kernel, and those that replace them. */
  files: Partial<Record<ShaderName, readonly ShaderName[]>>;
  accepts?(call: CallOf<K>): boolean;
  dispatch(call: CallOf<K>, next: Quantize): Dispatch;
}

/** The kernel of an op, changed to make int8 blocks of 32 within the workgroup. */
function blocking<K extends OpName>(op: K, kernel: WebgpuKernel<K>, { files, accepts = () => true, dispatch }: Int8Form<K>): Fusion {
  const own = (call: OpCall) => call as unknown as CallOf<K>;
  return {
    ...kernel,
    op,
    name: `${kernel.name}_to_int8`,
    entry: kernel.name,
    files: kernel.files.flatMap((file) => files[file] ?? [file]),
    accepts: (call, next) => call.op === op && next.format === "int8" && kernel.accepts(own(call)) && accepts(own(call)) && fits(call, next),
    dispatch: (call, next) => dispatch(own(call), next),
  };
}

const [layerNorm] = KERNELS["layer-norm"];
const STORE_INT8 = { "lib/operand": [], "lib/store": ["lib/int8", "lib/store-int8"] } as const;
const FINISH_INT8 = { "lib/operand": [], "lib/finish": ["lib/int8", "lib/finish-int8"] } as const;

export const FUSIONS: readonly Fusion[] = [
  rounding("layer-norm", layerNorm, "fp32"),
  rounding("layer-norm", layerNorm, "bf16"),
  blocking("layer-norm", layerNorm, {
    files: STORE_INT8,
    dispatch: (call, { inner, y, blocks }) => appended(layerNorm.dispatch({ ...call, y, width: inner }), blocks),
  }),
  ...KERNELS.attention.flatMap((kernel) => (kernel.name === "attention_fp32" ? [
    rounding("attention", kernel, "fp32"),
    rounding("attention", kernel, "bf16"),
  ] : [
    rounding("attention", kernel, "bf16"),
    blocking("attention", kernel, {
      files: STORE_INT8,
      // A block must not span two heads: a workgroup has one head.
      accepts: ({ headDim }) => headDim % 32 === 0,
      dispatch: (call, { y, blocks }) => appended(kernel.dispatch({ ...call, y }), blocks),
    }),
  ])),
  ...KERNELS.linear.map((kernel) => (/^linear_int[84]_/.test(kernel.name) ? blocking("linear", kernel, {
    files: FINISH_INT8,
    dispatch: (call, { inner, y, blocks }) => ({
      ...linearSizes({ ...call, width: inner }),
      buffers: [call.x, call.blocks, call.w, call.scales, call.bias, y, blocks],
    }),
  }) : rounding("linear", kernel, kernel.name === "linear_fp32" ? "fp32" : "bf16"))),
];

function appended({ buffers, ...rest }: Dispatch, tensor: DeviceTensor | undefined): Dispatch {
  return { ...rest, buffers: [...buffers, tensor] };
}

/**
 * Whether `next` reads y as it is, row by row. Attention does not write padding behind a row, so it needs rows without padding. A linear
 * with a residual is never fused: other calls read the residual stream too, and its eight buffers are all that a device must offer.
 */
function fits(call: OpCall, next: Quantize): boolean {
  const [{ tensor, dims }] = resultsOf(call);
  const cols = call.op === "attention" ? call.heads * call.headDim : dims.at(-1)!;
  if (tensor !== next.x || next.cols !== cols || next.rows * cols !== sizeOf(dims)) return false;
  return call.op === "attention" ? next.inner === cols : call.op !== "linear" || call.residual === undefined;
}

/**
 * The fusion of calls[at] with the call after it, if there is one, no other call reads the tensor between them, and a binding of `most`
 * bytes holds each tensor.
 */
export function fusionAt(calls: readonly OpCall[], at: number, usable: (shader: Shader) => boolean, most: number): Fusion | undefined {
  const call = calls[at], next = calls[at + 1];
  if (next?.op !== "quantize-rows" || !isUnread(next.x, calls.slice(at + 2))) return undefined;
  // A dispatch must not write a tensor that it reads.
  if (resultsOf(next).some(({ tensor }) => readsOf(call).includes(tensor))) return undefined;
  const tensors = [call, next].flatMap((one) => [...readsOf(one), ...resultsOf(one).map(({ tensor }) => tensor)]);
  if (tensors.some(({ bytes }) => bytes > most)) return undefined;
  return FUSIONS.find((fusion) => usable(fusion) && fusion.accepts(call, next));
}

/** Whether a scratch tensor is written again before any call reads it, or never read again. */
function isUnread(tensor: DeviceTensor, calls: readonly OpCall[]): boolean {
  if (tensor.scratch !== true) return false;
  for (const call of calls) {
    if (readsOf(call).includes(tensor)) return false;
    if (resultsOf(call).some((result) => result.tensor === tensor)) return true;
  }
  return true;
}
