import { edges, floats, output, type Case } from "../case.js";

function attentionCase(format: "fp32" | "bf16", batch: number, tokens: number, heads: number, headDim: number, edge = false): Case {
  const id = `attention/${format}/${batch}x${tokens}-${heads}x${headDim}${edge ? "-edge" : ""}`;
  const dims = [batch, tokens, 3, heads, headDim];
  return {
    id,
    edge,
    tensors: { x: edge ? edges(id, dims) : floats(id, dims, 1.5), y: output("f32", [batch, tokens, heads, headDim]) },
    call: ({ x, y }) => ({ op: "attention", format, batch, tokens, heads, headDim, x, y }),
  };
}

export const attentionCases: Case[] = (["fp32", "bf16"] as const).flatMap((format) => [
  attentionCase(format, 1, 1, 1, 1),
  attentionCase(format, 2, 5, 4, 9),
  attentionCase(format, 1, 64, 3, 64),
  attentionCase(format, 1, 65, 2, 80),
  attentionCase(format, 1, 33, 1, 88),
  attentionCase(format, 1, 225, 1, 16),
  attentionCase(format, 1, 7, 2, 12, true),
]);
