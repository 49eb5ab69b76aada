/** Checkpoints of the research code, made of a golden's tensors: the same weights, whatever the file's shape; and files that are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { IJepaModel, Tensor } from "../../../ts-api/src/index.js";
import { openCheckpoint, type Checkpoint, type CheckpointOptions } from "../../../ts-api/src/weights/checkpoint.js";
import { convertModel } from "../../../weights-tools/index.js";
import { gaussArray } from "../../support/random.js";
import { globalOf, pickle, Raw, rowMajor, Tuple, zip, type Pickled, type PickledTensor, type ZipOptions } from "../../support/torch.js";
import { loadParts } from "../weights-tools/helpers.js";
import { failure, inFolder, MODELS } from "./helpers.js";

const FILE = "jepa.pth.tar";
const TINY = await openCheckpoint(`${MODELS}/tiny`);
const HEADS = { config: { numAttentionHeads: TINY.config.numAttentionHeads } };

interface Parameter {
  shape: readonly number[];
  data: Float32Array;
}

/** The research code's state dict of a checkpoint in Hugging Face's layout. */
async function researchState({ config, tensor, tensors }: Checkpoint): Promise<Map<string, Parameter>> {
  const read = async (name: string): Promise<Parameter> => ({ shape: tensors.get(name)!.shape, data: await tensor(name) });
  const state = new Map<string, Parameter>([["pos_embed", await read("embeddings.position_embeddings")]]);
  for (const kind of ["weight", "bias"]) {
    const copy = async (from: string, to: string) => state.set(`${to}.${kind}`, await read(`${from}.${kind}`));
    await copy("embeddings.patch_embeddings.projection", "patch_embed.proj");
    await copy("layernorm", "norm");
    for (let i = 0; i < config.numHiddenLayers; i++) {
      const layer = `encoder.layer.${i}`, block = `blocks.${i}`;
      const [q, k, v] = await Promise.all(["query", "key", "value"].map((part) => read(`${layer}.attention.attention.${part}.${kind}`)));
      state.set(`${block}.attn.qkv.${kind}`, { shape: [3 * q.shape[0], ...q.shape.slice(1)], data: Float32Array.from([...q.data, ...k.data, ...v.data]) });
      await copy(`${layer}.layernorm_before`, `${block}.norm1`);
      await copy(`${layer}.attention.output.dense`, `${block}.attn.proj`);
      await copy(`${layer}.layernorm_after`, `${block}.norm2`);
      await copy(`${layer}.intermediate.dense`, `${block}.mlp.fc1`);
      await copy(`${layer}.output.dense`, `${block}.mlp.fc2`);
    }
  }
  return state;
}

const bytesOf = ({ data }: Parameter) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const state = await researchState(TINY);
/** An entry of the encoder, not of the target encoder before it. */
const ENTRY = `jepa/data/${state.size + 5}`;
/** Another encoder: every weight doubled. */
const doubled = new Map([...state].map(([name, { shape, data }]) => [name, { shape, data: data.map((v) => 2 * v) }]));

/** What save_checkpoint writes: both encoders, the optimizer and numbers, on DDP's names. */
function checkpoint(change: (entries: Record<string, Uint8Array>, tensors: Map<string, PickledTensor>) => Pickled | void = () => {}, options: ZipOptions = {}): Uint8Array {
  const entries: Record<string, Uint8Array> = {}, tensors = new Map<string, PickledTensor>();
  const dictOf = (parameters: ReadonlyMap<string, Parameter>) => {
    const dict = new Map<string, Pickled>();
    for (const [name, parameter] of parameters) {
      const key = String(Object.keys(entries).length);
      entries[`jepa/data/${key}`] = bytesOf(parameter);
      const tensor = { key, storage: "FloatStorage", count: parameter.data.length, shape: parameter.shape };
      tensors.set(name, tensor);
      dict.set(`module.${name}`, tensor);
    }
    return dict;
  };
  const target = dictOf(doubled), encoder = dictOf(state);
  const moment: PickledTensor = { key: "0", storage: "FloatStorage", count: state.get("pos_embed")!.data.length, shape: [4, 4] };
  const optimizer = new Map<string, Pickled>([["state", [moment, 3, 2 ** 40, 0.5, true, null]], ["betas", new Tuple([0.9, 0.999])]]);
  const extra = change(entries, tensors) ?? null;
  const whole = new Map<string, Pickled>([
    ["encoder", encoder], ["target_encoder", target], ["opt", optimizer], ["scaler", null], ["epoch", 300], ["loss", 0.25], ["extra", extra],
  ]);
  return zip({ "jepa/data.pkl": pickle(whole), "jepa/byteorder": new TextEncoder().encode("little"), ...entries, "jepa/version": new Uint8Array([51, 10]) }, options);
}

async function opened<T>(file: Uint8Array, work: (checkpoint: Checkpoint) => Promise<T>, options: CheckpointOptions = HEADS): Promise<T> {
  return inFolder({ [FILE]: file }, async (folder) => {
    const checkpoint = await openCheckpoint(`${folder}/${FILE}`, options);
    try {
      return await work(checkpoint);
    } finally {
      await checkpoint.close();
    }
  });
}

const refused = (file: Uint8Array, message: RegExp) =>
  inFolder({ [FILE]: file }, async (folder) => {
    const error = await failure("weights/format", () => openCheckpoint(`${folder}/${FILE}`, HEADS));
    assert.match(error.message, message);
  });

for (const [name, options] of Object.entries<ZipOptions>({ "a zip": {}, "a zip64": { zip64: true } })) {
  test(`${name}: every tensor has the bytes of the safetensors file, and the configuration is derived`, async () => {
    await opened(checkpoint(undefined, options), async (checkpoint) => {
      const { hiddenSize, numHiddenLayers, imageSize, patchSize, intermediateSize, numChannels, qkvBias, layerNormEps, hiddenAct } = checkpoint.config;
      const expected = { hiddenSize, numHiddenLayers, imageSize, patchSize, intermediateSize, numChannels, qkvBias, layerNormEps, hiddenAct };
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(TINY.config[field as keyof typeof expected], value, field);
      for (const [name, { shape }] of checkpoint.tensors) {
        assert.deepEqual(shape, TINY.tensors.get(name)!.shape, name);
        assert.deepEqual(await checkpoint.tensor(name), await TINY.tensor(name), name);
      }
      assert.equal(checkpoint.tensors.size, 4 + 1 + 16 * numHiddenLayers);
    });
  });
}

test("a model of it has the bits of the same model in safetensors, by path and by URL", async () => {
  const { numChannels, imageHeight, imageWidth } = TINY.config;
  const pixelValues = new Tensor("float32", gaussArray("pixels", numChannels * imageHeight * imageWidth), [1, numChannels, imageHeight, imageWidth]);
  const digest = async (ref: string, options = {}) => {
    const model = await IJepaModel.fromPretrained(ref, options);
    const { numerics } = await model.forward({ pixelValues });
    await model.dispose();
    return numerics.digest;
  };
  const expected = await digest(`${MODELS}/tiny`);
  await inFolder({ [FILE]: checkpoint() }, async (folder) => {
    assert.equal(await digest(`${folder}/${FILE}`, HEADS), expected);
    assert.equal(await digest(pathToFileURL(`${folder}/${FILE}`).href, HEADS), expected);
    assert.notEqual(await digest(`${folder}/${FILE}`, { ...HEADS, checkpointKey: "target_encoder" }), expected);
  });
});

test("target_encoder on request", async () => {
  const read = (checkpoint: Checkpoint) => checkpoint.tensor("encoder.layer.1.attention.attention.key.weight");
  const key = await TINY.tensor("encoder.layer.1.attention.attention.key.weight");
  assert.deepEqual(await opened(checkpoint(), read, { ...HEADS, checkpointKey: "target_encoder" }), key.map((v) => 2 * v));
  await inFolder({ [FILE]: checkpoint() }, async (folder) => {
    const open = (options: object) => openCheckpoint(`${folder}/${FILE}`, options);
    await assert.rejects(open({ ...HEADS, checkpointKey: "predictor" }), TypeError);
    assert.match((await failure("config/field", () => open({}))).message, /hidden size 64, 3 layers.*numAttentionHeads/);
    await failure("config/field", () => open({ config: { numAttentionHeads: 7 } }));
  });
  await failure("input/value", () => openCheckpoint(`${MODELS}/tiny`, { checkpointKey: "encoder" }));
});

test("no file, no encoder, another model: said with names", async () => {
  assert.deepEqual((await failure("weights/missing", () => openCheckpoint("no/such.pth.tar"))).details.names, ["such.pth.tar"]);
  const without = zip({ "a/data.pkl": pickle(new Map<string, Pickled>([["model", new Map()], ["epoch", 3]])) });
  await inFolder({ [FILE]: without }, async (folder) => {
    assert.match((await failure("weights/missing", () => openCheckpoint(`${folder}/${FILE}`))).message, /no state dict "encoder"; it has "model", "epoch"/);
  });
  const other = zip({ "a/data.pkl": pickle(new Map<string, Pickled>([["encoder", new Map<string, Pickled>()]])) });
  await inFolder({ [FILE]: other }, async (folder) => {
    assert.deepEqual((await failure("weights/missing", () => openCheckpoint(`${folder}/${FILE}`))).details.names, ["pos_embed"]);
  });
  /** The encoder alone, under other names; a tensor without one is left out. */
  const renamed = (rename: (name: string) => string | undefined): Uint8Array => {
    const entries: Record<string, Uint8Array> = {}, dict = new Map<string, Pickled>();
    for (const [name, parameter] of state) {
      const to = rename(name), key = String(dict.size);
      if (to === undefined) continue;
      entries[`a/data/${key}`] = bytesOf(parameter);
      dict.set(to, { key, storage: "FloatStorage", count: parameter.data.length, shape: parameter.shape });
    }
    return zip({ "a/data.pkl": pickle(new Map([["encoder", dict]])), ...entries });
  };
  const wrong: [files: Uint8Array, code: "weights/missing" | "weights/format", words: RegExp][] = [
    [zip({ "a/data.pkl": pickle(new Map<string, Pickled>([["target_encoder", new Map()]])) }), "weights/missing", /Pass { checkpointKey: "target_encoder" }/],
    [renamed((name) => `module.backbone.${name}`), "weights/missing", /It has "backbone\.pos_embed"; rename its tensors: nothing must stand before pos_embed/],
    [zip({ "a/data.pkl": pickle(null), "a/constants.pkl": pickle(null) }), "weights/format", /program of TorchScript/],
    [zip({ "a/data.pkl": pickle(new Raw(globalOf("torch._utils", "_rebuild_qtensor"))) }), "weights/format", /tensors of torch\._utils\._rebuild_qtensor, such as quantized/],
    [zip({ "a/data.pkl": pickle(new Raw(globalOf("torch", "ComplexFloatStorage"))) }), "weights/format", /tensors of torch\.ComplexFloatStorage/],
    [renamed((name) => (name === "blocks.0.norm1.weight" ? undefined : name)), "weights/missing", /lacks a tensor: encoder\.layer\.0\.layernorm_before\.weight/],
  ];
  for (const [file, code, words] of wrong) {
    await inFolder({ [FILE]: file }, async (folder) => assert.match((await failure(code, () => openCheckpoint(`${folder}/${FILE}`, HEADS))).message, words));
  }
});

test("tensors of another type, views of one storage: read; unknown tensors: reported", async () => {
  const half = checkpoint((entries, tensors) => {
    const norm = tensors.get("norm.weight")!;
    entries[`jepa/data/${norm.key}`] = new Uint8Array(Uint16Array.from({ length: norm.count }, () => 0x3f80).buffer);
    norm.storage = "BFloat16Storage";
    // Two biases as views of one storage.
    const [up, down] = ["blocks.0.mlp.fc2.bias", "blocks.0.attn.proj.bias"].map((name) => tensors.get(name)!);
    const shared = Float32Array.from({ length: up.count + down.count }, (_, i) => i);
    entries[`jepa/data/${up.key}`] = new Uint8Array(shared.buffer);
    Object.assign(down, { key: up.key, offset: up.count });
    up.count = down.count = shared.length;
  });
  await opened(half, async (checkpoint) => {
    assert.deepEqual(await checkpoint.tensor("layernorm.weight"), new Float32Array(64).fill(1));
    assert.deepEqual([...await checkpoint.tensor("encoder.layer.0.attention.output.dense.bias")], Array.from({ length: 64 }, (_, i) => 64 + i));
  });
  const strange = checkpoint((_, tensors) => void (tensors.get("norm.weight")!.storage = "IntStorage"));
  await inFolder({ [FILE]: strange }, async (folder) => void (await failure("weights/dtype", () => openCheckpoint(`${folder}/${FILE}`, HEADS))));
});

test("a pickle that would run something is refused, with the name of what it would run", async () => {
  const call = (module: string, name: string) => new Raw([...globalOf(module, name), ...pickle(new Tuple(["echo harm"])).slice(2, -1), 0x52]);
  for (const [module, name] of [["os", "system"], ["posix", "system"], ["builtins", "eval"], ["torch.storage", "_load_from_bytes"], ["torch", "load"], ["torch", "constructor"]]) {
    await inFolder({ [FILE]: checkpoint(() => call(module, name)) }, async (folder) => {
      const error = await failure("weights/unsafe", () => openCheckpoint(`${folder}/${FILE}`, HEADS));
      assert.equal(error.details.global, `${module}.${name}`);
      assert.match(error.message, new RegExp(`asks for "${module}.${name}"`));
    });
  }
  // STACK_GLOBAL of protocol 4; NEWOBJ and the extension registry, which torch.save never writes.
  const stacked = new Raw([...pickle("os").slice(2, -1), ...pickle("system").slice(2, -1), 0x93]);
  await inFolder({ [FILE]: checkpoint(() => stacked) }, async (folder) => void (await failure("weights/unsafe", () => openCheckpoint(`${folder}/${FILE}`, HEADS))));
  for (const opcode of [0x81, 0x82, 0x69, 0x6f]) await refused(checkpoint(() => new Raw([opcode])), /opcode 0x/);
});

test("pickles that are damaged are refused", async () => {
  const damaged = (...bytes: number[]) => zip({ "a/data.pkl": Uint8Array.from(bytes) });
  const of = (value: string) => value.charCodeAt(0);
  await refused(damaged(0x80, 2), /ends within an item of 1 byte/);
  await refused(damaged(0x80, 2, of(".")), /takes more values than it has/);
  await refused(damaged(0x80, 2, of("("), of(".")), /takes more values/);
  await refused(damaged(0x80, 2, of("t"), of(".")), /mark that was never set/);
  await refused(damaged(0x80, 2, of("h"), 7), /recalls value 7/);
  await refused(damaged(0x80, 2, of("q"), 7), /stores a value that is not there/);
  await refused(damaged(0x80, 2, of("X"), 255, 255, 255, 255), /ends within an item of 4294967295 bytes/);
  await refused(damaged(0x80, 4, 0x8d, 255, 255, 255, 255, 255, 255, 255, 127), /ends within an item/);
  await refused(damaged(0x80, 2, of("K"), 1, of("a")), /takes more values|appends/);
  await refused(damaged(0x80, 2, of("K"), 1, of("K"), 1, of("K"), 1, of("s")), /not a dict/);
  await refused(damaged(0x80, 2, of("c"), of("o"), of("s")), /ends within a name/);
  await refused(damaged(0x80, 2, of("N"), of(")"), of("R")), /calls something that is not a function/);
  await refused(damaged(0x80, 2, of("N"), of("Q")), /storage of an unknown kind/);
  await refused(damaged(0x80, 2, of("K"), 1, of("}"), of("b")), /state of something that is not a dict/);
});

test("pickles that would make more than a checkpoint has are refused before the memory is gone", async () => {
  const of = (text: string) => [...Buffer.from(text, "latin1")], head = of("\x80\x04");
  const repeat = (text: string, times: number) => Buffer.alloc(text.length * times, text, "latin1");
  const bomb = (...parts: (number[] | Uint8Array)[]) => zip({ "a/data.pkl": Buffer.concat(parts.map((part) => Uint8Array.from(part))) });
  const dict = globalOf("collections", "OrderedDict");
  const bombs: Record<string, Uint8Array> = {
    dicts: bomb(head, repeat("}", 8e6)),
    lists: bomb(head, repeat("]", 8e6)),
    "ordered dicts": bomb(head, dict, of("q\x000"), repeat("h\x00)R", 2e6)),
    marks: bomb(head, repeat("(", 8e6)),
    memo: bomb(head, of("N"), repeat("\x94", 2 ** 24 + 8)),
    "tuples in each other": bomb(head, of(")"), repeat("\x85", 8e6), of(".")),
    "one list handed over many times": bomb(head, dict, of("q\x000](" ), repeat("))\x86", 1.6e5), of("eq\x010"), repeat("h\x00h\x01\x85R0", 1e5), of(".")),
  };
  for (const [name, file] of Object.entries(bombs)) {
    const before = process.memoryUsage.rss();
    await refused(file, /takes more than 1048576 steps/);
    assert.ok(process.memoryUsage.rss() - before < 700e6, name);
  }
});

test("two names of one tensor are refused: which is meant, nobody can tell", async () => {
  const parameters = [...state], names = parameters.map(([name]) => `module.${name}`), norm = state.get("norm.weight")!;
  for (const twin of ["norm.weight", "layernorm.weight", "module.layernorm.weight"]) {
    const all = [...parameters.map(([, parameter]) => parameter), norm];
    const tensors = [...names, twin].map((name, i): [string, Pickled] => [name, { key: String(i), storage: "FloatStorage", count: all[i].data.length, shape: all[i].shape }]);
    const entries = Object.fromEntries(all.map((parameter, i) => [`jepa/data/${i}`, bytesOf(parameter)]));
    const file = zip({ "jepa/data.pkl": pickle(new Map<string, Pickled>([["encoder", new Map(tensors)]])), ...entries });
    await inFolder({ [FILE]: file }, async (folder) => {
      const { message } = await failure("weights/format", () => openCheckpoint(`${folder}/${FILE}`, HEADS));
      assert.ok(message.includes(twin.replace("module.", "")), message);
    });
  }
});

test("tensors of more dimensions than PyTorch has are refused", async () => {
  const many = checkpoint((_, tensors) => {
    const shape = new Array<number>(65).fill(1);
    Object.assign(tensors.get("norm.weight")!, { shape, strides: shape });
  });
  await refused(many, /tensor of an unknown kind/);
});

test("tensors that do not lie in order inside of their storage are refused", async () => {
  const spoiled = (change: (tensor: PickledTensor) => void) => checkpoint((_, tensors) => change(tensors.get("blocks.0.mlp.fc1.weight")!));
  await refused(spoiled((tensor) => (tensor.strides = rowMajor(tensor.shape).reverse())), /has the strides \[1, 64\]/);
  await refused(spoiled((tensor) => (tensor.strides = [0, 1])), /strides/);
  await refused(spoiled((tensor) => (tensor.offset = 1)), /reaches beyond its storage/);
  await refused(spoiled((tensor) => (tensor.offset = -1)), /unknown kind/);
  await refused(spoiled((tensor) => Object.assign(tensor, { shape: [2 ** 25, 2 ** 25] })), /reaches beyond its storage/);
  await refused(spoiled((tensor) => (tensor.count = 2 ** 40)), /not 1099511627776 elements/);
  await refused(spoiled((tensor) => (tensor.key = "99999")), /not in the archive/);
  await refused(spoiled((tensor) => (tensor.key = "../version")), /not in the archive/);
});

test("zips that are cut, compressed, encrypted, doubled or lie about their sizes are refused", async () => {
  const whole = checkpoint();
  for (const length of [0, 3, 100, Math.floor(whole.length / 2), whole.length - 1]) await refused(whole.slice(0, length), /not a valid torch\.save file/);
  const spoil = (place: number, value: number, bytes = 4) =>
    checkpoint(undefined, { spoil: (name, view) => name === ENTRY && (bytes === 4 ? view.setUint32(place, value, true) : view.setUint16(place, value, true)) });
  await refused(spoil(8, 1, 2), /is encrypted/);
  await refused(spoil(10, 8, 2), /is compressed/);
  await refused(spoil(24, 17), /two different sizes/);
  await refused(spoil(42, whole.length), /beyond the end/);
  await refused(spoil(42, 0xffffffff), /sizes that cannot be/);
  await refused(spoil(42, 64), /does not begin where the directory says/);
  await refused(spoil(0, 0), /directory is damaged/);
  await refused(spoil(28, 0xffff, 2), /is cut/);
  const doubled = zip({ "a/data.pkl": pickle(null), "b/data.pkl": pickle(null) }, { spoil: (name, view) => name.startsWith("b") && view.setUint8(46, 97) });
  await refused(doubled, /is there twice/);
  await refused(zip({ "a/nothing": pickle(null) }), /no data\.pkl/);
  await refused(zip({ "a/data.pkl": pickle(null), "a/byteorder": new TextEncoder().encode("big") }), /not little-endian/);
  await refused(Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c), /not a zip; save files from before PyTorch 1\.6/);
});

test("entries that share bytes are refused", async () => {
  let first = 0;
  const file = checkpoint(undefined, {
    spoil(name, view) {
      if (name === ENTRY) first = view.getUint32(42, true);
      if (name === `jepa/data/${state.size + 6}`) view.setUint32(42, first, true);
    },
  });
  await refused(file, /overlap/);
});

test("converting writes a configuration", () =>
  inFolder({ [FILE]: checkpoint() }, async (folder) => {
    const target = `${folder}/packed`;
    await convertModel(`${folder}/${FILE}`, target, { dtype: "bf16", ...HEADS });
    assert.deepEqual(await loadParts(target), await loadParts(`${MODELS}/tiny`, { dtype: "bf16" }));
  }));
