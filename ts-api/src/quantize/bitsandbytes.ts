/**
 * bitsandbytes' four-bit encoding of a matrix, and back: blocks of the flattened matrix share one scale, their largest magnitude, and a
 * weight is f32(codebook[code] * scale). Every step rounds to f32 once, as bitsandbytes does (`quantize_4bit`, `dequantize_4bit`).
 */
import { CODEBOOKS, type CodebookName } from "../core/codebooks.js";

const fround = Math.fround;

/** Weights of one scale, when encoding. */
export const BLOCKSIZE = 64;
/** Scales of one scale of scales. */
export const NESTED_BLOCKSIZE = 256;

/** A matrix in four bits. */
export interface CodedMatrix {
  codebook: CodebookName;
  /** Weights in all. */
  count: number;
  /** Two codes a byte, the first in the high nibble, over the flattened [outputs][inputs] matrix. */
  codes: Uint8Array;
  blocksize: number;
  /** One scale a block, decoded. */
  absmax: Float32Array;
}

/** Scales in eight bits ("double quantization"). */
export interface NestedScales {
  /** One index of `map` for each scale. */
  codes: Uint8Array;
  map: Float32Array;
  blocksize: number;
  /** One for each block of `blocksize` scales. */
  absmax: Float32Array;
  /** The mean that was subtracted from every scale. */
  offset: number;
}

/**
 * Nearest code of every weight, in blocks of 64, with scales that went through double quantization.
 * @param weights the flattened matrix, finite
 */
export function encode(codebook: CodebookName, weights: Float32Array): CodedMatrix {
  const count = weights.length, blocks = Math.ceil(count / BLOCKSIZE), nearest = nearestOf(CODEBOOKS[codebook]);
  const codes = new Uint8Array(Math.ceil(count / 2)), absmax = new Float32Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const end = Math.min(count, (block + 1) * BLOCKSIZE), largest = largestOf(weights, block * BLOCKSIZE, end);
    absmax[block] = largest;
    // A block of zeros: 0 times anything finite.
    const inverse = largest < SMALLEST ? 0 : fround(1 / largest);
    for (let i = block * BLOCKSIZE; i < end; i++) codes[i >> 1] |= nearest(fround(weights[i] * inverse)) << (i % 2 === 0 ? 4 : 0);
  }
  return { codebook, count, codes, blocksize: BLOCKSIZE, absmax: decodeScales(encodeScales(absmax)) };
}

/** Smaller scales have no finite reciprocal in f32; their blocks are zero. */
const SMALLEST = 2 ** -126;

/** Code of weight `i`. */
export function codeAt({ codes }: CodedMatrix, i: number): number {
  return i % 2 === 0 ? codes[i >> 1] >> 4 : codes[i >> 1] & 15;
}

/** Every weight: f32(codebook[code] * scale). */
export function decode(matrix: CodedMatrix): Float32Array {
  const { count, blocksize, absmax } = matrix, codebook = CODEBOOKS[matrix.codebook], weights = new Float32Array(count);
  for (let i = 0; i < count; i++) weights[i] = fround(codebook[codeAt(matrix, i)] * absmax[Math.floor(i / blocksize)]);
  return weights;
}

/** Scales to eight bits, in blocks of 256, around their mean (taken in f64, rounded to f32). */
export function encodeScales(absmax: Float32Array): NestedScales {
  const offset = fround(absmax.reduce((sum, scale) => sum + scale, 0) / absmax.length), map = dynamicMap(), nearest = nearestOf(map);
  const centred = absmax.map((scale) => scale - offset), blocks = Math.ceil(absmax.length / NESTED_BLOCKSIZE);
  const codes = new Uint8Array(absmax.length), nested = new Float32Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const end = Math.min(absmax.length, (block + 1) * NESTED_BLOCKSIZE), largest = largestOf(centred, block * NESTED_BLOCKSIZE, end);
    nested[block] = largest;
    for (let i = block * NESTED_BLOCKSIZE; i < end; i++) codes[i] = nearest(largest < SMALLEST ? 0 : fround(centred[i] / largest));
  }
  return { codes, map, blocksize: NESTED_BLOCKSIZE, absmax: nested, offset };
}

/** Every scale: f32(f32(map[code] * absmax of its block) + offset). */
export function decodeScales({ codes, map, blocksize, absmax, offset }: NestedScales): Float32Array {
  return Float32Array.from(codes, (code, i) => fround(fround(map[code] * absmax[Math.floor(i / blocksize)]) + offset));
}

/**
 * bitsandbytes' eight-bit code for scales (`create_dynamic_map(signed=True, max_exponent_bits=7, total_bits=8)`): 0, 1, and for each of
 * seven powers of ten the middles of 2^i equal parts of 0.1 ... 1, with both signs; 256 values, ascending.
 */
export function dynamicMap(): Float32Array {
  const values = [0, 1];
  for (let i = 0; i < 7; i++) {
    const parts = 2 ** i, power = fround(10 ** (i - 6)), edges = linspace(fround(0.1), 1, parts + 1);
    for (let j = 0; j < parts; j++) {
      const value = fround(power * fround(fround(edges[j] + edges[j + 1]) / 2));
      values.push(value, -value);
    }
  }
  return Float32Array.from(values).sort();
}

/** torch.linspace in f32: from both ends to the middle, each value rounded once. */
function linspace(start: number, end: number, count: number): number[] {
  const step = fround(fround(end - start) / (count - 1));
  return Array.from({ length: count }, (_, i) => fround(i < count / 2 ? start + step * i : end - step * (count - 1 - i)));
}

/** Returns a function that finds the index of the nearest value: above the middle of two values, as f32, it is the upper one. */
function nearestOf(values: Float32Array): (x: number) => number {
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b] || a - b).filter((index, i, all) => values[index] !== values[all[i - 1]]);
  const middles = Float32Array.from({ length: order.length - 1 }, (_, i) => fround(values[order[i]] + values[order[i + 1]]) / 2);
  return (x) => {
    let low = 0;
    for (let high = middles.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (x > middles[middle]) low = middle + 1;
      else high = middle;
    }
    return order[low];
  };
}

function largestOf(values: Float32Array, from: number, end: number): number {
  let largest = 0;
  for (let i = from; i < end; i++) if (Math.abs(values[i]) > largest) largest = Math.abs(values[i]);
  return largest;
}
