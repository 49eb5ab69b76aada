/** `ijepa embed --out`: the files of each format, and what is left after a failure. */
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../../ts-api/src/cli/run.js";
import { pipeline } from "../../ts-api/src/index.js";
import { openSafetensors } from "../../ts-api/src/weights/safetensors/reader.js";
import { bytesSource } from "../../ts-api/src/weights/sources/bytes.js";
import { sha256 } from "../support/sha256.js";
import { CHELSEA, ROCKET, TINY, cells, ijepa, photo, recordingHost, succeed, temporaryFolder } from "./helpers.js";

interface Read {
  dims: number[];
  data: Float32Array;
}

type Embedded = { file: string; dims: number[]; embedding: unknown[]; numerics: { digest: string } };

function fromJson({ dims, embedding }: Embedded): Read {
  return { dims, data: Float32Array.from(embedding.flat(Infinity) as number[]) };
}

/** Reads each format by its specification: the images of a file, in order. */
const READERS: Record<string, (bytes: Buffer) => Promise<Read[]>> = {
  async npy(bytes) {
    assert.equal(bytes.toString("latin1", 0, 8), "\x93NUMPY\x01\x00");
    const header = bytes.toString("latin1", 10, 10 + bytes.readUInt16LE(8));
    const shape = /'descr': '<f4', 'fortran_order': False, 'shape': \((.*?),?\)/.exec(header)![1].split(", ").map(Number);
    const data = new Float32Array(new Uint8Array(bytes.subarray(10 + header.length)).buffer);
    const [images, ...dims] = shape;
    const size = data.length / images;
    return Array.from({ length: images }, (_, i) => ({ dims, data: data.subarray(i * size, (i + 1) * size) }));
  },
  json: async (bytes) => (JSON.parse(bytes.toString()) as Embedded[]).map(fromJson),
  jsonl: async (bytes) => bytes.toString().trimEnd().split("\n").map((line) => fromJson(JSON.parse(line) as Embedded)),
  async safetensors(bytes) {
    const file = await openSafetensors(bytesSource("out", bytes));
    const read = ["chelsea.png", "rocket.jpg"].map(async (name) => {
      const info = file.tensors.get(name)!;
      return { dims: [...info.shape], data: new Float32Array((await file.readTensor(info)).slice().buffer) };
    });
    return Promise.all(read);
  },
};

test("every format holds the library's numbers, and the printed digest is of what is written", async (t) => {
  const folder = await temporaryFolder(t);
  const extract = await pipeline("image-feature-extraction", TINY, { dtype: "int4" });
  const tokens = await extract([CHELSEA, ROCKET]);
  const means = await extract([CHELSEA, ROCKET], { pool: "mean" });
  const all = Object.keys(READERS);
  for (const [pool, dims, expected, formats] of [["none", [16, 64], tokens, all], ["mean", [64], means, ["npy", "json"]]] as const) {
    for (const format of formats) {
      const out = join(folder, `${pool}.${format}`);
      const lines = (await succeed(["embed", CHELSEA, ROCKET, "--model", TINY, "--dtype", "int4", "--pool", pool, "--out", out])).split("\n");
      const images = await READERS[format](await readFile(out));
      assert.deepEqual(images.map((image) => image.dims), [dims, dims]);
      for (const [i, { data }] of images.entries()) {
        assert.deepEqual(data, expected[i].data);
        assert.equal(cells(lines[i + 1])[7], sha256(data));
      }
    }
  }
  await extract.dispose();
  assert.equal((await readdir(folder)).length, all.length + 2, "nothing else is left");
});

test("one image is written with its own shape", async (t) => {
  const out = join(await temporaryFolder(t), "one.npy");
  const document = JSON.parse(await succeed(["embed", ROCKET, "--model", TINY, "--out", out, "--json"])) as { images: Read[] };
  const bytes = await readFile(out);
  assert.match(bytes.toString("latin1", 0, 128), /'shape': \(16, 64\)/);
  assert.equal(bytes.length, 128 + 4 * 16 * 64);
  assert.deepEqual([document.images[0].dims, "embedding" in document.images[0]], [[16, 64], false]);
});

test("an existing file is replaced when all succeeded, and only then", async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, "features.json");
  await writeFile(out, "old");
  const failed = await ijepa(["embed", ROCKET, photo("gif.gif"), "--model", TINY, "--out", out]);
  assert.equal(failed.code, 3);
  assert.equal(await readFile(out, "utf8"), "old");
  await succeed(["embed", ROCKET, "--model", TINY, "--out", out]);
  const [embedded] = JSON.parse(await readFile(out, "utf8")) as Embedded[];
  assert.deepEqual([embedded.file, embedded.dims], [ROCKET, [16, 64]]);
  assert.equal(embedded.numerics.digest, sha256(fromJson(embedded).data));
  assert.deepEqual(await readdir(folder), ["features.json"]);
});

test("a place that cannot be written is refused before the work, with exit code 6", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "folder.npy"));
  await writeFile(join(folder, "file"), "");
  for (const out of ["absent/x.npy", "folder.npy", "file/x.npy"]) {
    // The image is bad too; its exit code would be 3.
    const { code, stdout, stderr } = await ijepa(["embed", photo("gif.gif"), "--out", join(folder, out)]);
    assert.deepEqual([code, stdout], [6, ""]);
    assert.match(stderr, /^ijepa: Cannot write .*Check that the folder exists and may be written\. \[io\/write\]\n$/);
  }
  assert.deepEqual((await readdir(folder)).sort(), ["file", "folder.npy"]);
});

test("a failure of the writing itself leaves nothing, and prints no table", async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, "folder.npy");
  await mkdir(out);
  const host = recordingHost(["embed", ROCKET, "--model", TINY, "--out", out], undefined);
  assert.equal(await run(host), 6);
  assert.equal(host.printed.stdout, "");
  assert.match(host.printed.stderr, /^ijepa: Cannot write .* \[io\/write\]\n$/);
  assert.deepEqual(await readdir(folder), ["folder.npy"]);
  assert.deepEqual(await readdir(out), []);
});
