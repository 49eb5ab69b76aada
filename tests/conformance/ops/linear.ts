import { bytesView } from "../../../ts-api/src/backends/backend.js";
import type { Dtype } from "../../../ts-api/src/core/numerics.js";
import { ACTIVATIONS, type Activation } from "../../../ts-api/src/ops/activation.js";
import { hash, seedOf } from "../../support/random.js";
import { edges, floats, halves, output, randomBytes, roundedFloats, type Case, type CaseTensor } from "../case.js";

interface Shape {
  rows: number;
  cols: number;
  inner: number;
  activation?: Activation;
  residualRows?: number;
  edge?: boolean;
}

function linearCase(format: Dtype, shape: Shape): Case {
  const { rows, cols, inner, activation = "none", residualRows, edge = false } = shape;
  const parts = [`${rows}x${cols}x${inner}`, activation, residualRows === undefined ? "" : `residual${residualRows}`, edge ? "edge" : ""];
  const id = `linear/${format}/${parts.filter((part) => part !== "" && part !== "none").join("-")}`;
  const panels = Math.ceil(cols / 8), scale = 1 / Math.sqrt(inner);
  const tensors: Record<string, CaseTensor> = {
    ...(format === "int4" ? int4Tensors(id, rows, panels, inner, scale) : floatTensors(id, format, rows, panels, inner, scale)),
    bias: edge ? floats(`${id} bias`, [panels * 8], 2 ** 49) : floats(`${id} bias`, [panels * 8], 0.5),
    y: output("f32", [rows, cols]),
  };
  if (residualRows !== undefined) tensors.residual = edge ? edges(`${id} residual`, [residualRows, cols]) : floats(`${id} residual`, [residualRows, cols]);
  return {
    id,
    edge,
    tensors,
    call: ({ x, blocks, w, scales, bias, residual, y }) => ({
      op: "linear", format, rows, cols, inner, activation, x, blocks, w, scales, bias, residual, residualRows, y,
    }),
  };
}

function floatTensors(id: string, format: "fp32" | "bf16", rows: number, panels: number, inner: number, scale: number): Record<string, CaseTensor> {
  if (format === "fp32") return { x: floats(`${id} x`, [rows, inner]), w: floats(`${id} w`, [panels, inner, 8], scale) };
  return { x: roundedFloats(`${id} x`, [rows, inner]), w: halves(`${id} w`, [panels, inner, 8], scale) };
}

function int4Tensors(id: string, rows: number, panels: number, inner: number, scale: number): Record<string, CaseTensor> {
  const x = randomBytes(`${id} x`, "i8", [rows, inner]);
  const q = new Int8Array(x.bytes!.buffer).map((v) => Math.max(v, -127));
  const seed = seedOf(`${id} blocks`), blocks = new Int32Array(rows * (inner / 32) * 2);
  for (let block = 0; block < blocks.length / 2; block++) {
    const pair = [0, 0];
    for (let i = 0; i < 32; i++) pair[(i % 4) >> 1] -= 8 * q[block * 32 + i];
    blocks[block * 2] = (127 - 8 + (hash(seed, block) % 5)) << 23;
    blocks[block * 2 + 1] = (pair[0] & 0xffff) | (pair[1] << 16);
  }
  return {
    x: { type: "i8", dims: [rows, inner], bytes: bytesView(q) },
    blocks: { type: "u32", dims: [rows, inner / 32, 2], bytes: bytesView(blocks) },
    w: randomBytes(`${id} w`, "u8", [panels, inner / 4, 16]),
    scales: halves(`${id} scales`, [panels, inner / 32, 8], scale),
  };
}

const activations = (Object.keys(ACTIVATIONS) as Activation[]).filter((name) => name !== "none");

export const linearCases: Case[] = (["fp32", "bf16", "int4"] as const).flatMap((format) => [
  linearCase(format, { rows: 1, cols: 1, inner: 32 }),
  linearCase(format, { rows: 5, cols: 37, inner: 64, activation: "gelu" }),
  linearCase(format, { rows: 13, cols: 36, inner: 96, residualRows: 13 }),
  linearCase(format, { rows: 12, cols: 20, inner: 64, residualRows: 4, activation: "gelu" }),
  linearCase(format, { rows: 7, cols: 16, inner: 1088, activation: "gelu" }),
  linearCase(format, { rows: 64, cols: 40, inner: 256 }),
  ...activations.map((activation) => linearCase(format, { rows: 6, cols: 24, inner: 128, activation })),
  ...activations.map((activation) => linearCase(format, { rows: 3, cols: 12, inner: 32, activation, edge: true })),
]);
