/** Cases of `layer-norm`: sizes, offsets, special values. */
import { edges, floats, output, type Case } from "../case.js";

function layerNormCase(rows: number, cols: number, kind: "plain" | "offset" | "edge" = "plain", eps = 1e-6): Case {
  const id = `layer-norm/${rows}x${cols}${kind === "plain" ? "" : `-${kind}`}${eps === 1e-6 ? "" : `-eps${eps}`}`;
  const x = kind === "edge" ? edges(id, [rows, cols]) : floats(id, [rows, cols], 2, kind === "offset" ? 1000 : 0);
  return {
    id,
    edge: kind === "edge" || cols === 1,
    tensors: { x, gamma: floats(`${id} gamma`, [cols], 0.3, 1), beta: floats(`${id} beta`, [cols], 0.1), y: output("f32", [rows, cols]) },
    call: ({ x, gamma, beta, y }) => ({ op: "layer-norm", rows, cols, eps, x, gamma, beta, y }),
  };
}

export const layerNormCases: Case[] = [
  layerNormCase(1, 1),
  layerNormCase(5, 36, "plain", 1e-12),
  layerNormCase(3, 37),
  layerNormCase(4, 192),
  layerNormCase(2, 1280),
  layerNormCase(130, 68),
  layerNormCase(2, 100, "offset"),
  layerNormCase(6, 67, "edge"),
];
