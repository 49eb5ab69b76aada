/** From a kernel to the dot loop that limits it. */
import { FORMS } from "../../ts-api/src/backends/wasm/kernels.js";
import { openPeak, type DotLoopName, type Peak } from "./dot-loop.js";

export type ModuleName = "simd128" | "relaxed" | "revectorized";

/** Their products are exact, so the relaxed module fuses them; fp32 products round and never are fused. */
const FUSED: readonly string[] = ["linear_bf16", "linear_nf4", "linear_fp4", "attention_bf16"];
const INTEGER: Record<string, DotLoopName> = {
  linear_int8_plain: "i16 dot",
  linear_int8_wide: "i16 dot",
  linear_int8_halves: "i8 dot to i32",
  linear_int4_plain: "i16 dot",
  linear_int4_dot16_lanes: "i8 dot to i16",
  linear_int4_dot16_columns: "i8 dot to i16",
  linear_int4_dot16_pairs: "i8 dot to i16",
  linear_int4_dot32: "i8 dot to i32",
};

/** Kernels that differ in the form of their tiles alone have one dot loop. */
export function peakOf(kernel: string, module: ModuleName): DotLoopName {
  const name = kernel.replace(new RegExp(`_(${FORMS.join("|")})$`), ""), integer = INTEGER[name];
  if (integer !== undefined) return integer;
  return module !== "simd128" && FUSED.includes(name) ? "f32 fused" : "f32 mul, add";
}

/** The dot loops of simd128, and those of relaxed SIMD where the engine has it. */
export async function openPeaks(relaxed: boolean): Promise<Peak[]> {
  const names: DotLoopName[] = ["f32 mul, add", "i16 dot"];
  if (relaxed) names.push("f32 fused", "i8 dot to i16", "i8 dot to i32");
  return Promise.all(names.map(openPeak));
}
