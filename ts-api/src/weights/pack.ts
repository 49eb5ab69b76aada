/**
 * From a matrix as checkpoints store it, [cols][inputs] f32, to the panels that the kernels of every backend read
 * (docs/weights-format.md): 8 columns side by side, inputs padded with zeros to a multiple of 32.
 */
import { BLOCK, PANEL, roundUp, type Dtype } from "../core/numerics.js";
import { bound, roundBf16 } from "../core/float.js";
import type { TensorDesc } from "../ops/contract.js";
import { quantizeGroup } from "./quantize/int4.js";

/** The bytes of a tensor, as a backend takes them. */
export interface PackedBuffer extends TensorDesc {
  bytes: Uint8Array;
}

/** A matrix in panels. B holds its bytes: packed and on the host, or as tensors of a backend. */
export interface Matrix<B> {
  format: Dtype;
  cols: number;
  /** inputs, rounded up to a multiple of 32. */
  inner: number;
  w: B;
  scales?: B | undefined;
}

/**
 * @param name of the matrix; its buffers are called name.weight and name.scales
 * @param data [cols][inputs] f32, finite
 * @param format what to store: fp32 keeps the values, bf16 rounds to nearest even, int4 quantizes in groups of 32
 */
export function packMatrix(name: string, format: Dtype, data: Float32Array, cols: number, inputs: number): Matrix<PackedBuffer> {
  const inner = roundUp(inputs, BLOCK), panels = roundUp(cols, PANEL) / PANEL;
  if (format === "int4") return { format, cols, inner, ...packInt4(name, data, cols, inputs, inner, panels) };
  const weight = `${name}.weight`, dims = [panels, inner, PANEL], count = panels * inner * PANEL;
  const place = (c: number) => Math.floor(c / PANEL) * inner * PANEL + (c % PANEL);
  if (format === "fp32") {
    const packed = new Float32Array(count);
    for (let c = 0; c < cols; c++) {
      for (let k = 0, to = place(c); k < inputs; k++, to += PANEL) packed[to] = bound(data[c * inputs + k]);
    }
    return { format, cols, inner, w: { name: weight, type: "f32", dims, bytes: new Uint8Array(packed.buffer) } };
  }
  const rounded = roundAll(data), packed = new Uint16Array(count);
  for (let c = 0; c < cols; c++) {
    for (let k = 0, to = place(c); k < inputs; k++, to += PANEL) packed[to] = rounded[c * inputs + k] >>> 16;
  }
  return { format, cols, inner, w: { name: weight, type: "bf16", dims, bytes: new Uint8Array(packed.buffer) } };
}

/** The bits of every value, rounded to bf16. */
function roundAll(data: Float32Array): Uint32Array {
  const rounded = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) rounded[i] = roundBf16(data[i]);
  return new Uint32Array(rounded.buffer);
}

/** Byte 4 c + i of [panel][inner / 4] holds input 4 j + i of columns c (low nibble) and c + 4 (high nibble). */
function packInt4(
  name: string, data: Float32Array, cols: number, inputs: number, inner: number, panels: number,
): Pick<Matrix<PackedBuffer>, "w" | "scales"> {
  const groups = inner / BLOCK;
  const w = new Uint8Array(panels * (inner / 4) * 16).fill(0x88), scales = new Uint16Array(panels * groups * PANEL);
  const codes = new Uint8Array(BLOCK);
  for (let c = 0; c < cols; c++) {
    const panel = Math.floor(c / PANEL), lane = c % 4, high = c % PANEL >= 4;
    for (let group = 0; group < groups; group++) {
      const first = group * BLOCK, count = Math.min(BLOCK, inputs - first);
      scales[(panel * groups + group) * PANEL + (c % PANEL)] = quantizeGroup(data, c * inputs + first, count, codes);
      for (let i = 0; i < BLOCK; i++) {
        const at = ((panel * inner) / 4 + ((first + i) >> 2)) * 16 + lane * 4 + (i & 3);
        w[at] = high ? (w[at] & 0x0f) | (codes[i] << 4) : (w[at] & 0xf0) | codes[i];
      }
    }
  }
  return {
    w: { name: `${name}.weight`, type: "u8", dims: [panels, inner / 4, 16], bytes: w },
    scales: { name: `${name}.scales`, type: "bf16", dims: [panels, groups, PANEL], bytes: new Uint8Array(scales.buffer) },
  };
}

/** Biases, norms and embeddings: bounded f32, padded with zeros to `length`. */
export function packVector(name: string, data: Float32Array, length = data.length): PackedBuffer {
  const packed = new Float32Array(length);
  for (let i = 0; i < data.length; i++) packed[i] = bound(data[i]);
  return { name, type: "f32", dims: [length], bytes: new Uint8Array(packed.buffer) };
}
