/** Cases of `linear`: dtypes, sizes, activations, residuals, special values. */
import { bytesView } from "../../../ts-api/src/backends/backend.js";
import { isCodebook } from "../../../ts-api/src/core/codebooks.js";
import { bound } from "../../../ts-api/src/core/float.js";
import { DTYPES, type Dtype, type Group } from "../../../ts-api/src/core/numerics.js";
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
  /** int8: the largest sums that a block can have. */
  largest?: boolean;
  group?: Group;
}

function linearCase(format: Dtype, shape: Shape): Case {
  const { rows, cols, inner, activation = "none", residualRows, edge = false, largest = false, group } = shape;
  const parts = [`${rows}x${cols}x${inner}`, activation, residualRows === undefined ? "" : `residual${residualRows}`, edge ? "edge" : "", largest ? "largest" : "", group === undefined ? "" : `group${group}`];
  const id = `linear/${format}/${parts.filter((part) => part !== "" && part !== "none").join("-")}`;
  const panels = Math.ceil(cols / 8);
  const tensors: Record<string, CaseTensor> = {
    ...tensorsOf(id, format, rows, panels, inner, group, edge),
    ...(largest ? largestValues(rows, panels, inner) : {}),
    bias: edge ? floats(`${id} bias`, [panels * 8], 2 ** 49) : floats(`${id} bias`, [panels * 8], 0.5),
    y: output("f32", [rows, cols]),
  };
  if (residualRows !== undefined) tensors.residual = edge ? edges(`${id} residual`, [residualRows, cols]) : floats(`${id} residual`, [residualRows, cols]);
  return {
    id,
    edge,
    tensors,
    call: ({ x, blocks, w, scales, bias, residual, y }) => ({
      op: "linear", format, rows, cols, inner, activation, x, blocks, w, scales, group, bias, residual, residualRows, y,
    }),
  };
}

function tensorsOf(
  id: string, format: Dtype, rows: number, panels: number, inner: number, group: Group = 32, edge: boolean,
): Record<string, CaseTensor> {
  const scale = 1 / Math.sqrt(inner), x = `${id} x`, w = `${id} w`, scaleDims = [panels, Math.ceil(inner / group), 8];
  if (format === "fp32") return { x: floats(x, [rows, inner]), w: floats(w, [panels, inner, 8], scale) };
  if (format === "bf16") return { x: roundedFloats(x, [rows, inner]), w: halves(w, [panels, inner, 8], scale) };
  const scales = `${id} scales`;
  if (format === "int8") return { ...int8Operand(id, rows, inner), w: randomBytes(w, "i8", [panels, inner / 4, 32]), scales: halves(scales, scaleDims, scale) };
  const codes = randomBytes(w, "u8", [panels, inner / 4, 16]);
  if (isCodebook(format)) return { x: roundedFloats(x, [rows, inner]), w: codes, scales: edge ? boundedEdges(scales, scaleDims) : floats(scales, scaleDims, 2 * scale) };
  return { ...int8Operand(id, rows, inner), w: codes, scales: halves(scales, scaleDims, scale) };
}

/** Rows of 127 and of -127, columns of -128 and of 127. */
function largestValues(rows: number, panels: number, inner: number): Record<string, CaseTensor> {
  const x = Int8Array.from({ length: rows * inner }, (_, i) => (Math.floor(i / inner) % 2 === 0 ? 127 : -127));
  const w = Int8Array.from({ length: panels * inner * 8 }, (_, i) => (Math.floor(i / 4) % 2 === 0 ? -128 : 127));
  return { x: { type: "i8", dims: [rows, inner], bytes: bytesView(x) }, blocks: blocksOf(x, () => 119), w: { type: "i8", dims: [panels, inner / 4, 32], bytes: bytesView(w) } };
}

/** Special values of packed weights: the smallest ones times a value of the codebook are below the limit. */
function boundedEdges(name: string, dims: number[]): CaseTensor {
  const { bytes, ...desc } = edges(name, dims);
  return { ...desc, bytes: bytesView(new Float32Array(bytes!.buffer as ArrayBuffer).map(bound)) };
}

function int8Operand(id: string, rows: number, inner: number): Record<string, CaseTensor> {
  const x = randomBytes(`${id} x`, "i8", [rows, inner]);
  const q = new Int8Array(x.bytes!.buffer).map((v) => Math.max(v, -127));
  const seed = seedOf(`${id} blocks`);
  return {
    x: { type: "i8", dims: [rows, inner], bytes: bytesView(q) },
    blocks: blocksOf(q, (block) => 127 - 8 + (hash(seed, block) % 5), [rows, inner / 32, 2]),
  };
}

/** @param exponent of a block, biased */
function blocksOf(q: Int8Array, exponent: (block: number) => number, dims: number[] = [q.length / 32, 2]): CaseTensor {
  const blocks = new Int32Array(q.length / 16);
  for (let block = 0; block < blocks.length / 2; block++) {
    const pair = [0, 0];
    for (let i = 0; i < 32; i++) pair[(i % 4) >> 1] -= 8 * q[block * 32 + i];
    blocks[block * 2] = exponent(block) << 23;
    blocks[block * 2 + 1] = (pair[0] & 0xffff) | (pair[1] << 16);
  }
  return { type: "u32", dims, bytes: bytesView(blocks) };
}

const activations = (Object.keys(ACTIVATIONS) as Activation[]).filter((name) => name !== "none");

const grouped = (["int4", "nf4", "fp4"] as const).flatMap((format) => [
  linearCase(format, { rows: 3, cols: 5, inner: 32, group: 64 }),
  linearCase(format, { rows: 9, cols: 28, inner: 96, group: 64, residualRows: 3 }),
  linearCase(format, { rows: 7, cols: 16, inner: 1120, group: 64, activation: "gelu" }),
  linearCase(format, { rows: 67, cols: 72, inner: 256, group: 64 }),
]).concat(linearCase("int8", { rows: 7, cols: 20, inner: 96, largest: true }));

export const linearCases: Case[] = DTYPES.flatMap((format) => [
  linearCase(format, { rows: 1, cols: 1, inner: 32 }),
  linearCase(format, { rows: 5, cols: 37, inner: 64, activation: "gelu" }),
  linearCase(format, { rows: 13, cols: 36, inner: 96, residualRows: 13 }),
  linearCase(format, { rows: 12, cols: 20, inner: 64, residualRows: 4, activation: "gelu" }),
  linearCase(format, { rows: 7, cols: 16, inner: 1088, activation: "gelu" }),
  linearCase(format, { rows: 64, cols: 40, inner: 256 }),
  linearCase(format, { rows: 130, cols: 300, inner: 64, activation: "gelu" }),
  linearCase(format, { rows: 3, cols: 300, inner: 544, activation: "gelu", residualRows: 3 }),
  linearCase(format, { rows: 130, cols: 130, inner: 32, residualRows: 130 }),
  linearCase(format, { rows: 130, cols: 130, inner: 32, residualRows: 32 }),
  linearCase(format, { rows: 270, cols: 12, inner: 64, residualRows: 50 }),
  ...activations.map((activation) => linearCase(format, { rows: 6, cols: 24, inner: 128, activation })),
  ...activations.map((activation) => linearCase(format, { rows: 3, cols: 12, inner: 32, activation, edge: true })),
]).concat(grouped);
