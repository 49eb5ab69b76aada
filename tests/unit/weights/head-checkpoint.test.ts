/** A checkpoint with only a head: its tensors are checked like an encoder's, and a refusal leaves no file open. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { openModelCheckpoint } from "../../../ts-api/src/weights/head-checkpoint.js";
import type { ModelSource } from "../../../ts-api/src/weights/model-folder.js";
import { serializeSafetensors, type TensorBytes } from "../../../ts-api/src/weights/safetensors/writer.js";

const demo = (file: string): Uint8Array => readFileSync(`models/demo/${file}`);
const config = JSON.parse(demo("config.json").toString()) as { readonly hidden_size: number };
const WIDTH = config.hidden_size, LABELS = 2;

/** A model of files in memory, and how many of them are open. */
function sourceOf(name: string, read: (file: string) => Uint8Array | undefined): { source: ModelSource; open: () => number } {
  let open = 0;
  const source: ModelSource = {
    name,
    async open(file) {
      const bytes = read(file);
      if (bytes === undefined) return undefined;
      open++;
      return { name: `${name}/${file}`, size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length), close: async () => void open-- };
    },
  };
  return { source, open: () => open };
}

function encoder() {
  return sourceOf("demo", (file) => (file === "config.json" || file === "model.safetensors" ? demo(file) : undefined));
}

function floats(...data: number[]): Uint8Array {
  return new Uint8Array(new Float32Array(data).buffer);
}

function head(weight: TensorBytes, bias: TensorBytes) {
  const reference = { name: null, revision: null, digest: "0".repeat(64), dtype: "fp32", numerics: "1", layers: "last" };
  const files = new Map([
    ["config.json", Buffer.from(JSON.stringify({ ...config, id2label: { 0: "a", 1: "b" }, label2id: { a: 0, b: 1 }, ijepa_encoder: reference }))],
    ["model.safetensors", serializeSafetensors(new Map([["classifier.weight", weight], ["classifier.bias", bias]]), {})],
  ]);
  return sourceOf("head", (file) => files.get(file));
}

const WEIGHT: TensorBytes = { dtype: "F32", shape: [LABELS, WIDTH], bytes: floats(...new Array<number>(LABELS * WIDTH).fill(0.5)) };
const BIAS: TensorBytes = { dtype: "F32", shape: [LABELS], bytes: floats(1, 2) };

test("the tensors of a head are read beside those of its encoder", async () => {
  const [saved, model] = [head(WEIGHT, BIAS), encoder()];
  const checkpoint = await openModelCheckpoint(saved.source, { encoder: model.source });
  assert.deepEqual(await checkpoint.tensor("classifier.bias"), new Float32Array([1, 2]));
  assert.ok(checkpoint.tensors.has("layernorm.weight"));
  assert.ok(saved.open() > 0 && model.open() > 0);
  await checkpoint.close();
  assert.deepEqual([saved.open(), model.open()], [0, 0]);
});

test("NaN in a head is refused where it is read", async () => {
  const checkpoint = await openModelCheckpoint(head(WEIGHT, { ...BIAS, bytes: floats(1, NaN) }).source, { encoder: encoder().source });
  await assert.rejects(checkpoint.tensor("classifier.bias"), (error) => isIJepaError(error, "weights/value") && error.details.index === 1);
  await checkpoint.close();
});

for (const [code, weight] of [
  ["weights/shape", { ...WEIGHT, shape: [WIDTH, LABELS] }],
  ["weights/dtype", { ...WEIGHT, dtype: "I32" }],
] as const) {
  test(`${code}: a head that does not fit is refused, and every file is closed`, async () => {
    const [saved, model] = [head(weight, BIAS), encoder()];
    await assert.rejects(openModelCheckpoint(saved.source, { encoder: model.source }), (error) => isIJepaError(error, code) && error.message.includes("classifier.weight"));
    assert.deepEqual([saved.open(), model.open()], [0, 0]);
  });
}
