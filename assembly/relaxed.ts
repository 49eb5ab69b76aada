/** Every kernel of the relaxed module: those of index.ts, and the inner loops that need relaxed SIMD. */
export * from "./index";
export { linear_int4_dot16_columns, linear_int4_dot16_lanes, linear_int4_dot16_pairs, linear_int4_dot32 } from "./ops/linear/int4";
export { linear_pack_int4_dot16_columns, linear_pack_int4_dot16_lanes, linear_pack_int4_dot16_pairs, linear_pack_int4_dot32 } from "./ops/linear/int4";
export { linear_int8_halves, linear_int8_wide, linear_pack_int8_halves } from "./ops/linear/int8";
