/** Quantizes to int8 and int4 with WebAssembly SIMD: the words of `quantizeInt8` and `quantizeInt4`, about a hundred times as fast. */
import { runtime } from "#runtime";
import { BLOCK, roundUp, type Group } from "../core/numerics.js";
import { GAIN_WEIGHT, padInputs, type InputWeights } from "./candidates.js";
import { FACTORS, type Int4Matrix } from "./int4.js";
import { STEPS, type Int8Matrix } from "./int8.js";

/** Weights that are in the module's memory at a time; whole rows. */
const CHUNK = 2 ** 20;
/** Below this address the module keeps its constants (assembly/lib/constants.ts). */
const BASE = 2 ** 16;
const PAGE = 2 ** 16;
const SCRATCH_BYTES = 144;

type Kernel = (
  w: number, importance: number, mean: number, candidates: number, gainWeight: number,
  codes: number, scales: number, shift: number, scratch: number, ...sizes: number[]
) => void;

/** The kernels have their own memory, some megabytes. */
export interface Quantizer {
  /** As `quantizeInt8`. */
  int8(data: Float32Array, cols: number, inputs: number, weights?: InputWeights): Int8Matrix;
  /** As `quantizeInt4`. */
  int4(data: Float32Array, cols: number, inputs: number, group: Group, weights?: InputWeights): Int4Matrix;
}

export async function openQuantizer(): Promise<Quantizer> {
  const memory = new WebAssembly.Memory({ initial: BASE / PAGE });
  const { exports } = await WebAssembly.instantiate(await runtime.wasmModule("quantizer"), { env: { memory } });
  const kernels = exports as { quantize_int8: Kernel; quantize_int4: Kernel };
  return {
    int8(data, cols, inputs, weights) {
      const { codes, ...rest } = run(memory, kernels.quantize_int8, STEPS, { data, cols, inputs, group: BLOCK, weights }, []);
      return { codes: new Int8Array(codes.buffer), ...rest };
    },
    int4: (data, cols, inputs, group, weights) => ({ group, ...run(memory, kernels.quantize_int4, FACTORS, { data, cols, inputs, group, weights }, [group]) }),
  };
}

interface Matrix {
  data: Float32Array;
  cols: number;
  inputs: number;
  group: Group;
  weights: InputWeights | undefined;
}

/** @param sizes the kernel's arguments between the inputs and the rows */
function run(
  memory: WebAssembly.Memory, kernel: Kernel, candidates: Float32Array | Int32Array, { data, cols, inputs, group, weights }: Matrix, sizes: number[],
): { codes: Uint8Array; scales: Uint16Array; shift: Float32Array } {
  const inner = roundUp(inputs, BLOCK), groups = Math.ceil(inner / group);
  const step = Math.min(cols, Math.max(1, Math.floor(CHUNK / inner)));
  const result = { codes: new Uint8Array(cols * inner), scales: new Uint16Array(cols * groups), shift: new Float32Array(cols) };
  let top = BASE;
  const reserve = (bytes: number) => (top += roundUp(bytes, 16)) - roundUp(bytes, 16);
  const table = reserve(candidates.byteLength), scratch = reserve(SCRATCH_BYTES), importance = reserve(inner * 4), mean = reserve(inner * 4);
  const w = reserve(step * inner * 4), codes = reserve(step * inner), scales = reserve(step * groups * 2), shift = reserve(step * 4);
  const lacking = Math.ceil((top - memory.buffer.byteLength) / PAGE);
  if (lacking > 0) memory.grow(lacking);
  const floats = (at: number, count: number) => new Float32Array(memory.buffer, at, count);
  const padded = padInputs(weights, inputs, inner);
  new Uint32Array(memory.buffer, table, candidates.length).set(new Uint32Array(candidates.buffer));
  floats(importance, inner).set(padded.importance);
  floats(mean, inner).set(padded.mean);
  const rowsOf = floats(w, step * inner).fill(0);
  for (let first = 0; first < cols; first += step) {
    const rows = Math.min(step, cols - first);
    for (let r = 0; r < rows; r++) rowsOf.set(data.subarray((first + r) * inputs, (first + r + 1) * inputs), r * inner);
    kernel(w, importance, mean, table, GAIN_WEIGHT, codes, scales, shift, scratch, inner, ...sizes, rows);
    result.codes.set(new Uint8Array(memory.buffer, codes, rows * inner), first * inner);
    result.scales.set(new Uint16Array(memory.buffer, scales, rows * groups), first * groups);
    result.shift.set(floats(shift, rows), first);
  }
  return result;
}
