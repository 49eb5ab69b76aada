/** What goes wrong with packed files: typed errors, nothing lost, nothing left. */
import assert from "node:assert/strict";
import { readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { IJepaModel, isIJepaError, type ErrorCode } from "../../../ts-api/src/index.js";
import { convertModel, type ConvertOptions, type FolderWriter } from "../../../weights-tools/index.js";
import { DEMO_MODEL, MODELS } from "../../support/models.js";
import { inFolder } from "../weights/helpers.js";
import { inNewFolder, loadParts, readHeader, type Header } from "./helpers.js";

const TINY = `${MODELS}/tiny`;
const FILE = "model.safetensors";

function refused(work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => isIJepaError(error) && error.code === code && message.test(error.message));
}

/** Writes a file's header anew, without moving its data. */
async function changeHeader(path: string, change: (header: Header) => void): Promise<void> {
  const { header, data } = await readHeader(path);
  change(header);
  const json = Buffer.from(JSON.stringify(header)), length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFile(path, Buffer.concat([length, json, data]));
}

function spoiled(change: (file: string) => Promise<void>, code: ErrorCode, message: RegExp): Promise<void> {
  return inNewFolder(async (folder) => {
    await convertModel(TINY, folder, { dtype: "int4" });
    await loadParts(folder);
    await change(join(folder, FILE));
    await refused(loadParts(folder), code, message);
    await refused(IJepaModel.fromPretrained(folder), code, message);
  });
}

const metadata = (key: string, value: string | undefined) => (file: string) =>
  changeHeader(file, ({ __metadata__ }) => {
    if (value === undefined) delete __metadata__[key];
    else __metadata__[key] = value;
  });

test("a newer format, and another numeric contract", async () => {
  await spoiled(metadata("ijepa.format", "2"), "weights/version", /version "2" of the format; this library knows 1/);
  await spoiled(metadata("ijepa.numerics", "99"), "weights/version", /version "99" of the numeric contract/);
  await spoiled(metadata("ijepa.numerics", undefined), "weights/version", /names no version of the numeric contract/);
});

test("metadata that cannot be", async () => {
  await spoiled(metadata("ijepa.dtype", "int3"), "weights/format", /ijepa.dtype is "int3"/);
  await spoiled(metadata("ijepa.group_size", "16"), "weights/format", /ijepa.group_size is "16"/);
  await spoiled(metadata("ijepa.source_sha256", "abc"), "weights/format", /is not a SHA-256/);
  await spoiled(metadata("ijepa.sha256.encoder.layer.1", undefined), "weights/format", /no digest of encoder.layer.1/);
});

test("a changed byte: the message names the part", async () => {
  for (const tensor of ["encoder.layer.1.output.dense.scales", "embeddings.position_embeddings", "layernorm.bias"]) {
    const flip = async (path: string) => {
      const file = await readFile(path), { header, bytes, data } = await readHeader(path);
      const [begin] = header[tensor].data_offsets as [number, number];
      file[bytes - data.length + begin + 1] ^= 4;
      await writeFile(path, file);
    };
    const part = tensor.replace(/\.(output.*|bias)$/, "");
    await spoiled(flip, "weights/digest", new RegExp(`^${part.replaceAll(".", "\\.")} in .*SHA-256`));
  }
});

test("a truncated file, an absent tensor, another type or shape", async () => {
  const last = async (path: string) => truncate(path, (await readFile(path)).length - 1);
  await spoiled(last, "weights/format", /is the download complete/);
  const name = "encoder.layer.0.attention.qkv.bias";
  const rename = (file: string) => changeHeader(file, (header) => {
    header["encoder.layer.0.attention.qkv.vias"] = header[name];
    delete header[name];
  });
  await spoiled(rename, "weights/digest", /encoder\.layer\.0/);
  const retype = (file: string) => changeHeader(file, (header) => Object.assign(header[name], { dtype: "I32" }));
  await spoiled(retype, "weights/dtype", /qkv\.bias is stored as I32/);
  const reshape = (file: string) => changeHeader(file, (header) => Object.assign(header[name], { shape: [1, ...(header[name].shape as number[])] }));
  await spoiled(reshape, "weights/shape", /qkv\.bias .* shape \[1, /);
  await spoiled(metadata("ijepa.dtype", "bf16"), "weights/dtype", /is stored as U8/);
});

test("another dtype than the file's", () =>
  inNewFolder(async (folder) => {
    await convertModel(TINY, folder, { dtype: "int4" });
    await refused(IJepaModel.fromPretrained(folder, { dtype: "bf16" }), "weights/dtype", /is packed as int4 in groups of 32 and cannot be loaded as bf16/);
    await refused(convertModel(folder, `${folder}-bf16`, { dtype: "bf16" }), "weights/dtype", /is packed as int4/);
    assert.deepEqual(await readdir(dirname(folder)), ["packed"]);
  }));

test("shards of two conversions", () =>
  inNewFolder(async (folder) => {
    const { files } = await convertModel(TINY, folder, { dtype: "int4", shardSize: 64_000 });
    assert.ok(files.length > 1);
    await changeHeader(join(folder, files[1].name), ({ __metadata__ }) => (__metadata__["ijepa.source_sha256"] = "0".repeat(64)));
    await refused(loadParts(folder), "weights/format", /model-00002.safetensors .* another conversion than .*model-00001/);
  }));

/** Nothing is left beside or under the target's name. */
async function fails(options: ConvertOptions, code: ErrorCode, message: RegExp): Promise<void> {
  await inNewFolder(async (folder) => {
    await refused(convertModel(TINY, folder, options), code, message);
    assert.deepEqual(await readdir(dirname(folder)), []);
  });
}

test("a shard size that no tensor fits", () => fails({ shardSize: 5000 }, "input/value", /A shard of 5000 bytes cannot hold embeddings/));

test("an aborted conversion leaves nothing", async () => {
  await fails({ signal: AbortSignal.abort() }, "aborted", /Aborted/);
  const during = new AbortController();
  await fails({ signal: during.signal, onProgress: ({ tensors }) => tensors === 20 && during.abort() }, "aborted", /Aborted/);
});

test("a callback that throws leaves nothing", () =>
  inNewFolder(async (folder) => {
    const onProgress = () => {
      throw new Error("enough");
    };
    await assert.rejects(convertModel(TINY, folder, { onProgress }), /enough/);
    assert.deepEqual(await readdir(dirname(folder)), []);
  }));

test("a place that cannot be written", () =>
  inFolder({ file: "" }, async (folder) => {
    for (const target of ["file", "file/below", "absent/below"]) await refused(convertModel(TINY, join(folder, target)), "io/write", /Cannot write .*(file|absent)/);
    assert.deepEqual(await readdir(folder), ["file"]);
  }));

test("a target that fails in the middle is discarded", async () => {
  const calls: string[] = [];
  let room = 50_000;
  const full: FolderWriter = {
    name: "full",
    async createFile(name) {
      calls.push(name);
      const write = async (bytes: Uint8Array) => {
        room -= bytes.length;
        if (room < 0) throw new Error("no space left");
      };
      return { write, close: async () => undefined };
    },
    commit: async () => void calls.push("commit"),
    discard: async () => void calls.push("discard"),
  };
  await assert.rejects(convertModel(TINY, full), /no space left/);
  assert.deepEqual(calls, ["config.json", "preprocessor_config.json", FILE, "discard"]);
});

test("a source that is no model, and options of a wrong type", async () => {
  await inNewFolder(async (folder) => {
    await refused(convertModel("tests", folder), "config/missing", /config.json/);
    await assert.rejects(convertModel(DEMO_MODEL, folder, { dtype: "int3" as "int4" }), TypeError);
    await assert.rejects(convertModel(DEMO_MODEL, folder, { shardSize: 1.5 }), TypeError);
    await assert.rejects(convertModel(DEMO_MODEL, folder, { groupSize: 16 as 32 }), TypeError);
    assert.deepEqual(await readdir(dirname(folder)), []);
  });
});
