/** `openCheckpoint`: namings, layouts, dtypes, and what is refused. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { expectedTensors } from "../../../ts-api/src/weights/tensor-names.js";
import { serializeSafetensors } from "../../../ts-api/src/weights/safetensors/writer.js";
import type { TensorBytes } from "../../../ts-api/src/weights/safetensors/writer.js";
import { pathOfFileUrl } from "../../../ts-api/src/weights/sources/file.js";
import { f32, failure, GOLDENS, inFolder, MODELS, SMALL, smallModel, smallTensors, smallValue, withTensors } from "./helpers.js";

test("every golden opens, and every tensor it must have is there in its shape", async () => {
  for (const name of GOLDENS) {
    const checkpoint = await openCheckpoint(`${MODELS}/${name}`);
    for (const [tensor, shape] of expectedTensors(checkpoint.config)) {
      const data = await checkpoint.tensor(tensor);
      assert.equal(data.length, shape.reduce((product, dim) => product * dim, 1), `${name} ${tensor}`);
    }
    assert.equal(checkpoint.preprocessorConfig?.["image_processor_type"], "ViTImageProcessor");
    await checkpoint.close();
  }
});

test("values are the file's, from one file and from shards", async () => {
  const known: [model: string, tensor: string, first: number[], sum: number][] = [
    ["tiny/", "embeddings.position_embeddings", [0.40557852387428284, 0.7242999076843262, -0.4824724793434143], 0.10911377267620992],
    ["odd", "encoder.layer.1.output.dense.weight", [0.08856306225061417, 0.2893933653831482, -0.22650352120399475], -1.980080477636875],
    ["like-vith14", "encoder.layer.1.layernorm_after.bias", [0.0009847268229350448, -0.05429611727595329, -0.006239961367100477], -1.743265320721548],
  ];
  for (const [model, tensor, first, sum] of known) {
    const checkpoint = await openCheckpoint(`${MODELS}/${model}`);
    const data = await checkpoint.tensor(tensor);
    assert.deepEqual([...data.subarray(0, 3)], first);
    assert.ok(Math.abs(data.reduce((total, value) => total + value, 0) - sum) < 1e-9);
    await checkpoint.close();
  }
});

test("optional parts may be asked for where they are", async () => {
  const tiny = await openCheckpoint(`${MODELS}/tiny`);
  assert.equal((await tiny.tensor("embeddings.mask_token")).length, 64);
  assert.equal((await tiny.tensor("pooler.dense.weight")).length, 64 * 64);
  assert.deepEqual((await failure("weights/missing", () => tiny.tensor("classifier.weight"))).details.names, ["classifier.weight"]);
  await tiny.close();
  await failure("io/read", () => tiny.tensor("layernorm.weight"));
});

test("f32, f16, bf16 and f64 files hold the same model", async () => {
  const encode: Record<string, (values: Float32Array) => Uint8Array> = {
    F64: (values) => new Uint8Array(Float64Array.from(values).buffer),
    BF16: (values) => new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16).buffer),
    // Values of the small model are -1 to 1 in steps of 1/16.
    F16: (values) => new Uint8Array(Uint16Array.from(values, (value) => {
      if (value === 0) return 0;
      const exponent = Math.floor(Math.log2(Math.abs(value)));
      return (value < 0 ? 0x8000 : 0) + ((exponent + 15) << 10) + (Math.abs(value) / 2 ** exponent - 1) * 1024;
    }).buffer),
  };
  for (const [dtype, encoder] of Object.entries(encode)) {
    const tensors = new Map<string, TensorBytes>();
    for (const [name, { shape, bytes }] of smallTensors()) {
      tensors.set(name, { dtype: dtype as "F64", shape, bytes: encoder(new Float32Array(bytes.buffer)) });
    }
    await inFolder({ ...smallModel(), "model.safetensors": serializeSafetensors(tensors) }, async (folder) => {
      const checkpoint = await openCheckpoint(folder);
      let position = 0;
      for (const name of expectedTensors(SMALL).keys()) {
        const at = position++;
        const data = await checkpoint.tensor(name);
        assert.ok(data.every((value, i) => value === smallValue(at, i)), `${dtype} ${name}`);
      }
      await checkpoint.close();
    });
  }
});

test("all four namings open, a classifier beside them", async () => {
  const inMemory = (name: string): string =>
    name
      .replace("encoder.layer.", "layers.")
      .replace("attention.attention.query", "attention.q_proj")
      .replace("attention.attention.key", "attention.k_proj")
      .replace("attention.attention.value", "attention.v_proj")
      .replace("attention.output.dense", "attention.o_proj")
      .replace("intermediate.dense", "mlp.fc1")
      .replace(/^(layers\.\d+)\.output\.dense/, "$1.mlp.fc2");
  const namings = [(n: string) => n, inMemory, (n: string) => `ijepa.${n}`, (n: string) => `ijepa.${inMemory(n)}`];
  for (const naming of namings) {
    const tensors = new Map([...smallTensors()].map(([name, tensor]) => [naming(name), tensor]));
    tensors.set("classifier.weight", f32([2, 8], new Array(16).fill(1))).set("classifier.bias", f32([2], [0, 1]));
    await inFolder({ ...smallModel(), "model.safetensors": serializeSafetensors(tensors) }, async (folder) => {
      const checkpoint = await openCheckpoint(folder);
      const names = [...expectedTensors(SMALL, { classifier: true }).keys()];
      assert.deepEqual([...checkpoint.tensors.keys()].sort(), names.sort());
      assert.deepEqual([...(await checkpoint.tensor("classifier.bias"))], [0, 1]);
      await checkpoint.close();
    });
  }
});

test("a folder is named by path or file: URL, with or without a slash, odd characters included", async () => {
  await inFolder(smallModel(), async (folder) => {
    for (const ref of [folder, `${folder}/`, pathToFileURL(folder).href, `${pathToFileURL(folder).href}/`]) {
      const checkpoint = await openCheckpoint(ref);
      assert.equal(checkpoint.ref, ref);
      assert.equal(checkpoint.preprocessorConfig, undefined);
      await checkpoint.close();
    }
  });
  assert.equal(pathOfFileUrl("file:///a%20b/%C3%A9"), "/a b/é");
  assert.equal(pathOfFileUrl("file:///C:/models/x"), "C:/models/x");
  assert.equal(pathOfFileUrl("file://host/share"), "//host/share");
  for (const url of ["file:///a%2Fb", "file:///a%00", "file:///%E9", "file://["]) await failure("input/value", () => pathOfFileUrl(url));
});

test("model.safetensors is preferred to an index", async () => {
  await inFolder({ ...smallModel(), "model.safetensors.index.json": "nonsense" }, async (folder) => (await openCheckpoint(folder)).close());
});

/** A small model in two shards; `index` may spoil the index. */
function sharded(index: (map: Record<string, unknown>) => unknown = (map) => ({ weight_map: map })): Record<string, string | Uint8Array> {
  const entries = [...smallTensors()];
  const halves = [entries.slice(0, 9), entries.slice(9)];
  const map = Object.fromEntries(halves.flatMap((half, i) => half.map(([name]) => [name, `part-${i}.safetensors`])));
  const files: Record<string, string | Uint8Array> = {
    "config.json": JSON.stringify(SMALL),
    "model.safetensors.index.json": JSON.stringify(index(map)),
  };
  halves.forEach((half, i) => (files[`part-${i}.safetensors`] = serializeSafetensors(new Map(half))));
  return files;
}

test("shards open together", async () => {
  await inFolder(sharded(), async (folder) => {
    const checkpoint = await openCheckpoint(folder);
    assert.equal((await checkpoint.tensor("layernorm.bias")).length, 8);
    assert.equal(checkpoint.tensors.get("layernorm.bias")?.file, `${folder}/part-1.safetensors`);
    await checkpoint.close();
  });
});

test("a missing shard is named, and so is a tensor that no shard has", async () => {
  const { "part-1.safetensors": _, ...without } = sharded();
  await inFolder(without, async (folder) => {
    const error = await failure("weights/missing", () => openCheckpoint(folder));
    assert.deepEqual(error.details, { what: "shard", names: ["part-1.safetensors"] });
  });
  const short = sharded();
  short["part-1.safetensors"] = serializeSafetensors(new Map([...smallTensors()].slice(9, -1)));
  await inFolder(short, async (folder) => {
    const error = await failure("weights/missing", () => openCheckpoint(folder));
    assert.deepEqual(error.details, { what: "tensor", names: ["layernorm.bias"] });
  });
});

test("an index that names the wrong shard of a tensor, or a tensor that is nowhere, is believed as little as by the reference", async () => {
  const names = (map: Record<string, unknown>) => ({ weight_map: { ...map, "layernorm.bias": "part-0.safetensors", "head.weight": "part-1.safetensors" } });
  await inFolder(sharded(names), async (folder) => {
    const checkpoint = await openCheckpoint(folder);
    assert.equal((await checkpoint.tensor("layernorm.bias")).length, 8);
    await checkpoint.close();
  });
});

test("a tensor in two files, or under two names, is refused", async () => {
  const twice = sharded();
  twice["part-0.safetensors"] = serializeSafetensors(new Map([...smallTensors()].slice(0, 10)));
  await inFolder(twice, async (folder) => {
    assert.match((await failure("weights/format", () => openCheckpoint(folder))).message, /appears twice/);
  });
  const tensors = smallTensors();
  tensors.set("ijepa.layernorm.bias", f32([8], new Array(8).fill(0)));
  await inFolder({ ...smallModel(), "model.safetensors": serializeSafetensors(tensors) }, async (folder) => {
    assert.match((await failure("weights/format", () => openCheckpoint(folder))).message, /appears twice/);
  });
});

test("an index cannot name files outside the folder", async () => {
  const names: unknown[] = [
    "../part-0.safetensors", "/etc/x.safetensors", "sub/part-0.safetensors", "..\\x.safetensors", "C:x.safetensors", "C:\\x.safetensors",
    "http://127.0.0.1/x.safetensors", "file:///x.safetensors", "part-0.safetensors\0", "part\n.safetensors", ".safetensors", "..", "", "part-0.bin", 3, null, {},
  ];
  for (const name of names) {
    await inFolder(sharded((map) => ({ weight_map: { ...map, "layernorm.bias": name } })), async (folder) => {
      const error = await failure("weights/format", () => openCheckpoint(folder));
      assert.match(error.message, /plain name/, JSON.stringify(name));
    });
  }
  const deep = `{"weight_map":{"a":${"[".repeat(20000)}${"]".repeat(20000)}}}`;
  await inFolder({ ...sharded(), "model.safetensors.index.json": deep }, (folder) => failure("weights/format", () => openCheckpoint(folder)));
});

test("an index that is none is refused", async () => {
  for (const index of [null, [], 3, {}, { weight_map: null }, { weight_map: [] }, { weight_map: "x" }, { weight_map: {} }]) {
    await inFolder(sharded(() => index), (folder) => failure("weights/format", () => openCheckpoint(folder)));
  }
  await inFolder({ ...sharded(), "model.safetensors.index.json": "{" }, (folder) => failure("weights/format", () => openCheckpoint(folder)));
});

test("a folder without config or weights, and a folder that is none", async () => {
  const { "config.json": config, "model.safetensors": weights } = smallModel();
  await inFolder({ "model.safetensors": weights }, (folder) => failure("config/missing", () => openCheckpoint(folder)));
  await inFolder({ "config.json": config }, async (folder) => {
    const error = await failure("weights/missing", () => openCheckpoint(folder));
    assert.deepEqual(error.details.names, ["model.safetensors", "model.safetensors.index.json"]);
    await failure("config/missing", () => openCheckpoint(join(folder, "absent")));
    await failure("config/missing", () => openCheckpoint(join(folder, "config.json")));
  });
});

test("references that can be no folder", async () => {
  for (const ref of ["", "a\0b", "s3://bucket/model", "hf://x/y", "http://", "https://[", "file:///%ff"]) {
    await failure("input/value", () => openCheckpoint(ref));
  }
  await assert.rejects(() => openCheckpoint(3 as never), TypeError);
});

test("files that are not JSON, or not an object", async () => {
  const spoil = (name: string, content: string | Uint8Array) => ({ ...smallModel(), [name]: content });
  for (const name of ["config.json", "preprocessor_config.json"]) {
    for (const content of ["", "{", "\u0000", Uint8Array.of(0x22, 0xff, 0x22)]) {
      await inFolder(spoil(name, content), async (folder) => {
        const error = await failure("config/missing", () => openCheckpoint(folder));
        assert.equal(error.details.file, `${folder}/${name}`);
      });
    }
    for (const content of ["null", "[]", "3", '"x"']) {
      await inFolder(spoil(name, content), (folder) => failure("config/field", () => openCheckpoint(folder)));
    }
  }
  await inFolder(spoil("config.json", '{"hidden_size": 7}'), (folder) => failure("config/field", () => openCheckpoint(folder)));
  await inFolder(spoil("model.safetensors", "no tensors here"), (folder) => failure("weights/format", () => openCheckpoint(folder)));
  const cut = smallModel()["model.safetensors"].slice(0, -1);
  await inFolder(spoil("model.safetensors", cut), (folder) => failure("weights/format", () => openCheckpoint(folder)));
});

test("missing tensors are named together", async () => {
  const names = ["layernorm.weight", "encoder.layer.0.output.dense.bias"];
  await withTensors((tensors) => names.forEach((name) => tensors.delete(name)), async (folder) => {
    const error = await failure("weights/missing", () => openCheckpoint(folder));
    assert.deepEqual([...error.details.names].sort(), names.sort());
    for (const name of names) assert.ok(error.message.includes(name));
  });
});

test("tensors under a prefix are not found, and the prefix is named", async () => {
  for (const prefix of ["model.", "module.", "_orig_mod.", "encoder.", "ijepa.ijepa."]) {
    const rename = (tensors: Map<string, TensorBytes>) => {
      for (const [name, tensor] of [...tensors]) {
        tensors.delete(name);
        tensors.set(prefix + name, tensor);
      }
    };
    await withTensors(rename, async (folder) => {
      const { message } = await failure("weights/missing", () => openCheckpoint(folder)), shown = prefix.replace(/^ijepa\./, "");
      assert.ok(message.includes(`It has "${shown}embeddings.patch_embeddings.projection.weight"; rename its tensors`), message);
    });
  }
});

test("wrong shapes and dtypes are refused on opening", async () => {
  const name = "encoder.layer.0.intermediate.dense.weight";
  await withTensors((tensors) => tensors.set(name, f32([8, 16], new Array(128).fill(0))), async (folder) => {
    const error = await failure("weights/shape", () => openCheckpoint(folder));
    assert.deepEqual(error.details, { tensor: name, expected: [16, 8], actual: [8, 16] });
  });
  await withTensors((tensors) => tensors.set(name, { dtype: "I32", shape: [16, 8], bytes: new Uint8Array(512) }), async (folder) => {
    const error = await failure("weights/dtype", () => openCheckpoint(folder));
    assert.deepEqual(error.details, { tensor: name, dtype: "I32" });
  });
  await withTensors((tensors) => tensors.set("classifier.bias", f32([3], [0, 0, 0])), async (folder) => {
    const checkpoint = await openCheckpoint(folder);
    await failure("weights/shape", () => checkpoint.tensor("classifier.bias"));
    await checkpoint.close();
  });
});

test("NaN and infinite weights are refused where they are", async () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    await withTensors((tensors) => tensors.set("layernorm.weight", f32([8], [1, 1, 1, bad, 1, 1, 1, bad])), async (folder) => {
      const checkpoint = await openCheckpoint(folder);
      await checkpoint.tensor("layernorm.bias");
      const error = await failure("weights/value", () => checkpoint.tensor("layernorm.weight"));
      assert.deepEqual(error.details, { tensor: "layernorm.weight", index: 3, value: bad });
      await checkpoint.close();
    });
  }
});

test("quantized checkpoints are refused in words", async () => {
  const methods: [config: unknown, dtype: string][] = [
    [{ quant_method: "bitsandbytes", load_in_8bit: true }, "bitsandbytes"],
    [{ quant_method: "gptq" }, "gptq"],
    [{ quant_method: { toString: 1 } }, "unknown"],
    [3, "unknown"],
  ];
  for (const [config, dtype] of methods) {
    const json = JSON.stringify({ ...SMALL.toJSON(), quantization_config: config });
    await inFolder({ ...smallModel(), "config.json": json }, async (folder) => {
      assert.equal((await failure("weights/dtype", () => openCheckpoint(folder))).details.dtype, dtype);
    });
  }
  const none = JSON.stringify({ ...SMALL.toJSON(), quantization_config: null });
  await inFolder({ ...smallModel(), "config.json": none }, async (folder) => (await openCheckpoint(folder)).close());
});

test("an aborted signal stops opening and reading", async () => {
  await failure("aborted", () => openCheckpoint(`${MODELS}/tiny`, { signal: AbortSignal.abort() }));
  const checkpoint = await openCheckpoint(`${MODELS}/tiny`);
  await failure("aborted", () => checkpoint.tensor("layernorm.weight", AbortSignal.abort()));
  await checkpoint.close();
});

test("no file stays open after a failure", async () => {
  const open = async (): Promise<number> => (await readdir("/proc/self/fd").catch(() => [])).length;
  const before = await open();
  await withTensors((tensors) => tensors.delete("layernorm.weight"), (folder) => failure("weights/missing", () => openCheckpoint(folder)));
  await inFolder({ ...sharded(), "part-1.safetensors": "spoiled" }, (folder) => failure("weights/format", () => openCheckpoint(folder)));
  assert.equal(await open(), before);
});
