/** Cases of `attention`: formats, sizes, masks, special values. */
import { edges, floats, keyMask, output, type Case, type CaseTensor } from "../case.js";

type Variant = "" | "-edge" | "-masked" | "-keys" | "-probabilities" | "-masked-probabilities-edge" | "-masked-keys-probabilities-edge";

function attentionCase(format: "fp32" | "bf16", batch: number, tokens: number, heads: number, headDim: number, variant: Variant = ""): Case {
  const id = `attention/${format}/${batch}x${tokens}-${heads}x${headDim}${variant}`;
  const edge = variant.endsWith("-edge"), dims = [batch, tokens, 3, heads, headDim];
  const tensors: Record<string, CaseTensor> = {
    x: edge ? edges(id, dims) : floats(id, dims, 1.5),
    y: output("f32", [batch, tokens, heads, headDim]),
  };
  if (variant.includes("-masked")) tensors.headMask = edge ? edges(`${id} mask`, [heads]) : floats(`${id} mask`, [heads]);
  if (variant.includes("-keys")) tensors.attentionMask = keyMask(id, batch, tokens);
  if (variant.includes("-probabilities")) tensors.probabilities = output("f32", [batch, heads, tokens, tokens]);
  return {
    id,
    edge,
    tensors,
    call: ({ x, headMask, attentionMask, y, probabilities }) => ({
      op: "attention", format, batch, tokens, heads, headDim, x, headMask, attentionMask, y, probabilities,
    }),
  };
}

export const attentionCases: Case[] = (["fp32", "bf16"] as const).flatMap((format) => [
  attentionCase(format, 1, 1, 1, 1),
  attentionCase(format, 2, 5, 4, 9),
  attentionCase(format, 1, 64, 3, 64),
  attentionCase(format, 1, 65, 2, 80),
  attentionCase(format, 2, 41, 3, 32),
  attentionCase(format, 1, 33, 1, 88),
  attentionCase(format, 1, 225, 1, 16),
  attentionCase(format, 1, 7, 2, 12, "-edge"),
  attentionCase(format, 1, 35, 3, 8, "-masked"),
  attentionCase(format, 2, 37, 2, 140, "-probabilities"),
  attentionCase(format, 1, 9, 4, 5, "-masked-probabilities-edge"),
  attentionCase(format, 3, 43, 2, 24, "-keys"),
  attentionCase(format, 1, 1029, 1, 8, "-keys"),
  attentionCase(format, 3, 9, 3, 5, "-masked-keys-probabilities-edge"),
]);
