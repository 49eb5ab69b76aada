/** The kernel table of WebGPU: for each op its shaders, the features that they need, and the dispatch that a call becomes. */
import type { CodebookName } from "../../core/codebooks.js";
import { bitsOf } from "../../core/float.js";
import { BLOCK } from "../../core/numerics.js";
import { ACTIVATIONS } from "../../ops/activation.js";
import { attentionScale } from "../../ops/attention.js";
import type { DeviceTensor } from "../../ops/contract.js";
import { patchCount } from "../../ops/patchify.js";
import type { CallOf, OpName } from "../../ops/table.js";
import type { SHADERS } from "./shaders.js";
import type { Piece } from "./split.js";

export type ShaderName = keyof typeof SHADERS;

/** A dispatch, ready to be bound: binding 0 is the parameters, then `buffers` in their order. */
export interface Dispatch {
  /** The words of `struct Params` after `zero`. */
  params: number[];
  /** undefined: a buffer that the kernel does not read in this call. */
  buffers: (DeviceTensor | undefined)[];
  /** Workgroups: one number is spread over two dimensions by `spread`. */
  groups: number | readonly [number, number];
}

type Snake<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}_${Snake<Tail>}` : S;

/** Kernels with sums over k. Exact products need a pin only on devices that reorder; products that round always need one. */
export type Products = "exact" | "rounded";

/** What a pipeline is made of. */
export interface Shader {
  name: string;
  /** The entry point; default: the name. */
  entry?: string;
  /** Put one after the other they are the shader. */
  files: readonly ShaderName[];
  /** Values of overridable constants. */
  constants?: Record<string, number>;
  /** Set for kernels that use lib/accumulate. */
  products?: Products;
  /** The WGSL language feature it needs. */
  feature?: string;
}

export type PieceOf<K extends OpName> = CallOf<K> & Pick<Piece, "width" | "stride">;

export interface WebgpuKernel<K extends OpName> extends Shader {
  /** It starts with its op's name. */
  name: `${Snake<K>}${"" | `_${string}`}`;
  accepts(call: CallOf<K>): boolean;
  dispatch(call: PieceOf<K>): Dispatch;
}

const TILE = 64;
const QUERIES = 32;
const LINEAR_LIBS = ["lib/math", "lib/activation", "lib/accumulate", "lib/sums", "lib/operand", "lib/finish"] as const;
const LANE_LIBS = ["lib/math", "lib/lanes", "lib/operand", "lib/store"] as const;
export const DOT4_FEATURE = "packed_4x8_integer_dot_product";

function linearFloat(format: "fp32" | "bf16"): WebgpuKernel<"linear"> {
  return {
    name: `linear_${format}`,
    files: [...LINEAR_LIBS, "ops/linear"],
    products: format === "fp32" ? "rounded" : "exact",
    accepts: (call) => call.format === format,
    dispatch: (call) => ({ ...linearSizes(call), buffers: [call.x, call.w, call.bias, call.residual, call.y] }),
  };
}

function linearCodes(format: CodebookName): WebgpuKernel<"linear"> {
  return {
    name: `linear_${format}`,
    files: [...LINEAR_LIBS, "lib/codebook", "ops/linear", "ops/linear-codes"],
    products: "exact",
    accepts: (call) => call.format === format,
    dispatch: (call) => ({ ...linearSizes(call), buffers: [call.x, call.w, call.bias, call.residual, call.y, call.scales] }),
  };
}

function linearIntegers(format: "int8" | "int4", variant: "plain" | "dot4"): WebgpuKernel<"linear"> {
  const files: readonly ShaderName[] = variant === "dot4" ? ["lib/dots", `ops/linear-${format}-dot4`] : [`ops/linear-${format}`];
  return {
    name: `linear_${format}_${variant}`,
    files: [...LINEAR_LIBS, "lib/blocks", ...files],
    products: "exact",
    ...(variant === "dot4" ? { feature: DOT4_FEATURE } : {}),
    accepts: (call) => call.format === format,
    dispatch: (call) => ({
      ...linearSizes(call),
      buffers: [call.x, call.blocks, call.w, call.scales, call.bias, call.residual, call.y],
    }),
  };
}

export function linearSizes(call: PieceOf<"linear">): Pick<Dispatch, "params" | "groups"> {
  const { rows, cols, inner, residual, residualRows = 0, group = BLOCK, width = cols, stride = cols } = call;
  return {
    params: [rows, cols, inner, ACTIVATIONS[call.activation], residual === undefined ? 0 : residualRows, group, width, stride],
    groups: [Math.ceil(cols / TILE), Math.ceil(rows / TILE)],
  };
}

function quantize(format: "fp32" | "bf16" | "split" | "int8"): WebgpuKernel<"quantize-rows"> {
  return {
    name: `quantize_rows_${format}`,
    files: ["lib/math", "lib/int8", "ops/quantize-rows"],
    accepts: (call) => call.format === format,
    dispatch: ({ rows, cols, inner, x, y, blocks }) => ({
      params: [rows, cols, inner],
      buffers: format === "int8" ? [x, y, blocks] : [x, y],
      groups: Math.ceil((rows * inner) / 4 / 64),
    }),
  };
}

function attentionKernel(format: "fp32" | "bf16"): WebgpuKernel<"attention"> {
  return {
    name: `attention_${format}`,
    files: [...LANE_LIBS, "lib/accumulate", "ops/attention"],
    products: format === "fp32" ? "rounded" : "exact",
    accepts: (call) => call.format === format,
    dispatch: ({ batch, tokens, heads, headDim, x, headMask, attentionMask, y, probabilities }) => {
      const there = (tensor: DeviceTensor | undefined) => (tensor === undefined ? 0 : 1);
      const tiles = batch * heads * Math.ceil(tokens / QUERIES);
      return {
        params: [
          tokens, heads, headDim, bitsOf(attentionScale(headDim)), tiles,
          there(headMask), there(attentionMask), there(probabilities), heads * headDim,
        ],
        buffers: [x, headMask, attentionMask, y, probabilities],
        groups: tiles,
      };
    },
  };
}

/** Every kernel of the WebGPU backend. A call uses the first one whose feature the device has and that accepts the call. */
export const KERNELS: { [K in OpName]: readonly [WebgpuKernel<K>, ...WebgpuKernel<K>[]] } = {
  patchify: [
    {
      name: "patchify",
      files: ["ops/patchify"],
      accepts: () => true,
      dispatch: (call) => {
        const { batch, channels, height, width, patchHeight, patchWidth, x, y } = call;
        const count = batch * patchCount(call) * channels * patchHeight * patchWidth;
        return { params: [count, channels, height, width, patchHeight, patchWidth], buffers: [x, y], groups: Math.ceil(count / 64) };
      },
    },
  ],
  "quantize-rows": [quantize("fp32"), quantize("bf16"), quantize("split"), quantize("int8")],
  linear: [
    linearFloat("fp32"), linearFloat("bf16"), linearCodes("nf4"), linearCodes("fp4"),
    linearIntegers("int8", "dot4"), linearIntegers("int8", "plain"), linearIntegers("int4", "dot4"), linearIntegers("int4", "plain"),
  ],
  "layer-norm": [
    {
      name: "layer_norm",
      files: [...LANE_LIBS, "ops/layer-norm"],
      accepts: () => true,
      dispatch: ({ rows, cols, width = cols, eps, x, gamma, beta, y }) => ({
        params: [rows, cols, bitsOf(1 / cols), bitsOf(eps), width],
        buffers: [x, gamma, beta, y],
        groups: Math.ceil(rows / 4),
      }),
    },
  ],
  attention: [attentionKernel("fp32"), attentionKernel("bf16")],
};

/** All kernels that can compute `call`, in the order of the table. */
export function kernelsFor<K extends OpName>(call: Piece & { op: K }): WebgpuKernel<K>[] {
  const kernels = KERNELS[call.op] as unknown as readonly WebgpuKernel<K>[];
  return kernels.filter((kernel) => kernel.accepts(call as unknown as CallOf<K>));
}
