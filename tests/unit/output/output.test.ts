/** The files of `--out`: .npy, .json, .jsonl and .safetensors, byte by byte. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOutputPath, serializeResults } from "../../../ts-api/src/cli/output.js";
import type { EmbeddingRecord } from "../../../ts-api/src/cli/output.js";
import { serializeNpy } from "../../../ts-api/src/weights/npy.js";
import { openSafetensors } from "../../../ts-api/src/weights/safetensors/reader.js";
import { bytesSource } from "../../../ts-api/src/weights/sources/bytes.js";
import { failure } from "../weights/helpers.js";

function record(file: string, dims: readonly number[], seed = 0): EmbeddingRecord {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return {
    file,
    dims,
    data: Float32Array.from({ length: count }, (_, i) => Math.fround((i + seed) / 10 - 0.3)),
    numerics: { version: "1", dtype: "int4", device: "wasm", digest: `digest-${seed}` },
  };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Reads .npy by its specification. */
function readNpy(bytes: Uint8Array): { header: string; shape: number[]; data: Float32Array } {
  assert.deepEqual([...bytes.subarray(0, 8)], [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  const length = new DataView(bytes.buffer).getUint16(8, true);
  assert.equal((10 + length) % 64, 0);
  const header = text(bytes.subarray(10, 10 + length));
  const match = /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n$/.exec(header);
  assert.ok(match, header);
  const shape = match[1].split(",").filter((dim) => dim.trim() !== "").map(Number);
  return { header, shape, data: new Float32Array(bytes.slice(10 + length).buffer) };
}

test(".npy headers are what numpy writes", () => {
  const written: [dims: number[], shape: string, length: number][] = [
    [[], "()", 118],
    [[3], "(3,)", 118],
    [[2, 3], "(2, 3)", 118],
    [[0, 5], "(0, 5)", 118],
    [[2, 256, 1280], "(2, 256, 1280)", 118],
    // numpy adds 64 where the header is aligned already
    [[2, 10, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "(2, 10, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)", 182],
  ];
  for (const [dims, shape, length] of written) {
    const { data } = record("x", dims);
    const npy = readNpy(serializeNpy(dims, data));
    assert.equal(npy.header, `${`{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(length - 1)}\n`);
    assert.deepEqual(npy.shape, dims);
    assert.deepEqual(npy.data, data);
  }
});

test(".npy: one image has its own shape, several are stacked", () => {
  const one = record("a.jpg", [2, 3]);
  const two = record("b.jpg", [2, 3], 50);
  assert.deepEqual(readNpy(serializeResults("out.npy", [one])).shape, [2, 3]);
  const stacked = readNpy(serializeResults("out.npy", [one, two]));
  assert.deepEqual(stacked.shape, [2, 2, 3]);
  assert.deepEqual([...stacked.data], [...one.data, ...two.data]);
});

test(".npy: part of a larger buffer is written alone", () => {
  const buffer = Float32Array.of(9, 1, 2, 9);
  const part = { ...record("a", [2]), data: buffer.subarray(1, 3) };
  assert.deepEqual([...readNpy(serializeResults("o.npy", [part])).data], [1, 2]);
});

test(".json and .jsonl hold nested arrays, every value exact", () => {
  const records = [record("a.jpg", [2, 3]), record('odd "name".png', [3], 7)];
  const fromJson: unknown = JSON.parse(text(serializeResults("out.json", records)));
  const lines = text(serializeResults("out.jsonl", records)).split("\n");
  assert.equal(lines.pop(), "");
  assert.deepEqual(lines.map((line) => JSON.parse(line) as unknown), fromJson);
  assert.deepEqual(fromJson, [
    { file: "a.jpg", dims: [2, 3], embedding: [[...records[0].data.subarray(0, 3)], [...records[0].data.subarray(3)]], numerics: records[0].numerics },
    { file: 'odd "name".png', dims: [3], embedding: [...records[1].data], numerics: records[1].numerics },
  ]);
});

test(".json cannot hold NaN and says so", async () => {
  const bad = { ...record("a.jpg", [2]), data: Float32Array.of(1, NaN) };
  await failure("input/value", () => serializeResults("out.json", [bad]));
  await failure("input/value", () => serializeResults("out.jsonl", [bad]));
  assert.ok(Number.isNaN(readNpy(serializeResults("out.npy", [bad])).data[1]));
});

test(".safetensors: one tensor per image, names made unique, digests beside them", async () => {
  const files = ["x/cat.jpg", "y\\cat.jpg", "cat.jpg-2", "cat.jpg", "https://host/dog.png", "owls/"];
  const records = files.map((file, i) => record(file, i % 2 === 0 ? [2, 3] : [4], i));
  const file = await openSafetensors(bytesSource("out", serializeResults("out.safetensors", records)));
  const names = ["cat.jpg", "cat.jpg-2", "cat.jpg-2-2", "cat.jpg-3", "dog.png", "owls"];
  assert.deepEqual([...file.tensors.keys()].sort(), [...names].sort());
  const numerics = JSON.parse(file.metadata["numerics"]) as Record<string, unknown>;
  for (const [i, name] of names.entries()) {
    const info = file.tensors.get(name);
    assert.ok(info);
    assert.deepEqual([info.dtype, info.shape], ["F32", records[i].dims]);
    assert.deepEqual(new Float32Array((await file.readTensor(info)).buffer), records[i].data);
    assert.deepEqual(numerics[name], { file: files[i], ...records[i].numerics });
  }
});

test("equal results give equal bytes", () => {
  for (const path of ["o.npy", "o.json", "o.jsonl", "o.safetensors"]) {
    const make = (): Uint8Array => serializeResults(path, [record("a", [2, 2]), record("b", [2, 2], 3)]);
    assert.deepEqual(make(), make());
  }
});

test("extensions: any case, and others are refused before the work", async () => {
  for (const path of ["a.npy", "A.NPY", "dir.d/x.Json", "x.y.jsonl", "/d.x/f.safetensors"]) checkOutputPath(path);
  for (const path of ["", "npy", "a.npz", "a.json.gz", "dir.npy/file", "a.toString", "a.", "a.constructor"]) {
    const error = await failure("input/value", () => checkOutputPath(path));
    assert.match(error.message, /\.npy, \.json, \.jsonl, \.safetensors/);
    await failure("input/value", () => serializeResults(path, [record("a", [1])]));
  }
});

test("results that do not fit are refused", async () => {
  await failure("input/missing", () => serializeResults("o.npy", []));
  const short = { ...record("a", [2, 3]), data: new Float32Array(5) };
  for (const path of ["o.npy", "o.json", "o.jsonl", "o.safetensors"]) await failure("input/shape", () => serializeResults(path, [short]));
  const error = await failure("input/shape", () => serializeResults("o.npy", [record("a", [2, 3]), record("b", [3, 2])]));
  assert.deepEqual(error.details.actual, [3, 2]);
});
