/** Everything in the module that quantizes weights when they are packed; the kernels of the ops are in index.ts. */
export { quantize_int4 } from "./quantize/int4";
export { quantize_int8 } from "./quantize/int8";
