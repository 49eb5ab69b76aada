/** From a case of an op to the same case followed by quantize-rows, as in plans. */
import { BLOCK, roundUp } from "../../ts-api/src/core/numerics.js";
import { operandOf } from "../../ts-api/src/encoder/plan.js";
import type { OpCall } from "../../ts-api/src/ops/table.js";
import type { OperandFormat } from "../../ts-api/src/ops/quantize-rows.js";
import { describedCalls, output, type Case, type CaseTensor, type Chain } from "./case.js";

export function chainsOf(testCase: Case): Chain[] {
  const [call] = describedCalls(testCase);
  return formatsAfter(call).map((format) => chain(testCase, call, format));
}

/** Operands that a model makes of the op's result. Activations do not matter for what comes after them. */
function formatsAfter(call: OpCall): OperandFormat[] {
  switch (call.op) {
    case "layer-norm":
      return ["fp32", "bf16", "int8"];
    case "linear":
      if ((call.activation !== "none" && call.activation !== "gelu") || call.residual !== undefined) return [];
      return [operandOf(call.format)];
    case "attention":
      if ((call.heads * call.headDim) % BLOCK !== 0) return [];
      if (call.format === "fp32") return ["fp32", "bf16"];
      return call.headDim % BLOCK === 0 ? ["bf16", "int8"] : ["bf16"];
    default:
      return [];
  }
}

function chain(testCase: Case, call: OpCall, format: OperandFormat): Chain {
  const { y, ...others } = testCase.tensors;
  const cols = call.op === "attention" ? call.heads * call.headDim : y.dims.at(-1)!;
  const rows = y.dims.reduce((a, b) => a * b, 1) / cols, inner = roundUp(cols, BLOCK), int8 = format === "int8";
  const tensors: Record<string, CaseTensor> = { ...others, y: { ...y, scratch: true }, operand: output(int8 ? "i8" : "f32", [rows, inner]) };
  if (int8) tensors.operandBlocks = output("u32", [rows, inner / BLOCK, 2]);
  return {
    id: `${testCase.id}+${format}`,
    // Padding is zeros, and the words of blocks count one by one.
    edge: testCase.edge || int8 || inner > 2 * cols,
    tensors,
    call: (all) => [testCase.call(all), { op: "quantize-rows", format, rows, cols, inner, x: all.y, y: all.operand, blocks: all.operandBlocks }],
  };
}
