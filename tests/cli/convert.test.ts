/** `ijepa convert`: the files that it writes, its options and its failures. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { CHELSEA, finish, ijepa, start, succeed, temporaryFolder, TINY } from "./helpers.js";

const DEMO = "models/demo";

test("convert, then embed: the digest of the original in that dtype", async (t) => {
  const target = join(await temporaryFolder(t), "packed");
  assert.match(await succeed(["convert", TINY, target, "--dtype", "bf16"]), /packed: bf16, 1 file, \d+ kB from \d+ kB\n$/);
  const digestOf = async (...args: string[]) => {
    const { images } = JSON.parse(await succeed(["embed", CHELSEA, "--json", ...args])) as { images: { numerics: { digest: string; dtype: string } }[] };
    return images[0].numerics;
  };
  assert.deepEqual(await digestOf("--model", target), await digestOf("--model", TINY, "--dtype", "bf16"));
  const { code, stderr } = await ijepa(["embed", CHELSEA, "--model", target, "--dtype", "int4"]);
  assert.deepEqual([code, stderr.split("\n").length], [4, 2]);
  assert.match(stderr, /packed as bf16 .*\[weights\/dtype\]/);
});

test("--shard-size takes units; --json lists the files", async (t) => {
  const target = join(await temporaryFolder(t), "packed");
  const { dtype, files } = JSON.parse(await succeed(["convert", DEMO, target, "--shard-size", "1MiB", "--json"])) as { dtype: string; files: { name: string; bytes: number }[] };
  assert.equal(dtype, "int4");
  assert.ok(files.length > 2 && files.every(({ bytes }) => bytes <= 2 ** 20));
  assert.deepEqual((await readdir(target)).filter((name) => /^model.*safetensors$/.test(name)), files.map(({ name }) => name));
  for (const size of ["0", "1XB", "MiB", "-4", "1e3"]) {
    const { code, stderr } = await ijepa(["convert", DEMO, target, `--shard-size=${size}`]);
    assert.equal(code, 2);
    assert.match(stderr, /--shard-size must be a size from 1/);
  }
});

test("--calibrate: images of a folder, what is left out on stderr; wrong uses are those of the command line", async (t) => {
  const folder = await temporaryFolder(t), target = join(folder, "packed");
  const { code, stdout, stderr } = await ijepa(["convert", DEMO, target, "--calibrate", "examples/photos"]);
  assert.deepEqual([code, stderr], [0, "ijepa: left out: examples/photos/README.md is not a PNG, JPEG or WebP image.\n"]);
  assert.match(stdout, /packed: int4, calibrated with 2 images, 1 file, /);
  assert.match(await succeed(["inspect", target]), /^files +packed as int4, groups of 32, calibrated with 2 images$/m);
  for (const [options, message] of [
    [["--calibrate", "docs"], /There is no image in docs/],
    [["--calibrate", "examples/photos", "--dtype", "bf16"], /is for int8 and int4, not for bf16/],
    [["--calibrate", "none"], /There is no folder none/],
  ] as const) {
    const refused = await ijepa(["convert", DEMO, join(folder, "other"), ...options]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, message);
  }
  assert.deepEqual(await readdir(folder), ["packed"]);
});

test("models are counted; a target that is the source is refused", async (t) => {
  const folder = await temporaryFolder(t);
  const { code, stderr } = await ijepa(["convert", TINY]);
  assert.equal(code, 2);
  assert.match(stderr, /"ijepa convert" takes 2 models, not 1\./);
  await writeFile(join(folder, "mine"), "");
  for (const [source, target] of [[TINY, TINY], [TINY, folder]]) {
    const refused = await ijepa(["convert", source, target]);
    assert.equal(refused.code, 6);
    assert.match(refused.stderr, /not empty.*\[io\/write\]/);
  }
  assert.deepEqual(await readdir(folder), ["mine"]);
});

test("a full disk: exit code 6, and nothing is left", { skip: process.platform === "win32" ? "not run: no ulimit" : false }, async (t) => {
  const folder = await temporaryFolder(t);
  // Files may not grow beyond 200 blocks of 512 or 1024 bytes.
  const child = spawn("sh", ["-c", `ulimit -f 200; exec "$0" dist/cli.js convert "$1" "$2"`, process.execPath, DEMO, join(folder, "packed")]);
  const { code, stderr } = await finish(child);
  assert.equal(code, 6, stderr);
  assert.match(stderr, /Cannot write .*packed: .*(EFBIG|ENOSPC).*\[io\/write\]/);
  assert.deepEqual(await readdir(folder), []);
});

test("SIGINT: exit code 130, and nothing is left", async (t) => {
  const folder = await temporaryFolder(t);
  let interrupt = (): void => undefined;
  // The request is never answered.
  const server = createServer(() => interrupt()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const child = start(["convert", `http://127.0.0.1:${(server.address() as AddressInfo).port}`, join(folder, "packed")]);
  interrupt = () => void child.kill("SIGINT");
  assert.equal((await finish(child)).code, 130);
  assert.deepEqual(await readdir(folder), []);
});
