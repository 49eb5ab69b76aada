/** Cases of `quantize-rows`: formats, sizes, special values. */
import type { OperandFormat } from "../../../ts-api/src/ops/quantize-rows.js";
import { edges, floats, output, type Case, type CaseTensor } from "../case.js";

function quantizeCase(format: OperandFormat, rows: number, cols: number, edge = false): Case {
  const id = `quantize-rows/${format}/${rows}x${cols}${edge ? "-edge" : ""}`;
  const inner = Math.ceil(cols / 32) * 32;
  const tensors: Record<string, CaseTensor> = {
    x: edge ? edges(id, [rows, cols]) : floats(id, [rows, cols], 3),
    y: output(format === "int8" ? "i8" : "f32", [rows, inner * (format === "split" ? 2 : 1)]),
  };
  if (format === "int8") tensors.blocks = output("u32", [rows, inner / 32, 2]);
  return { id, edge, tensors, call: ({ x, y, blocks }) => ({ op: "quantize-rows", format, rows, cols, inner, x, y, blocks }) };
}

export const quantizeRowsCases: Case[] = (["fp32", "bf16", "split", "int8"] as const).flatMap((format) => [
  quantizeCase(format, 3, 64),
  quantizeCase(format, 7, 37),
  quantizeCase(format, 1, 9),
  quantizeCase(format, 2, 1280),
  quantizeCase(format, 9, 95, true),
]);
