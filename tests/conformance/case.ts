/** One use of an op: its inputs made of a seed, its call, its outputs. */
import { bytesView } from "../../ts-api/src/backends/backend.js";
import { roundBf16 } from "../../ts-api/src/core/float.js";
import type { DeviceTensor, TensorDesc } from "../../ts-api/src/ops/contract.js";
import type { OpCall } from "../../ts-api/src/ops/table.js";
import { gaussArray, hash, seedOf } from "../support/random.js";

/** An input has bytes; an output has none and is filled with a canary before the run. */
export interface CaseTensor extends Omit<TensorDesc, "name"> {
  bytes?: Uint8Array;
}

/** Several calls one after the other; tensors between them are scratch, and not compared. */
export interface Chain extends Omit<Case, "call"> {
  call(tensors: Record<string, DeviceTensor>): OpCall[];
}

/** One use of one op with exact inputs. The id is its address, its seed and its line in digests.txt. */
export interface Case {
  id: string;
  /** Special values: the output may be mostly zero. */
  edge?: boolean;
  tensors: Record<string, CaseTensor>;
  call(tensors: Record<string, DeviceTensor>): OpCall;
}

export function callsOf(testCase: Case | Chain, tensors: Record<string, DeviceTensor>): OpCall[] {
  return [testCase.call(tensors)].flat();
}

/** The calls, on tensors that no backend has: for their sizes. */
export function describedCalls(testCase: Case | Chain): OpCall[] {
  return callsOf(testCase, Object.fromEntries(Object.entries(testCase.tensors).map(([name, desc]) => [name, { ...desc, name, bytes: 0 }])));
}

export function output(type: TensorDesc["type"], dims: number[]): CaseTensor {
  return { type, dims };
}

export function floats(name: string, dims: number[], scale = 1, offset = 0): CaseTensor {
  return { type: "f32", dims, bytes: bytesView(gaussArray(name, product(dims), scale, offset)) };
}

/** f32 values that are bf16 already. */
export function roundedFloats(name: string, dims: number[], scale = 1): CaseTensor {
  return { type: "f32", dims, bytes: bytesView(gaussArray(name, product(dims), scale).map(roundBf16)) };
}

export function halves(name: string, dims: number[], scale = 1): CaseTensor {
  const rounded = gaussArray(name, product(dims), scale).map(roundBf16);
  return { type: "bf16", dims, bytes: bytesView(Uint16Array.from(new Uint32Array(rounded.buffer), (bits) => bits >>> 16)) };
}

export function randomBytes(name: string, type: "u8" | "i8", dims: number[]): CaseTensor {
  const seed = seedOf(name);
  return { type, dims, bytes: Uint8Array.from({ length: product(dims) }, (_, i) => hash(seed, i) & 255) };
}

const SPECIAL = [0, -0, 1e-45, -1e-40, 2 ** -126, 2 ** -50, -(2 ** -51), 1, -1, 127.5, 255, 0.99609375, 3.4e38, -3.4e38, Infinity, -Infinity, NaN, 2 ** 50, 2 ** 51];

/** Every special value, at places that the name decides, between ordinary ones. */
export function edges(name: string, dims: number[]): CaseTensor {
  const seed = seedOf(name), data = gaussArray(name, product(dims));
  for (let i = 0; i < data.length; i += 3) data[i] = SPECIAL[hash(seed, i) % SPECIAL.length];
  return { type: "f32", dims, bytes: bytesView(data) };
}

/** [batch][tokens] words: about a third of the keys masked, the first key of an image and the whole second image among them. */
export function keyMask(name: string, batch: number, tokens: number): CaseTensor {
  const seed = seedOf(`${name} keys`);
  const words = Uint32Array.from({ length: batch * tokens }, (_, i) => {
    const image = Math.floor(i / tokens), token = i % tokens;
    return image === 1 || token === 0 || hash(seed, i) % 3 === 0 ? 0 : hash(seed, i);
  });
  return { type: "u32", dims: [batch, tokens], bytes: bytesView(words) };
}

export function product(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}
