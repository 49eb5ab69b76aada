/** int4 at the speed of WebAssembly SIMD: the words of `quantizeInt4`, about a hundred times as fast. */
import { runtime } from "#runtime";
import { BLOCK, roundUp, type Group } from "../core/numerics.js";
import { FACTORS, GAIN_WEIGHT, padInputs, type InputWeights, type Int4Matrix } from "./int4.js";

/** Weights that are in the module's memory at a time; whole rows. */
const CHUNK = 2 ** 20;
/** Below it the module keeps its constants (assembly/lib/constants.ts). */
const BASE = 2 ** 16;
const PAGE = 2 ** 16;
const SCRATCH_BYTES = 144;

type Kernel = (
  w: number, importance: number, mean: number, factors: number, gainWeight: number,
  codes: number, scales: number, shift: number, scratch: number, inner: number, group: number, rows: number,
) => void;

/** As `quantizeInt4`. */
export type Quantizer = (data: Float32Array, cols: number, inputs: number, group: Group, weights?: InputWeights) => Int4Matrix;

/** A quantizer with a memory of its own, some megabytes. */
export async function openQuantizer(): Promise<Quantizer> {
  const memory = new WebAssembly.Memory({ initial: BASE / PAGE });
  const { exports } = await WebAssembly.instantiate(await runtime.wasmModule("quantizer"), { env: { memory } });
  const kernel = exports["quantize_int4"] as Kernel;
  return (data, cols, inputs, group, weights) => {
    const inner = roundUp(inputs, BLOCK), groups = Math.ceil(inner / group);
    const step = Math.min(cols, Math.max(1, Math.floor(CHUNK / inner)));
    const result = { group, codes: new Uint8Array(cols * inner), scales: new Uint16Array(cols * groups), shift: new Float32Array(cols) };
    let top = BASE;
    const reserve = (bytes: number) => (top += roundUp(bytes, 16)) - roundUp(bytes, 16);
    const factors = reserve(FACTORS.byteLength), scratch = reserve(SCRATCH_BYTES), importance = reserve(inner * 4), mean = reserve(inner * 4);
    const w = reserve(step * inner * 4), codes = reserve(step * inner), scales = reserve(step * groups * 2), shift = reserve(step * 4);
    const lacking = Math.ceil((top - memory.buffer.byteLength) / PAGE);
    if (lacking > 0) memory.grow(lacking);
    const floats = (at: number, count: number) => new Float32Array(memory.buffer, at, count);
    const padded = padInputs(weights, inputs, inner);
    floats(factors, FACTORS.length).set(FACTORS);
    floats(importance, inner).set(padded.importance);
    floats(mean, inner).set(padded.mean);
    const rowsOf = floats(w, step * inner).fill(0);
    for (let first = 0; first < cols; first += step) {
      const rows = Math.min(step, cols - first);
      for (let r = 0; r < rows; r++) rowsOf.set(data.subarray((first + r) * inputs, (first + r + 1) * inputs), r * inner);
      kernel(w, importance, mean, factors, GAIN_WEIGHT, codes, scales, shift, scratch, inner, group, rows);
      result.codes.set(new Uint8Array(memory.buffer, codes, rows * inner), first * inner);
      result.scales.set(new Uint16Array(memory.buffer, scales, rows * groups), first * groups);
      result.shift.set(floats(shift, rows), first);
    }
    return result;
  };
}
