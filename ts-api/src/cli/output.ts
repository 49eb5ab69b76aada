/** From features to the bytes of a result file: .npy, .json, .jsonl or .safetensors. */
import { concatBytes } from "../core/bytes.js";
import { IJepaError } from "../core/errors.js";
import type { Numerics } from "../core/numerics.js";
import { sizeOf, Tensor } from "../core/tensor.js";
import { firstNonFinite } from "../weights/dtypes.js";
import { serializeNpy } from "../weights/npy.js";
import { serializeSafetensors, type TensorBytes } from "../weights/safetensors/writer.js";
import { lastPart } from "./text.js";

/** The features of one image. */
export interface EmbeddingRecord {
  /** The image, as the user named it. */
  readonly file: string;
  readonly dims: readonly number[];
  /** Row-major; its length is the product of `dims`. */
  readonly data: Float32Array;
  /** What computed it, and the digest of its bits. */
  readonly numerics: Numerics;
}

const WRITERS: Readonly<Record<string, (records: readonly EmbeddingRecord[]) => Uint8Array>> = {
  ".npy": writeNpy,
  ".json": writeJson,
  ".jsonl": writeJsonLines,
  ".safetensors": writeSafetensors,
};

/** Throws `input/value` unless results can be written to a file of this name. Call it before the work, not after. */
export function checkOutputPath(path: string): void {
  if (Object.hasOwn(WRITERS, extensionOf(path))) return;
  const message = `Results cannot be written to ${JSON.stringify(path)}; its name must end in one of ${Object.keys(WRITERS).join(", ")}.`;
  throw new IJepaError("input/value", message, { name: "out", value: path });
}

/**
 * The bytes of a result file, its kind chosen by the extension of `path`:
 * - `.npy`: f32 of the image's shape; several images are stacked to [images, ...dims] and must agree in shape
 * - `.json`: an array of { file, dims, embedding, numerics }, `embedding` in nested arrays; every f32 is exact
 * - `.jsonl`: one such object per line
 * - `.safetensors`: one F32 tensor per image, named as its file without folders ("-2", "-3", ... added to names that repeat);
 *   `numerics` in the metadata is JSON: tensor name to { file, version, dtype, device, digest }
 * @throws IJepaError `input/value` for another extension, or a value that JSON cannot hold; `input/missing` without records;
 * `input/shape` when data and dims, or the shapes to stack, do not agree
 */
export function serializeResults(path: string, records: readonly EmbeddingRecord[]): Uint8Array {
  checkOutputPath(path);
  if (records.length === 0) throw new IJepaError("input/missing", "There are no results to write.", { name: "records" });
  for (const { file, dims, data } of records) {
    if (sizeOf(dims) !== data.length) throw shapeError(file, `${sizeOf(dims)} numbers for [${dims.join(", ")}]`, [data.length]);
  }
  return WRITERS[extensionOf(path)](records);
}

function writeNpy(records: readonly EmbeddingRecord[]): Uint8Array {
  const [first] = records;
  if (records.length === 1) return serializeNpy(first.dims, first.data);
  const stacked = new Float32Array(records.length * first.data.length);
  records.forEach(({ file, dims, data }, index) => {
    if (dims.join() !== first.dims.join()) {
      throw shapeError(file, `[${first.dims.join(", ")}], as ${first.file}, to be stacked in one .npy file`, dims);
    }
    stacked.set(data, index * first.data.length);
  });
  return serializeNpy([records.length, ...first.dims], stacked);
}

function writeJson(records: readonly EmbeddingRecord[]): Uint8Array {
  const pieces = records.map((record, index) => utf8(`${index === 0 ? "[\n" : ",\n"}${toJson(record)}`));
  return concatBytes([...pieces, utf8("\n]\n")]);
}

function writeJsonLines(records: readonly EmbeddingRecord[]): Uint8Array {
  return concatBytes(records.map((record) => utf8(`${toJson(record)}\n`)));
}

function writeSafetensors(records: readonly EmbeddingRecord[]): Uint8Array {
  const tensors = new Map<string, TensorBytes>();
  const numerics: [string, unknown][] = [];
  for (const record of records) {
    const name = freeName(lastPart(record.file) ?? "image", tensors);
    const { dims: shape, data, file } = record;
    tensors.set(name, { dtype: "F32", shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });
    numerics.push([name, { file, ...record.numerics }]);
  }
  return serializeSafetensors(tensors, { numerics: JSON.stringify(Object.fromEntries(numerics)) });
}

function toJson({ file, dims, data, numerics }: EmbeddingRecord): string {
  const index = firstNonFinite(data);
  if (index >= 0) {
    const message = `The result for ${file} holds ${data[index]} at index ${index}, which JSON cannot express. Write .npy or .safetensors.`;
    throw new IJepaError("input/value", message, { name: file, value: data[index] });
  }
  return JSON.stringify({ file, dims, embedding: new Tensor("float32", data, dims).tolist(), numerics });
}

/** Text is put together as bytes: one string of all records could exceed the engine's limit for strings. */
function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  let free = name;
  for (let i = 2; taken.has(free); i++) free = `${name}-${i}`;
  return free;
}

function extensionOf(path: string): string {
  return /\.[^./\\]+$/.exec(path)?.[0].toLowerCase() ?? "";
}

function shapeError(file: string, expected: string, actual: readonly number[]): IJepaError<"input/shape"> {
  const message = `The result for ${file} has [${actual.join(", ")}], expected ${expected}.`;
  return new IJepaError("input/shape", message, { name: file, expected, actual });
}
