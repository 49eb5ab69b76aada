/**
 * Cases that a device must compute exactly before its results are used: every op in every format, across the edges of tiles, with special
 * values. The digests are the oracle's (tests/conformance/attest.test.ts makes and checks them).
 */
import { isCodebook } from "../core/codebooks.js";
import { roundBf16 } from "../core/float.js";
import { BLOCK, DTYPES, isInteger, PANEL, roundUp, type Dtype, type Group } from "../core/numerics.js";
import { sizeOf } from "../core/tensor.js";
import { ACTIVATIONS, type Activation } from "../ops/activation.js";
import { ELEMENT_BYTES, type DeviceTensor, type ElementType } from "../ops/contract.js";
import type { OpCall } from "../ops/table.js";
import { bytesView } from "./backend.js";
import { PROBE_DIGESTS } from "./probe-digests.js";

/** An input has bytes; an output has none. Scratch outputs between two calls are not compared. */
export interface ProbeTensor {
  type: ElementType;
  dims: readonly number[];
  bytes?: Uint8Array;
  scratch?: boolean;
}

export interface Probe {
  id: string;
  /** Weight formats of models that use it. */
  dtypes: readonly Dtype[];
  tensors: Record<string, ProbeTensor>;
  call(tensors: Record<string, DeviceTensor>): OpCall | readonly OpCall[];
}

/** A probe of one op whose result may become an operand. */
type SingleProbe = Omit<Probe, "call"> & { call(tensors: Record<string, DeviceTensor>): OpCall };

const ALL: readonly Dtype[] = DTYPES;
const BF16: readonly Dtype[] = DTYPES.filter((dtype) => dtype !== "fp32");
/** Formats whose patch embedding and attention are bf16, and formats in which they are fp32. */
const REST: Record<"fp32" | "bf16", readonly Dtype[]> = { fp32: ["fp32", "nf4", "fp4"], bf16: ["bf16", "int8", "int4"] };
const SPECIAL = [-0, 1e-45, 2 ** -126, -(2 ** -51), 2 ** -50, 3.4e38, -Infinity, NaN];

/** SHA-256 of all outputs, shortened; undefined for a probe that has none stored. */
export function probeDigest(id: string): string | undefined {
  return (PROBE_DIGESTS as Record<string, string>)[id];
}

/** The probes for a model of this weight format, or all. */
export function probesFor(dtype?: Dtype): Probe[] {
  const probes = [...patchProbes(), ...quantizeProbes(), ...normProbes(), ...attentionProbes(), ...linearProbes(), ...chainProbes()];
  return dtype === undefined ? probes : probes.filter(({ dtypes }) => dtypes.includes(dtype));
}

function patchProbes(): Probe[] {
  const size = { batch: 2, channels: 3, height: 21, width: 26, patchHeight: 4, patchWidth: 6 };
  const y = output("f32", [2 * 20, 72]);
  return [{ id: "patchify", dtypes: ALL, tensors: { x: floats(1, [2, 3, 21, 26]), y }, call: ({ x, y }) => ({ op: "patchify", ...size, x, y }) }];
}

function quantizeProbes(): Probe[] {
  const rows = 9, cols = 141, inner = roundUp(cols, BLOCK);
  return (["fp32", "bf16", "split", "int8"] as const).map((format) => ({
    id: `quantize-rows ${format}`,
    dtypes: format === "fp32" ? ALL : format === "int8" ? DTYPES.filter(isInteger) : format === "split" ? REST.bf16 : BF16,
    tensors: {
      x: floats(2, [rows, cols], 6, true),
      y: output(format === "int8" ? "i8" : "f32", [rows, inner * (format === "split" ? 2 : 1)]),
      ...(format === "int8" ? { blocks: output("u32", [rows, inner / BLOCK, 2]) } : {}),
    },
    call: ({ x, y, blocks }) => ({ op: "quantize-rows", format, rows, cols, inner, x, y, blocks }),
  }));
}

function normProbes(): SingleProbe[] {
  return [
    { rows: 6, cols: 389, special: false },
    { rows: 5, cols: 70, special: true },
  ].map(({ rows, cols, special }) => ({
    id: `layer-norm ${rows}x${cols}`,
    dtypes: ALL,
    tensors: { x: floats(3, [rows, cols], 5, special), gamma: floats(4, [cols]), beta: floats(5, [cols]), y: output("f32", [rows, cols]) },
    call: ({ x, gamma, beta, y }) => ({ op: "layer-norm", rows, cols, eps: 1e-6, x, gamma, beta, y }),
  }));
}

function attentionProbe(format: "fp32" | "bf16", headDim: number, extras: boolean): SingleProbe {
  const batch = 1, tokens = 71, heads = 2;
  return {
    id: `attention ${format}${extras ? " masked keys probabilities" : ""}`,
    dtypes: REST[format],
    tensors: {
      x: floats(6, [batch, tokens, 3, heads, headDim], 2),
      y: output("f32", [batch, tokens, heads, headDim]),
      ...(extras ? { headMask: floats(12, [heads]), attentionMask: words(13, [batch, tokens]), probabilities: output("f32", [batch, heads, tokens, tokens]) } : {}),
    },
    call: ({ x, headMask, attentionMask, y, probabilities }) => ({
      op: "attention", format, batch, tokens, heads, headDim, x, headMask, attentionMask, y, probabilities,
    }),
  };
}

function attentionProbes(): Probe[] {
  return (["fp32", "bf16"] as const).flatMap((format) => [attentionProbe(format, 44, false), attentionProbe(format, 44, true)]);
}

function linearProbe(
  format: Dtype, rows: number, cols: number, inner: number, activation: Activation, residualRows?: number, group?: Group,
): SingleProbe {
  return {
    id: `linear ${format} ${activation}${residualRows === undefined ? "" : " residual"}${group === undefined ? "" : ` group ${group}`}`,
    // Pooler and classifier are fp32 in every model.
    dtypes: format === "fp32" ? ALL : format === "bf16" ? BF16 : [format],
    tensors: {
      ...operands(format, rows, roundUp(cols, PANEL) / PANEL, inner, group),
      bias: floats(9, [roundUp(cols, PANEL)]),
      ...(residualRows === undefined ? {} : { residual: floats(10, [residualRows, cols]) }),
      y: output("f32", [rows, cols]),
    },
    call: ({ x, blocks, w, scales, bias, residual, y }) => ({
      op: "linear", format, rows, cols, inner, activation, x, blocks, w, scales, group, bias, residual, residualRows, y,
    }),
  };
}

function linearProbes(): Probe[] {
  const others = (Object.keys(ACTIVATIONS) as Activation[]).filter((name) => name !== "none" && name !== "gelu");
  return ALL.flatMap((format) => [
    linearProbe(format, 70, 77, 288, "none", 14),
    ...(format === "int4" || isCodebook(format) ? [linearProbe(format, 5, 77, 288, "none", undefined, 64)] : []),
    linearProbe(format, 66, 72, 32, "gelu"),
    ...others.map((activation) => linearProbe(format, 3, 40, 64, activation)),
  ]);
}

/** The ops of a layer that are followed by an operand, together with it: devices may fuse the two calls. */
function chainProbes(): Probe[] {
  const operandOf = (dtype: Dtype) => (dtype === "fp32" ? "fp32" : isInteger(dtype) ? "int8" : "bf16");
  return (["fp32", "bf16", "int8"] as const).flatMap((format) => {
    const dtypes = ALL.filter((dtype) => operandOf(dtype) === format);
    return [
      chainProbe(normProbes()[0], 389, format, dtypes),
      ...(["fp32", "bf16"] as const).flatMap((attention) => {
        const users = dtypes.filter((dtype) => REST[attention].includes(dtype));
        return users.length === 0 ? [] : [chainProbe(attentionProbe(attention, 64, false), 128, format, users)];
      }),
      ...dtypes.map((dtype) => chainProbe(linearProbe(dtype, 70, 77, 64, "gelu"), 77, format, [dtype])),
    ];
  });
}

function chainProbe(probe: SingleProbe, cols: number, format: "fp32" | "bf16" | "int8", dtypes: readonly Dtype[]): Probe {
  const { y, ...others } = probe.tensors, rows = sizeOf(y.dims) / cols, inner = roundUp(cols, BLOCK);
  return {
    id: `${probe.id} to ${format}`,
    dtypes,
    tensors: {
      ...others,
      y: { ...y, scratch: true },
      operand: output(format === "int8" ? "i8" : "f32", [rows, inner]),
      ...(format === "int8" ? { operandBlocks: output("u32", [rows, inner / BLOCK, 2]) } : {}),
    },
    call: (all) => [probe.call(all), { op: "quantize-rows", format, rows, cols, inner, x: all.y, y: all.operand, blocks: all.operandBlocks }],
  };
}

function operands(format: Dtype, rows: number, panels: number, inner: number, group: Group = BLOCK): Record<string, ProbeTensor> {
  if (format === "fp32") return { x: floats(7, [rows, inner]), w: floats(8, [panels, inner, PANEL], 0.5) };
  const rounded = floats(7, [rows, inner], 2, false, roundBf16), scales = [panels, Math.ceil(inner / group), PANEL];
  if (format === "bf16") return { x: rounded, w: halves(8, [panels, inner, PANEL]) };
  const width = format === "int8" ? 32 : 16, codes = Uint8Array.from({ length: (panels * inner * width) / 4 }, (_, i) => hash(8, i) >>> 24);
  const w: ProbeTensor = { type: format === "int8" ? "i8" : "u8", dims: [panels, inner / 4, width], bytes: codes };
  if (isCodebook(format)) return { x: rounded, w, scales: floats(11, scales, 0.25) };
  const groups = inner / BLOCK, values = Float32Array.from({ length: rows * inner }, (_, i) => uniform(7, i) * 127);
  const q = Int8Array.from(values, (v) => Math.trunc(v)), blocks = new Int32Array(rows * groups * 2);
  for (let block = 0; block < rows * groups; block++) {
    const pair = [0, 0];
    for (let i = 0; i < BLOCK; i++) pair[(i % 4) >> 1] -= 8 * q[block * BLOCK + i];
    blocks[block * 2] = (116 + (block % 7)) << 23;
    blocks[block * 2 + 1] = (pair[0] & 0xffff) | (pair[1] << 16);
  }
  return {
    x: { type: "i8", dims: [rows, inner], bytes: bytesView(q) },
    blocks: { type: "u32", dims: [rows, groups, 2], bytes: bytesView(blocks) },
    w,
    scales: halves(11, scales),
  };
}

function output(type: ElementType, dims: readonly number[]): ProbeTensor {
  return { type, dims };
}

/**
 * Values of 24 bits between -scale and scale; with `special`, every seventh is a special value (zeros of both signs, infinities, NaN and
 * others).
 */
function floats(seed: number, dims: readonly number[], scale = 1, special = false, round = Math.fround): ProbeTensor {
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => round(uniform(seed, i) * scale));
  if (special) for (let i = 3; i < data.length; i += 7) data[i] = SPECIAL[hash(seed, i) % SPECIAL.length];
  return { type: "f32", dims, bytes: bytesView(data) };
}

function halves(seed: number, dims: readonly number[]): ProbeTensor {
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => roundBf16(uniform(seed, i) * 0.25));
  return { type: "bf16", dims, bytes: bytesView(Uint16Array.from(new Uint32Array(data.buffer), (bits) => bits >>> 16)) };
}

/** 0 and 1. */
function words(seed: number, dims: readonly number[]): ProbeTensor {
  return { type: "u32", dims, bytes: bytesView(Uint32Array.from({ length: sizeOf(dims) }, (_, i) => hash(seed, i) >>> 31)) };
}

function uniform(seed: number, index: number): number {
  return (hash(seed, index) >>> 8) / 2 ** 23 - 1;
}

function hash(seed: number, index: number): number {
  let h = (Math.imul(index, 0x9e3779b1) + Math.imul(seed, 0x85ebca6b)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Bytes of an output, for its digest. */
export function outputBytes({ type, dims }: ProbeTensor): number {
  return sizeOf(dims) * ELEMENT_BYTES[type];
}
