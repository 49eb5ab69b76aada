/** One model, stored in every way that `fromPretrained` reads: the same bits. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { roundBf16 } from "../../../ts-api/src/core/float.js";
import { IJepaModel, Tensor } from "../../../ts-api/src/index.js";
import { serializeSafetensors, type TensorBytes } from "../../../ts-api/src/weights/safetensors/writer.js";
import { MODELS, readTensors, type Golden } from "../../support/models.js";

const TINY = `${MODELS}/tiny`;
const weights = await readTensors(`${TINY}/model.safetensors`);
const pixels = (await readTensors(`${TINY}/cases/batch1.safetensors`)).get("in.pixel_values")!;
let folder = "";

before(async () => (folder = await mkdtemp(join(tmpdir(), "ijepa-checkpoints-"))));
after(() => rm(folder, { recursive: true, force: true }));

async function digestOf(ref: string, dtype: "fp32" | "bf16"): Promise<string> {
  const model = await IJepaModel.fromPretrained(ref, { dtype });
  const { numerics } = await model.forward({ pixelValues: new Tensor("float32", pixels.data, pixels.dims) });
  await model.dispose();
  return numerics.digest;
}

async function store(name: string, change: (name: string, tensor: Golden) => [string, TensorBytes]): Promise<string> {
  const to = join(folder, name);
  await cp(TINY, to, { recursive: true });
  await writeFile(join(to, "model.safetensors"), serializeSafetensors(new Map([...weights].map(([key, tensor]) => change(key, tensor)))));
  return to;
}

function f32({ dims, data }: Golden): TensorBytes {
  return { dtype: "F32", shape: dims, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

function bf16({ dims, data }: Golden): TensorBytes {
  const bits = new Uint32Array(data.map(roundBf16).buffer);
  return { dtype: "BF16", shape: dims, bytes: new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer) };
}

/** The in-memory names of transformers 5. */
function renamed(name: string): string {
  return name
    .replace("encoder.layer.", "layers.")
    .replace(/attention\.attention\.(q|k|v)\w+/, "attention.$1_proj")
    .replace("attention.output.dense", "attention.o_proj")
    .replace("intermediate.dense", "mlp.fc1")
    .replace(/(\d+)\.output\.dense/, "$1.mlp.fc2");
}

test("the names of transformers 5, and the prefix of the classifier, load the same model", async () => {
  const expected = await digestOf(TINY, "fp32");
  assert.equal(renamed("encoder.layer.0.attention.attention.query.weight"), "layers.0.attention.q_proj.weight");
  assert.equal(await digestOf(await store("names5", (name, tensor) => [renamed(name), f32(tensor)]), "fp32"), expected);
  assert.equal(await digestOf(await store("prefix", (name, tensor) => [`ijepa.${name}`, f32(tensor)]), "fp32"), expected);
});

test("a bf16 file gives what rounding the f32 file gives, where only matrices are rounded", async () => {
  const isMatrix = (name: string) => name.endsWith(".weight") && !name.includes("layernorm");
  const ref = await store("bf16", (name, tensor) => [name, isMatrix(name) ? bf16(tensor) : f32(tensor)]);
  assert.equal(await digestOf(ref, "bf16"), await digestOf(TINY, "bf16"));
  assert.notEqual(await digestOf(ref, "fp32"), await digestOf(TINY, "fp32"));
});

test("a URL of a folder loads the same model", async () => {
  const server = createServer((request, response) => {
    const file = join(TINY, new URL(request.url ?? "", "http://localhost").pathname.replace("/models/", ""));
    readFile(file).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    assert.equal(await digestOf(`http://127.0.0.1:${port}/models/`, "fp32"), await digestOf(TINY, "fp32"));
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
