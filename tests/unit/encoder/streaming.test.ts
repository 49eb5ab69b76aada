/** resident: false: the same bits, whatever the layers come from and whatever goes wrong on the way. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { openOracle } from "../../../ts-api/src/backends/oracle/oracle.js";
import { DTYPES } from "../../../ts-api/src/core/numerics.js";
import { sizeOf } from "../../../ts-api/src/core/tensor.js";
import { Encoder } from "../../../ts-api/src/encoder/encoder.js";
import { loadEncoder } from "../../../ts-api/src/encoder/place-weights.js";
import { IJepaConfig, IJepaForImageClassification, IJepaModel, Tensor, type ByteSource, type LoadOptions, type ModelInputs, type ModelRef, type ModelSource } from "../../../ts-api/src/index.js";
import { partsOf } from "../../../ts-api/src/loading/pack-checkpoint.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { serializeSafetensors, type TensorBytes } from "../../../ts-api/src/weights/safetensors/writer.js";
import { expectedTensors } from "../../../ts-api/src/weights/tensor-names.js";
import { convertModel } from "../../../weights-tools/index.js";
import { MODELS } from "../../support/models.js";
import { gaussArray } from "../../support/random.js";
import { inFolder, smallModel } from "../weights/helpers.js";
import { inNewFolder } from "../weights-tools/helpers.js";

/** Four layers, in seven shards. */
const MODEL = `${MODELS}/like-vith14`;
const { config } = await IJepaModel.fromPretrained(MODEL);
const LAYERS = config.numHiddenLayers;
const size = [config.numChannels, config.imageHeight, config.imageWidth];
const images = (count: number) => new Tensor("float32", gaussArray("images", count * size.reduce((a, b) => a * b)), [count, ...size]);

async function digestOf(ref: ModelRef, options: LoadOptions, inputs: ModelInputs = { pixelValues: images(1) }): Promise<string> {
  const model = await IJepaModel.fromPretrained(ref, options);
  const { numerics } = await model.forward(inputs);
  await model.dispose();
  return numerics.digest;
}

/** The files of a folder, and what was read of them. */
class Watched implements ModelSource {
  readonly name = "watched";
  /** Called before each read of weights, with how many came before. */
  onRead: (count: number) => void | Promise<void> = () => {};
  reads = 0;
  opened = 0;
  /** Of each read of weights, the memory that was offered. */
  readonly offered: (ArrayBufferLike | undefined)[] = [];

  constructor(private readonly folder: string) {}

  async open(file: string): Promise<ByteSource | undefined> {
    const bytes = await readFile(join(this.folder, file)).catch(() => undefined);
    if (bytes === undefined) return undefined;
    this.opened++;
    return {
      name: `watched/${file}`,
      size: bytes.length,
      read: async (offset, length, _signal, into = new Uint8Array(length)) => {
        if (file.endsWith(".safetensors")) {
          this.offered[this.reads] = into.buffer;
          await this.onRead(this.reads++);
        }
        into.set(bytes.subarray(offset, offset + length));
        return into;
      },
      close: async () => void this.opened--,
    };
  }
}

/** A packed copy of the model, as a source. */
function packed<T>(work: (source: Watched, folder: string) => Promise<T>): Promise<T> {
  return inNewFolder(async (folder) => {
    await convertModel(MODEL, folder, { dtype: "int4" });
    return work(new Watched(folder), folder);
  });
}

for (const dtype of DTYPES) {
  test(`${dtype}: packed or not, from one file or shards, with one thread or two`, () =>
    inNewFolder(async (path) => {
      assert.ok(LAYERS > 3);
      const expected = await digestOf(MODEL, { dtype });
      await convertModel(MODEL, `${path}-one`, { dtype });
      await convertModel(MODEL, `${path}-cut`, { dtype, shardSize: 500_000 });
      for (const options of [{}, { threads: 2 }]) {
        for (const folder of [`${path}-one`, `${path}-cut`]) assert.equal(await digestOf(folder, { resident: false, ...options }), expected);
      }
      assert.equal(await digestOf(MODEL, { dtype, resident: false }), expected);
    }));
}

test("several passes, masks, hidden states and attentions: everything is as resident", () =>
  packed(async (_, folder) => {
    const [streamed, resident] = [await IJepaModel.fromPretrained(folder, { resident: false }), await IJepaModel.fromPretrained(folder)];
    const heads = config.numAttentionHeads, many = Math.ceil(1024 / config.numPatches) + 1;
    const headMask = new Tensor("float32", gaussArray("mask", LAYERS * heads), [LAYERS, heads]);
    for (const inputs of [{ pixelValues: images(many) }, { pixelValues: images(2), headMask }]) {
      const options = { outputHiddenStates: true, outputAttentions: true };
      assert.deepEqual(await streamed.forward(inputs, options), await resident.forward(inputs, options));
    }
    await streamed.dispose();
  }));

test("a model of one layer, and a classifier", () =>
  inFolder(smallModel(), async (folder) => {
    const pixelValues = new Tensor("float32", gaussArray("small", 64), [1, 1, 8, 8]);
    assert.equal(await digestOf(folder, { resident: false }, { pixelValues }), await digestOf(folder, {}, { pixelValues }));
    const name = "tests/goldens/classifiers/classify-single";
    const [streamed, resident] = [await IJepaForImageClassification.fromPretrained(name, { resident: false }), await IJepaForImageClassification.fromPretrained(name)];
    const { numChannels, imageHeight, imageWidth } = resident.config;
    const inputs = { pixelValues: new Tensor("float32", gaussArray("image", numChannels * imageHeight * imageWidth), [1, numChannels, imageHeight, imageWidth]) };
    assert.deepEqual(await streamed.forward(inputs), await resident.forward(inputs));
    await streamed.dispose();
  }));

test("layers in several formats: nf4, and bf16 where a scale is beyond the contract's limit", () =>
  inNewFolder(async (folder) => {
    const config = new IJepaConfig({ hiddenSize: 64, numAttentionHeads: 2, intermediateSize: 128, numHiddenLayers: 5, imageSize: 16, patchSize: 8, numChannels: 3 });
    const tensors = new Map<string, TensorBytes>();
    for (const [name, shape] of expectedTensors(config, {})) {
      const data = gaussArray(name, sizeOf(shape));
      if (/layer\.[23]\.intermediate\.dense\.weight/.test(name)) data[0] = 2 ** 60;
      tensors.set(name, { dtype: "F32", shape, bytes: new Uint8Array(data.buffer) });
    }
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    await writeFile(join(folder, "model.safetensors"), serializeSafetensors(tensors));
    const [streamed, resident] = [await IJepaModel.fromPretrained(folder, { dtype: "nf4", resident: false }), await IJepaModel.fromPretrained(folder, { dtype: "nf4" })];
    const pixelValues = new Tensor("float32", gaussArray("photo", 3 * 16 * 16), [1, 3, 16, 16]);
    for (const options of [{}, { outputAttentions: true }, {}]) {
      assert.deepEqual(await streamed.forward({ pixelValues }, options), await resident.forward({ pixelValues }, options));
    }
    await streamed.dispose();
    await resident.dispose();
  }));

test("a caller's source: every forward reads each layer once, one ahead of the computing, and dispose closes it", () =>
  packed(async (source, folder) => {
    const expected = await digestOf(folder, {});
    const model = await IJepaModel.fromPretrained(source, { resident: false });
    assert.equal(source.opened, 1);
    const first = source.reads;
    assert.equal((await model.forward({ pixelValues: images(1) })).numerics.digest, expected);
    // Layer 0 was there.
    assert.equal(source.reads - first, LAYERS - 1);
    assert.equal((await model.forward({ pixelValues: images(1) })).numerics.digest, expected);
    assert.equal(source.reads - first, LAYERS - 1 + LAYERS);
    await model.dispose();
    assert.equal(source.opened, 0);
  }));

test("memory: all layers come through the same bytes of the host", () =>
  packed(async (source, folder) => {
    const expected = await digestOf(folder, {});
    const model = await IJepaModel.fromPretrained(source, { resident: false });
    const first = source.reads;
    for (let run = 0; run < 2; run++) assert.equal((await model.forward({ pixelValues: images(1) })).numerics.digest, expected);
    assert.ok(source.reads - first > LAYERS);
    assert.equal(new Set(source.offered.slice(first)).size, 1);
    await model.dispose();
  }));

test("memory: one layer on a backend whose runs are over when they return, two where they are only enqueued", () =>
  packed(async (_, folder) => {
    const checkpoint = await openCheckpoint(folder), states: Float32Array[][] = [];
    const pixels = { data: images(1).data, images: 1, height: config.imageHeight, width: config.imageWidth };
    for (const [synchronous, resident, slots] of [[true, true, LAYERS], [true, false, 1], [false, false, 2]] as const) {
      const backend = { ...openOracle(), synchronous };
      const weights = await loadEncoder(backend, partsOf(checkpoint), { resident });
      assert.equal(weights.layers.slots.length, slots);
      const encoder = new Encoder(backend, config, "int4", weights, async () => {});
      states.push((await encoder.encode(pixels, { outputHiddenStates: true })).hiddenStates!);
    }
    assert.deepEqual(states[1], states[0]);
    assert.deepEqual(states[2], states[0]);
    await checkpoint.close();
  }));

test("memory: one layer is under way, however many there are", () =>
  packed(async (source) => {
    // Of a packed file the reads after loading are layers; one is under way at a time.
    const model = await IJepaModel.fromPretrained(source, { resident: false });
    let underWay = 0, most = 0;
    source.onRead = async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
    };
    await model.forward({ pixelValues: images(1) });
    assert.equal(most, 1);
    await model.dispose();
  }));

test("a source that fails in the middle, and one that gives wrong bytes: the model works afterwards", () =>
  packed(async (source, folder) => {
    const expected = await digestOf(folder, {}), inputs = { pixelValues: images(1) };
    const model = await IJepaModel.fromPretrained(source, { resident: false });
    for (let layer = 0; layer < 3; layer++) {
      const start = source.reads;
      source.onRead = (count) => {
        if (count === start + layer) throw new Error("cable unplugged");
      };
      await assert.rejects(model.forward(inputs), { code: "io/read", message: /cable unplugged/ });
      source.onRead = () => {};
      assert.equal((await model.forward(inputs)).numerics.digest, expected);
    }
    await model.dispose();
  }));

test("a damaged layer is named when its turn comes", () =>
  packed(async (_, folder) => {
    const model = await IJepaModel.fromPretrained(folder, { resident: false }), path = join(folder, "model.safetensors");
    const expected = (await model.forward({ pixelValues: images(1) })).numerics.digest;
    const whole = await readFile(path);
    // The last bytes of the last layer are before the final norm and the optional parts.
    const spoiled = Buffer.from(whole), header = JSON.parse(whole.toString("utf8", 8, 8 + Number(whole.readBigUint64LE(0)))) as Record<string, { data_offsets: [number, number] }>;
    spoiled[8 + Number(whole.readBigUint64LE(0)) + header[`encoder.layer.${LAYERS - 1}.output.dense.weight`].data_offsets[0]] ^= 1;
    await writeFile(path, spoiled);
    await assert.rejects(model.forward({ pixelValues: images(1) }), { code: "weights/digest", message: new RegExp(`encoder\\.layer\\.${LAYERS - 1} `) });
    await writeFile(path, whole);
    assert.equal((await model.forward({ pixelValues: images(1) })).numerics.digest, expected);
    await model.dispose();
  }));

test("an abort in the middle; the load's signal has no say in later runs", () =>
  packed(async (source, folder) => {
    const expected = await digestOf(folder, {}), inputs = { pixelValues: images(1) }, loading = new AbortController();
    const model = await IJepaModel.fromPretrained(source, { resident: false, signal: loading.signal });
    loading.abort();
    assert.equal((await model.forward(inputs)).numerics.digest, expected);
    const during = new AbortController(), start = source.reads;
    source.onRead = (count) => {
      if (count === start + 1) during.abort();
    };
    await assert.rejects(model.forward(inputs, { signal: during.signal }), { code: "aborted" });
    source.onRead = () => {};
    assert.equal((await model.forward(inputs)).numerics.digest, expected);
    await assert.rejects(IJepaModel.fromPretrained(source, { resident: false, signal: during.signal }), { code: "aborted" });
    await model.dispose();
    assert.equal(source.opened, 0);
  }));

test("over HTTP: only the layers' ranges are asked for", () =>
  packed(async (_, folder) => {
    const ranges: string[] = [];
    const server = createServer((request, response) => {
      void readFile(join(folder, basename(request.url!))).then(
        (bytes) => {
          const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")!.map(Number);
          if (request.url!.endsWith(".safetensors")) ranges.push(`${from}-${to}`);
          response.writeHead(206, { "content-range": `bytes ${from}-${Math.min(to, bytes.length - 1)}/${bytes.length}` }).end(bytes.subarray(from, to + 1));
        },
        () => response.writeHead(404).end(),
      );
    }).listen(0, "127.0.0.1");
    after(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const model = await IJepaModel.fromPretrained(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { resident: false });
    const loaded = ranges.length;
    const { numerics } = await model.forward({ pixelValues: images(1) });
    assert.equal(numerics.digest, await digestOf(folder, {}));
    assert.equal(ranges.length - loaded, LAYERS - 1);
    await model.dispose();
    server.closeAllConnections();
  }));

test("what is no source is refused", async () => {
  await assert.rejects(IJepaModel.fromPretrained({ name: "x" } as unknown as ModelSource), TypeError);
  await assert.rejects(IJepaModel.fromPretrained(null as unknown as string), TypeError);
  await assert.rejects(IJepaModel.fromPretrained(MODEL, { resident: 1 as unknown as boolean }), TypeError);
  const empty: ModelSource = { name: "empty", open: async () => undefined };
  await assert.rejects(IJepaModel.fromPretrained(empty), { code: "config/missing", message: /empty\/config\.json/ });
});
