/**
 * From a matrix as checkpoints store it, [cols][inputs] f32, to the panels that the kernels of every backend read
 * (docs/weights-format.md): 8 columns side by side, inputs padded with zeros to a multiple of 32.
 */
import { isCodebook } from "../core/codebooks.js";
import { bound, MAX_VALUE, roundBf16 } from "../core/float.js";
import { BLOCK, GROUPS, PANEL, roundUp, type Dtype, type Group } from "../core/numerics.js";
import type { TensorDesc } from "../ops/contract.js";
import { codeAt, decode, encode, type CodedMatrix } from "../quantize/bitsandbytes.js";
import { quantizeInt4, type Int4Matrix } from "../quantize/int4.js";
import { quantizeInt8, type Int8Matrix } from "../quantize/int8.js";

/** The bytes of a tensor, as a backend takes them. */
export interface PackedBuffer extends TensorDesc {
  bytes: Uint8Array;
}

/** A matrix in panels. B holds its bytes: packed and on the host, or as tensors of a backend. */
export interface Matrix<B> {
  /** bf16 also for nf4 and fp4 matrices whose blocks do not fit the panels. */
  format: Dtype;
  cols: number;
  /** inputs, rounded up to a multiple of 32. */
  inner: number;
  w: B;
  scales?: B | undefined;
  /** Inputs of one scale. */
  group?: Group | undefined;
}

/**
 * @param name of the matrix; its buffers are called name.weight and name.scales
 * @param data [cols][inputs] f32, finite
 * @param format what to store: fp32 keeps the values, bf16 rounds to nearest even, int8 and int4 quantize in groups (without
 *   knowledge of the inputs), nf4 and fp4 as bitsandbytes
 * @param group int4: inputs of one scale
 */
export function packMatrix(
  name: string, format: Dtype, data: Float32Array, cols: number, inputs: number, group: Group = BLOCK,
): Matrix<PackedBuffer> {
  if (isCodebook(format)) return packCodes(name, [encode(format, data)], cols, inputs);
  const inner = roundUp(inputs, BLOCK), panels = roundUp(cols, PANEL) / PANEL;
  if (format === "int8") return packInt8(name, quantizeInt8(data, cols, inputs), cols, inputs);
  if (format === "int4") return packInt4(name, quantizeInt4(data, cols, inputs, group), cols, inputs);
  const weight = `${name}.weight`, dims = [panels, inner, PANEL], count = panels * inner * PANEL;
  const place = (c: number) => Math.floor(c / PANEL) * inner * PANEL + (c % PANEL);
  if (format === "fp32") {
    const packed = new Float32Array(count);
    for (let c = 0; c < cols; c++) {
      for (let k = 0, to = place(c); k < inputs; k++, to += PANEL) packed[to] = bound(data[c * inputs + k]);
    }
    return { format, cols, inner, w: { name: weight, type: "f32", dims, bytes: new Uint8Array(packed.buffer) } };
  }
  const packed = new Uint16Array(count), rounded = new Float32Array(PANEL * inputs), words = new Uint32Array(rounded.buffer);
  // Panel by panel, so that memory is written in order: int4 packs every layer in bf16 too.
  for (let first = 0; first < cols; first += PANEL) {
    const rows = Math.min(PANEL, cols - first), from = first * inputs;
    for (let i = 0; i < rows * inputs; i++) rounded[i] = roundBf16(data[from + i]);
    for (let k = 0, to = place(first); k < inputs; k++, to += PANEL) {
      for (let c = 0; c < rows; c++) packed[to + c] = words[c * inputs + k] >>> 16;
    }
  }
  return { format, cols, inner, w: { name: weight, type: "bf16", dims, bytes: new Uint8Array(packed.buffer) } };
}

/**
 * Matrices in bitsandbytes' four bits, one below the other, to the panels of nf4 or fp4: the codes stay as they are. Where a panel's group
 * of inputs would need two scales (inputs that are not a multiple of 32, blocks of another size), or a scale is beyond the contract's limit, the weights
 * are decoded to bf16, which gives the same products.
 *
 * @param parts of one codebook, and together [cols][inputs]
 */
export function packCodes(name: string, parts: readonly CodedMatrix[], cols: number, inputs: number): Matrix<PackedBuffer> {
  const [{ codebook: format }] = parts, limited = parts.every(({ absmax }) => absmax.every((scale) => Math.abs(scale) <= MAX_VALUE));
  const fits = (group: Group) => inputs % group === 0 && parts.every(({ blocksize }) => blocksize % group === 0);
  const group = [...GROUPS].reverse().find(fits);
  if (group === undefined || !limited) return packMatrix(name, "bf16", joined(parts.map(decode)), cols, inputs);
  const inner = inputs, groups = inner / group, panels = roundUp(cols, PANEL) / PANEL;
  const w = new Uint8Array(panels * (inner / 4) * 16), scales = new Float32Array(panels * groups * PANEL);
  let c = 0;
  for (const part of parts) {
    for (let first = 0; first < part.count; first += inner, c++) {
      const panel = Math.floor(c / PANEL);
      for (let g = 0; g < groups; g++) {
        const scale = part.absmax[Math.floor((first + g * group) / part.blocksize)];
        scales[(panel * groups + g) * PANEL + (c % PANEL)] = bound(scale);
      }
      for (let k = 0; k < inner; k++) putCode(w, inner, c, k, codeAt(part, first + k));
    }
  }
  return {
    format,
    cols,
    inner,
    group,
    w: { name: `${name}.weight`, type: "u8", dims: [panels, inner / 4, 16], bytes: w },
    scales: { name: `${name}.scales`, type: "f32", dims: [panels, groups, PANEL], bytes: new Uint8Array(scales.buffer) },
  };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Byte 4 c + i of [panel][inner / 4] holds input 4 j + i of columns c (low nibble) and c + 4 (high nibble). */
function putCode(w: Uint8Array, inner: number, c: number, k: number, code: number): void {
  const at = ((Math.floor(c / PANEL) * inner) / 4 + (k >> 2)) * 16 + (c % 4) * 4 + (k & 3);
  w[at] = c % PANEL >= 4 ? (w[at] & 0x0f) | (code << 4) : (w[at] & 0xf0) | code;
}

/** A quantized matrix to the panels of int8: byte 4 c + i of [panel][inner / 4] holds input 4 j + i of column c. */
export function packInt8(name: string, { codes, scales }: Int8Matrix, cols: number, inputs: number): Matrix<PackedBuffer> {
  const inner = roundUp(inputs, BLOCK), words = inner / 4, panels = roundUp(cols, PANEL) / PANEL;
  const w = new Uint32Array(panels * words * PANEL), from = new Uint32Array(codes.buffer, codes.byteOffset, cols * words);
  for (let c = 0; c < cols; c++) {
    for (let j = 0, to = Math.floor(c / PANEL) * words * PANEL + (c % PANEL); j < words; j++, to += PANEL) w[to] = from[c * words + j];
  }
  return {
    format: "int8",
    cols,
    inner,
    w: { name: `${name}.weight`, type: "i8", dims: [panels, words, 4 * PANEL], bytes: new Uint8Array(w.buffer) },
    scales: packScales(name, scales, cols, inner / BLOCK),
  };
}

/** [cols][groups] to [panels][groups][8]. */
function packScales(name: string, scales: Uint16Array, cols: number, groups: number): PackedBuffer {
  const panels = roundUp(cols, PANEL) / PANEL, packed = new Uint16Array(panels * groups * PANEL);
  for (let c = 0; c < cols; c++) {
    const first = Math.floor(c / PANEL) * groups * PANEL + (c % PANEL);
    for (let g = 0; g < groups; g++) packed[first + g * PANEL] = scales[c * groups + g];
  }
  return { name: `${name}.scales`, type: "bf16", dims: [panels, groups, PANEL], bytes: new Uint8Array(packed.buffer) };
}

/** A quantized matrix to the panels of int4: byte 4 c + i of [panel][inner / 4] holds input 4 j + i of columns c (low nibble) and c + 4 (high). */
export function packInt4(name: string, { group, codes, scales }: Int4Matrix, cols: number, inputs: number): Matrix<PackedBuffer> {
  const inner = roundUp(inputs, BLOCK), groups = Math.ceil(inner / group), panels = roundUp(cols, PANEL) / PANEL;
  const w = new Uint8Array(panels * (inner / 4) * 16);
  const whole = new Uint8Array(panels * PANEL * inner).fill(8, cols * inner);
  whole.set(codes);
  for (let panel = 0, to = 0; panel < panels; panel++) {
    for (let k = 0; k < inner; k += 4) {
      for (let c = panel * PANEL; c < panel * PANEL + 4; c++) {
        for (let i = 0, low = c * inner + k, high = low + 4 * inner; i < 4; i++) w[to++] = whole[low + i] | (whole[high + i] << 4);
      }
    }
  }
  return {
    format: "int4",
    cols,
    inner,
    group,
    w: { name: `${name}.weight`, type: "u8", dims: [panels, inner / 4, 16], bytes: w },
    scales: packScales(name, scales, cols, groups),
  };
}

/** Biases, norms and embeddings: bounded f32, padded with zeros to `length`. */
export function packVector(name: string, data: Float32Array, length = data.length): PackedBuffer {
  const packed = new Float32Array(length);
  for (let i = 0; i < data.length; i++) packed[i] = bound(data[i]);
  return { name, type: "f32", dims: [length], bytes: new Uint8Array(packed.buffer) };
}
