/** `convertModel`: the bytes of packing on load, shards, metadata, failures. */
import assert from "node:assert/strict";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { DTYPES } from "../../../ts-api/src/core/numerics.js";
import { IJepaForImageClassification, IJepaModel, Tensor } from "../../../ts-api/src/index.js";
import { canonicalName } from "../../../ts-api/src/weights/tensor-names.js";
import { serializeSafetensors } from "../../../ts-api/src/weights/safetensors/writer.js";
import { convertModel, type ConvertProgress } from "../../../weights-tools/index.js";
import { DEMO_MODEL, MODELS, readTensors } from "../../support/models.js";
import { sha256 } from "../../support/sha256.js";
import { inFolder, smallModel, smallTensors, SMALL } from "../weights/helpers.js";
import { inNewFolder, loadParts, readHeader } from "./helpers.js";

const TINY = `${MODELS}/tiny`;
const SHARDED = `${MODELS}/like-vith14`;
const CLASSIFIER = "tests/goldens/classifiers/classify-single";

for (const dtype of DTYPES) {
  for (const model of [TINY, SHARDED, `${MODELS}/odd`, DEMO_MODEL]) {
    test(`${model}, ${dtype}: packed files have the bytes of packing on load`, () =>
      inNewFolder(async (folder) => {
        await convertModel(model, folder, { dtype });
        assert.deepEqual(await loadParts(folder), await loadParts(model, { dtype }));
      }));
  }

  test(`${dtype}: a packed model gives the bits of the original, with every optional part`, () =>
    inNewFolder(async (folder) => {
      const golden = await readTensors(`${TINY}/cases/masked.safetensors`);
      const { data, dims } = golden.get("in.pixel_values")!, mask = golden.get("in.bool_masked_pos")!;
      const inputs = { pixelValues: new Tensor("float32", data, dims), boolMaskedPos: new Tensor("bool", Uint8Array.from(mask.data), mask.dims) };
      await convertModel(TINY, folder, { dtype });
      const options = { useMaskToken: true, addPoolingLayer: true };
      const original = await IJepaModel.fromPretrained(TINY, { dtype, ...options }), packed = await IJepaModel.fromPretrained(folder, options);
      assert.equal(packed.dtype, dtype);
      assert.deepEqual(await packed.forward(inputs), await original.forward(inputs));
    }));
}

test("a bitsandbytes checkpoint keeps its codes", () =>
  inNewFolder(async (path) => {
    for (const name of ["like-vith14-nf4-dq", "like-vitg16-fp4"]) {
      const source = `tests/goldens/bitsandbytes/${name}`, target = `${path}-${name}`;
      const { dtype } = await convertModel(source, target);
      assert.deepEqual([dtype, await loadParts(target)], [name.slice(12, 15), await loadParts(source)]);
    }
  }));

test("int4 in groups of 64", () =>
  inNewFolder(async (folder) => {
    for (const model of [TINY, DEMO_MODEL]) {
      await convertModel(model, `${folder}-${model.length}`, { dtype: "int4", groupSize: 64 });
      const packed = await loadParts(`${folder}-${model.length}`);
      assert.deepEqual(packed, await loadParts(model, { dtype: "int4", groupSize: 64 }));
      assert.notDeepEqual(packed, await loadParts(model, { dtype: "int4" }));
    }
    await assert.rejects(IJepaModel.fromPretrained(`${folder}-${TINY.length}`, { groupSize: 32 }), { code: "weights/dtype", message: /in groups of 64 and cannot/ });
  }));

test("a classifier keeps its head", () =>
  inNewFolder(async (folder) => {
    await convertModel(CLASSIFIER, folder);
    const original = await IJepaForImageClassification.fromPretrained(CLASSIFIER, { dtype: "int4" });
    const packed = await IJepaForImageClassification.fromPretrained(folder);
    const { numChannels, imageHeight, imageWidth } = original.config;
    const pixelValues = new Tensor("float32", new Float32Array(numChannels * imageHeight * imageWidth).fill(0.5), [1, numChannels, imageHeight, imageWidth]);
    assert.deepEqual(await packed.forward({ pixelValues }), await original.forward({ pixelValues }));
  }));

test("one file: parts in the order of computation, each in one piece; configuration beside it", () =>
  inNewFolder(async (folder) => {
    const report = await convertModel(TINY, folder, { dtype: "int4" });
    assert.deepEqual(report.files.map(({ name }) => name), ["model.safetensors"]);
    const { names, bytes, header } = await readHeader(join(folder, "model.safetensors"));
    assert.equal(report.bytes, bytes);
    const parts = names.map((name) => /^(encoder\.layer\.\d+|[a-z]+)/.exec(name)![0]).filter((part, i, all) => part !== all[i - 1]);
    const { num_hidden_layers: layers } = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, number>;
    const middle = Array.from({ length: layers }, (_, i) => `encoder.layer.${i}`);
    assert.deepEqual(parts, ["embeddings", ...middle, "layernorm", "embeddings", "pooler"]);
    assert.deepEqual(names.slice(3, 8), ["weight", "bias"].map((part) => `encoder.layer.0.layernorm_before.${part}`).concat(
      ["weight", "scales", "bias"].map((part) => `encoder.layer.0.attention.qkv.${part}`)));
    const { "ijepa.format": format, "ijepa.dtype": dtype, "ijepa.numerics": numerics } = header.__metadata__;
    assert.deepEqual([format, dtype, numerics], ["1", "int4", "1"]);
    for (const file of ["config.json", "preprocessor_config.json"]) assert.deepEqual(await readFile(join(folder, file)), await readFile(join(TINY, file)));
  }));

test("shards: none is larger than asked, a layer is in one piece where it fits, and any size gives the same weights", () =>
  inNewFolder(async (path) => {
    const expected = await loadParts(DEMO_MODEL, { dtype: "bf16" });
    for (const shardSize of [2 ** 22, 2 ** 20, 700_000]) {
      const folder = `${path}-${shardSize}`, { files } = await convertModel(DEMO_MODEL, folder, { dtype: "bf16", shardSize });
      assert.deepEqual((await readdir(folder)).filter((name) => name.endsWith(".safetensors")), files.map(({ name }) => name));
      for (const { name, bytes } of files) assert.ok(bytes <= shardSize && (await readFile(join(folder, name))).length === bytes, name);
      const homes = files.flatMap(({ tensors }, i) => tensors.filter((name) => name.startsWith("encoder.layer.1.")).map(() => i));
      // A layer has 0.9 MB.
      assert.equal(new Set(homes).size > 1, shardSize < 900_000);
      assert.deepEqual(await loadParts(folder), expected);
    }
  }));

test("packed files can be cut anew, and are then as if converted so at once", () =>
  inNewFolder(async (path) => {
    const [one, cut, direct] = ["one", "cut", "direct"].map((name) => `${path}-${name}`), shardSize = 2 ** 20;
    await convertModel(DEMO_MODEL, one, { dtype: "int4" });
    await convertModel(one, cut, { shardSize });
    await convertModel(DEMO_MODEL, direct, { dtype: "int4", shardSize });
    const names = await readdir(direct);
    assert.ok(names.length > 5);
    assert.deepEqual(await readdir(cut), names);
    for (const name of names) assert.deepEqual(await readFile(join(cut, name)), await readFile(join(direct, name)), name);
  }));

test("digests: of the source and of every part, as the documentation defines them", () =>
  inNewFolder(async (folder) => {
    const listDigest = (tensors: Map<string, Uint8Array>) => sha256([...tensors].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`).join(""));
    const tensorsOf = async (path: string) => {
      const { header, names, data } = await readHeader(path);
      return new Map(names.map((name) => [name, data.subarray(...(header[name].data_offsets as [number, number]))]));
    };
    await convertModel(SHARDED, folder, { dtype: "bf16" });
    const shards = (await readdir(SHARDED)).filter((name) => name.endsWith(".safetensors"));
    const source = new Map((await Promise.all(shards.map((name) => tensorsOf(join(SHARDED, name))))).flatMap((tensors) => [...tensors]));
    const { header: { __metadata__: metadata } } = await readHeader(join(folder, "model.safetensors"));
    assert.equal(metadata["ijepa.source_sha256"], listDigest(new Map([...source].map(([name, bytes]) => [canonicalName(name), bytes]))));
    const packed = [...(await tensorsOf(join(folder, "model.safetensors")))];
    for (const part of ["encoder.layer.0", "layernorm", "embeddings.position_embeddings"]) {
      const own = packed.filter(([name]) => name === part || name.startsWith(`${part}.`));
      assert.ok(own.length > 0);
      assert.equal(metadata[`ijepa.sha256.${part}`], listDigest(new Map(own)), part);
    }
  }));

test("metadata and licence of the source are kept, whatever they say", async () => {
  const metadata = { format: "pt", license: "no such licence", author: "somebody" };
  const files = { ...smallModel(), "model.safetensors": serializeSafetensors(smallTensors(), metadata), LICENSE: "Do as you like.\n", "README.md": "---\nlicense: other\n---\n" };
  await inFolder(files, async (source) => {
    for (const target of ["first", "second"]) {
      // The second time from the packed files.
      await convertModel(target === "first" ? source : join(source, "first"), join(source, target), { dtype: "bf16" });
      const { header } = await readHeader(join(source, target, "model.safetensors"));
      for (const [key, value] of Object.entries({ ...metadata, "ijepa.license": files.LICENSE })) assert.equal(header.__metadata__[key], value, key);
      for (const name of ["LICENSE", "README.md"] as const) assert.equal(await readFile(join(source, target, name), "utf8"), files[name]);
    }
  });
});

test("progress counts every tensor and byte of the source", () =>
  inNewFolder(async (folder) => {
    const seen: ConvertProgress[] = [];
    const { sourceBytes } = await convertModel(TINY, folder, { onProgress: (progress) => seen.push(progress) });
    const last = seen.at(-1)!;
    assert.deepEqual(last, { tensors: last.totalTensors, totalTensors: last.totalTensors, bytes: sourceBytes, totalBytes: sourceBytes });
    assert.deepEqual(seen.map(({ tensors }) => tensors), seen.map((_, i) => i + 1));
    assert.ok((await readFile(join(TINY, "model.safetensors"))).length > sourceBytes && sourceBytes > 0.9 * last.totalBytes);
  }));

test("a model of one layer, and an empty folder as the target", () =>
  inFolder(smallModel(), async (source) => {
    await inFolder({}, async (target) => {
      await convertModel(source, target, { dtype: "int4" });
      assert.deepEqual(await loadParts(target), await loadParts(source, { dtype: "int4" }));
      assert.equal(SMALL.numHiddenLayers, 1);
      assert.deepEqual((await readdir(dirname(target))).filter((name) => name.includes(target) && name.endsWith(".tmp")), []);
    });
  }));

test("a folder of somebody else's files is left alone", () =>
  inNewFolder(async (folder) => {
    await cp(TINY, folder, { recursive: true });
    await writeFile(join(folder, "notes.txt"), "mine");
    const before = await readdir(folder);
    for (const source of [TINY, folder]) {
      await assert.rejects(convertModel(source, folder), { code: "io/write", message: /not empty/ });
      assert.deepEqual(await readdir(folder), before);
      assert.deepEqual(await readdir(dirname(folder)), ["packed"]);
    }
  }));
