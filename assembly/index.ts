/** Every kernel of the simd128 module; the relaxed module adds those of relaxed.ts. */
export { attention_bf16, attention_fp32 } from "./ops/attention";
export { layer_norm } from "./ops/layer-norm";
export { linear_bf16, linear_fp32, linear_fp4, linear_nf4, linear_pack_columns, linear_pack_exact, linear_pack_pinned } from "./ops/linear/float";
export { linear_int4_plain, linear_pack_int4_plain } from "./ops/linear/int4";
export { linear_int8_plain } from "./ops/linear/int8";
export { patchify } from "./ops/patchify";
export { quantize_rows_bf16, quantize_rows_fp32, quantize_rows_int8, quantize_rows_split } from "./ops/quantize-rows";
