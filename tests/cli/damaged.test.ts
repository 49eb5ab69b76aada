/** What the command says of images that are damaged and read nevertheless. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pipeline } from "../../ts-api/src/index.js";
import { readBytes } from "../unit/image/helpers.js";
import { ijepa, TINY } from "./helpers.js";

const folder = mkdtempSync(join(tmpdir(), "ijepa-damaged-"));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, "cut.png"), bytes = readBytes("files/png-palette.png").subarray(0, -12);
writeFileSync(file, bytes);

test("embed warns on stderr and in its JSON", async () => {
  const { code, stdout, stderr } = await ijepa(["embed", file, "--model", TINY, "--json"]);
  assert.equal(code, 0);
  assert.match(stderr, /^ijepa: warning: .*cut\.png is damaged: it has no end marker\n$/);
  const [image] = (JSON.parse(stdout) as { images: { warnings?: string[] }[] }).images;
  assert.deepEqual(image.warnings, ["it has no end marker"]);
});

test("so do classify, search, index and embed for many images", async () => {
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await ijepa(args);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^ijepa: warning: .*cut\.png is damaged: it has no end marker$/m, args[0]);
    return stdout;
  };
  const labels = await run("classify", file, "--model", "tests/goldens/classifiers/classify-single", "--json");
  assert.deepEqual((JSON.parse(labels) as { images: { warnings: string[] }[] }).images[0].warnings, ["it has no end marker"]);
  const collection = join(folder, "collection");
  await run("index", file, "--collection", collection, "--model", TINY);
  await run("search", collection, file);
  await run("embed", folder, "--pool", "mean", "--model", TINY, "--out", join(folder, "features.parquet"));
  const { code, stdout } = await ijepa(["embed", file, "--model", TINY, "--pool", "mean", "--out", "-"]);
  assert.deepEqual([code, (JSON.parse(stdout) as { warnings: string[] }).warnings], [0, ["it has no end marker"]]);
  for (const command of ["classify", "similarity", "embed"]) assert.equal((await ijepa([command, file, ...(command === "similarity" ? [file] : []), "--strict", ...(command === "classify" ? ["--model", "tests/goldens/classifiers/classify-single"] : [])])).code, 3);
});

test("--timeout ends the download of an image that stalls", async () => {
  const stalling = createServer(() => undefined).listen(0, "127.0.0.1");
  await new Promise((resolve) => stalling.once("listening", resolve));
  const url = `http://127.0.0.1:${(stalling.address() as AddressInfo).port}/photo.png`, model = ["--model", TINY], head = ["--model", "tests/goldens/classifiers/classify-single"];
  const commands = [["embed", url, ...model], ["similarity", url, file, ...model], ["visualize", url, "--out", join(folder, "x.png"), ...model], ["classify", url, ...head], ["embed", url, ...model, "--out", "-"]];
  const ends = await Promise.all(commands.map((args) => ijepa([...args, "--timeout", "1"])));
  for (const [i, { code, stdout, stderr }] of ends.entries()) {
    assert.equal(code, 6, commands[i][0]);
    assert.match(stdout + stderr, /did not arrive within 1 s/, commands[i][0]);
  }
  stalling.closeAllConnections();
  stalling.close();
});

test("embed --strict refuses, with the exit code of images", async () => {
  const { code, stderr } = await ijepa(["embed", file, "--model", TINY, "--strict"]);
  assert.equal(code, 3);
  assert.match(stderr, /cut\.png is a broken PNG image: it has no end marker/);
});

test("features carry the warnings of their image", async () => {
  const extract = await pipeline("image-feature-extraction", TINY);
  try {
    assert.deepEqual((await extract(bytes)).warnings, ["it has no end marker"]);
    assert.deepEqual((await extract(readBytes("files/png-palette.png"))).warnings, []);
    await assert.rejects(() => extract(bytes, { strict: true }), { code: "image/corrupt" });
  } finally {
    await extract.dispose();
  }
});
