/** Small checkpoints, right and wrong. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import type { ErrorCode, IJepaError } from "../../../ts-api/src/core/errors.js";
import { IJepaConfig } from "../../../ts-api/src/config/config.js";
import { expectedTensors } from "../../../ts-api/src/weights/tensor-names.js";
import { serializeSafetensors } from "../../../ts-api/src/weights/safetensors/writer.js";
import type { TensorBytes } from "../../../ts-api/src/weights/safetensors/writer.js";

export const MODELS = "tests/goldens/models";
export const GOLDENS = ["tiny", "odd", "like-vith14", "like-vitg16", "act-gelu_new", "act-gelu_pytorch_tanh", "act-quick_gelu", "act-relu", "act-silu"];

/** Runs `work` and returns the IJepaError it must fail with. */
export async function failure<C extends ErrorCode>(code: C, work: () => unknown): Promise<IJepaError<C>> {
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    assert.ok(isIJepaError(error, code), `expected IJepaError ${code}, got ${String(error)} (${isIJepaError(error) ? error.code : "no code"})`);
    return error;
  }
  return assert.fail(`expected IJepaError ${code}, got ${String(result)}`);
}

/** A safetensors file from any header, right or wrong. */
export function rawSafetensors(header: unknown, dataLength: number, claimedLength?: bigint): Uint8Array {
  const json = typeof header === "string" ? header : JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const file = new Uint8Array(8 + text.length + dataLength);
  new DataView(file.buffer).setBigUint64(0, claimedLength ?? BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

export function f32(shape: readonly number[], values: readonly number[]): TensorBytes {
  return { dtype: "F32", shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

/** The smallest model with everything in it. */
export const SMALL = new IJepaConfig({
  hiddenSize: 8,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  intermediateSize: 16,
  imageSize: 8,
  patchSize: 4,
  numChannels: 1,
});

/** Value `i` of the tensor at `position` in a small model: exact in f16 and bf16. */
export function smallValue(position: number, i: number): number {
  return ((position * 7 + i) % 32) / 16 - 1;
}

export function smallTensors(config = SMALL): Map<string, TensorBytes> {
  const tensors = new Map<string, TensorBytes>();
  let position = 0;
  for (const [name, shape] of expectedTensors(config)) {
    const at = position++;
    const count = shape.reduce((product, dim) => product * dim, 1);
    tensors.set(name, f32(shape, Array.from({ length: count }, (_, i) => smallValue(at, i))));
  }
  return tensors;
}

/** The files of a small model that opens; tests spoil what they like. */
export function smallModel(): Record<string, string | Uint8Array> {
  return { "config.json": JSON.stringify(SMALL), "model.safetensors": serializeSafetensors(smallTensors()) };
}

/** Gives `work` a folder that holds `files`, and removes it afterwards. */
export async function inFolder<T>(files: Record<string, string | Uint8Array>, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "ijepa-weights-"));
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Opens a small model whose tensors were changed. */
export function withTensors<T>(change: (tensors: Map<string, TensorBytes>) => void, work: (folder: string) => Promise<T>): Promise<T> {
  const tensors = smallTensors();
  change(tensors);
  return inFolder({ ...smallModel(), "model.safetensors": serializeSafetensors(tensors) }, work);
}
