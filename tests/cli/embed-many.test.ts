/** `ijepa embed` for many images: folders and lists into files, resumable, and lines that answer lines. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parquetReadObjects } from "hyparquet";
import { pipeline } from "../../ts-api/src/index.js";
import { finish, ijepa, photo, start, succeed, temporaryFolder, TINY } from "./helpers.js";

const NAMES = ["jpeg-420.jpg", "jpeg-exif6.jpg", "png-palette.png", "png-rgba.png", "rocket.jpg", "webp-lossy.webp"];
const MODEL = ["--model", TINY, "--dtype", "int4"];
const MANY = ["--pool", "mean", ...MODEL];
/** By name, what the library gives. */
const features = new Map<string, { digest: string; data: Float32Array }>();

before(async () => {
  const extract = await pipeline("image-feature-extraction", TINY, { dtype: "int4" });
  for (const name of NAMES) {
    const { numerics, data } = await extract(photo(name), { pool: "mean" });
    features.set(name, { digest: numerics.digest, data });
  }
  await extract.dispose();
});

/** Photos in a folder and one below it. */
function album(folder: string, copies = 1): string {
  mkdirSync(join(folder, "album/below"), { recursive: true });
  for (let copy = 0; copy < copies; copy++) {
    for (const [i, name] of NAMES.entries()) {
      // Bytes after the end make another file of the same image.
      const path = join(folder, "album", i < 4 ? "" : "below", copies === 1 ? name : `${String(copy).padStart(3, "0")}-${name}`);
      writeFileSync(path, Buffer.concat([readFileSync(photo(name)), Buffer.alloc(copy)]));
    }
  }
  return join(folder, "album");
}

async function rowsOf(path: string): Promise<Record<string, unknown>[]> {
  const bytes = readFileSync(path);
  return parquetReadObjects({ file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) });
}

test("a folder into Parquet: every image with its facts and its bits, bad ones in the report", async (t) => {
  const folder = await temporaryFolder(t), photos = album(folder), out = join(folder, "f.parquet");
  for (const name of ["x.gif", "y.gif"]) copyFileSync(photo("gif.gif"), join(photos, name));
  const { code, stdout, stderr } = await ijepa(["embed", photos, "--recursive", "--out", out, ...MANY]);
  assert.equal(code, 3);
  assert.match(stderr, /^ijepa: .*x\.gif.* \[image\/unsupported\]\nijepa: .*y\.gif.* \[image\/unsupported\]\n$/);
  assert.match(stdout, /f\.parquet: 6 images, 2 failures, /);
  const rows = await rowsOf(out);
  assert.deepEqual(rows.map(({ source, digest }) => [source, digest]), NAMES.map((name, i) => [join(photos, i < 4 ? "" : "below", name), features.get(name)!.digest]));
  for (const [i, { feature, bytes }] of rows.entries()) {
    assert.deepEqual(Float32Array.from(feature as number[]), features.get(NAMES[i])!.data);
    assert.equal(Number(bytes), readFileSync(photo(NAMES[i])).length);
  }
  assert.equal(existsSync(`${out}.partial`), false);

  const again = await ijepa(["embed", photos, "--recursive", "--out", out, ...MANY]);
  assert.equal(again.code, 6);
  assert.match(again.stderr, /already exists and will not be replaced.*\[io\/write\]/);
});

test("the other formats, patterns, and a list of names", async (t) => {
  const folder = await temporaryFolder(t), photos = album(folder), all = NAMES.map((name) => features.get(name)!);
  await succeed(["embed", `${photos}/**/*.{jpg,png,webp}`, "--out", join(folder, "f.npy"), ...MANY]);
  const npy = readFileSync(join(folder, "f.npy")), names = JSON.parse(readFileSync(join(folder, "f.names.json"), "utf8")) as string[];
  assert.match(npy.toString("latin1"), /'shape': \(6, 64\)/);
  for (const [i, name] of names.entries()) {
    const { data } = features.get(name.split("/").at(-1)!)!;
    assert.ok(npy.subarray(128 + i * data.byteLength, 128 + (i + 1) * data.byteLength).equals(Buffer.from(data.buffer, data.byteOffset, data.byteLength)), name);
  }

  writeFileSync(join(folder, "list.txt"), NAMES.map(photo).join("\r\n"));
  const summary = JSON.parse(await succeed(["embed", "--from-file", join(folder, "list.txt"), "--out", join(folder, "f.jsonl"), "--json", ...MANY])) as Record<string, unknown>;
  assert.deepEqual([summary["images"], summary["computed"], summary["failed"]], [6, 6, 0]);
  const lines = readFileSync(join(folder, "f.jsonl"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as { file: string; dims: number[]; embedding: number[]; numerics: { digest: string } });
  assert.deepEqual(lines.map(({ file, dims, embedding, numerics }) => [file, dims, Float32Array.from(embedding), numerics.digest]), NAMES.map((name, i) => [photo(name), [64], all[i].data, all[i].digest]));

  await succeed(["embed", ...NAMES.map(photo), "--recursive", "--out", join(folder, "f.safetensors"), ...MANY]);
  const file = readFileSync(join(folder, "f.safetensors")), header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE())).toString()) as Record<string, Record<string, unknown>>;
  assert.deepEqual(header["features"]["shape"], [6, 64]);
  assert.deepEqual(JSON.parse(header["__metadata__"]["sources"] as string), NAMES.map(photo));
  assert.ok(file.subarray(-256).equals(Buffer.from(all[5].data.buffer, all[5].data.byteOffset, 256)));
});

test("ended at any moment and started again, the file is that of an undisturbed run, byte by byte; another model does not go on", async (t) => {
  const folder = await temporaryFolder(t), photos = album(folder, 300), command = (out: string) => ["embed", photos, "-r", "--out", join(folder, out), ...MANY];
  await succeed(command("whole.parquet"));
  const out = join(folder, "cut.parquet"), parts = `${out}.partial/parts`;
  const cut = async (signal: NodeJS.Signals, milliseconds: number) => {
    const child = start(command("cut.parquet"), { stdio: "ignore" }), ended = finish(child);
    while (!existsSync(`${out}.partial/collection.json`)) await sleep(20);
    await sleep(milliseconds);
    child.kill(signal);
    const { code, signal: by } = await ended;
    assert.equal(existsSync(out), false);
    return by ?? code;
  };
  // Until it comes so far that it has something to keep.
  for (let milliseconds = 300; !existsSync(parts); milliseconds *= 2) assert.ok([130, "SIGINT"].includes((await cut("SIGINT", milliseconds))!));
  assert.equal(await cut("SIGKILL", 1000), "SIGKILL");
  const other = await ijepa([...command("cut.parquet").slice(0, -2), "--dtype", "bf16"]);
  assert.match(other.stderr, /\[collection\/encoding\]/);
  const { images, computed } = JSON.parse(await succeed([...command("cut.parquet"), "--json"])) as Record<string, number>;
  t.diagnostic(`${images - computed} of ${images} were done before`);
  assert.ok(images === 1800 && computed < images);
  assert.ok(readFileSync(out).equals(readFileSync(join(folder, "whole.parquet"))));
  assert.equal(existsSync(`${out}.partial`), false);
});

test("--from-file - --out -: every line is answered before the next one is there", async () => {
  const child = start(["embed", "--from-file", "-", "--out", "-", "--pool", "mean", ...MODEL], { stdio: "pipe" });
  let stderr = "";
  child.stderr!.on("data", (text) => (stderr += String(text)));
  const answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const ask = async (line: string) => {
    child.stdin!.write(`${line}\n`);
    return JSON.parse((await answers.next()).value as string) as { file: string; embedding?: number[]; numerics?: { digest: string }; error?: { code: string } };
  };
  const ended = new Promise((resolve) => child.on("close", resolve));
  for (const name of NAMES.slice(0, 3)) {
    const { file, embedding, numerics } = await ask(photo(name));
    assert.deepEqual([file, numerics!.digest, Float32Array.from(embedding!)], [photo(name), features.get(name)!.digest, features.get(name)!.data]);
  }
  assert.equal((await ask("absent.jpg")).error!.code, "io/read");
  const base64 = await ask(readFileSync(photo("rocket.jpg")).toString("base64"));
  assert.deepEqual([base64.file, base64.numerics!.digest], ["line 5", features.get("rocket.jpg")!.digest]);
  child.stdin!.end();
  assert.equal(await ended, 6);
  assert.equal(stderr, "");
});

test("--from-file takes a pipe, as a shell's <(find ...) is", { skip: process.platform === "win32" ? "not run: no named pipes" : false }, async (t) => {
  const folder = await temporaryFolder(t), pipe = join(folder, "list"), out = join(folder, "features.jsonl");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  const writer = spawn("sh", ["-c", `printf '%s\\0' "$@" > "$0"`, pipe, ...NAMES.map(photo)]);
  t.after(() => writer.kill());
  const summary = JSON.parse(await succeed(["embed", "--from-file", pipe, "--out", out, "--json", ...MANY])) as Record<string, unknown>;
  assert.deepEqual([summary["images"], summary["failed"]], [6, 0]);
  const files = readFileSync(out, "utf8").trimEnd().split("\n").map((line) => (JSON.parse(line) as { file: string }).file);
  assert.deepEqual(files, NAMES.map(photo));

  // Nobody writes: the command can be interrupted all the same.
  const other = join(folder, "other.jsonl"), waiting = start(["embed", "--from-file", pipe, "--out", other, ...MANY], { stdio: "pipe" });
  while (!existsSync(`${other}.partial`)) await sleep(50);
  waiting.kill("SIGINT");
  assert.equal((await finish(waiting)).code, 130);
});

test("--out - ends when nobody reads it any more", async () => {
  const child = start(["embed", "--from-file", "-", "--out", "-", "--pool", "mean", ...MODEL], { stdio: "pipe" });
  const ended = new Promise((resolve) => child.on("close", resolve));
  child.stdin!.on("error", () => undefined);
  child.stdin!.write(`${photo("rocket.jpg")}\n`);
  await new Promise((resolve) => child.stdout!.once("data", resolve));
  child.stdout!.destroy();
  const asking = setInterval(() => child.stdin!.write(`${photo("jpeg-420.jpg")}\n`), 20);
  await ended;
  clearInterval(asking);
});

test("--strict refuses a damaged image among many, which is read without it", async (t) => {
  const folder = await temporaryFolder(t), args = ["embed", folder, "--model", TINY, "--pool", "mean", "--out", "-"];
  copyFileSync("tests/goldens/field/p-no-iend.png", join(folder, "cut.png"));
  copyFileSync(photo("jpeg-420.jpg"), join(folder, "whole.jpg"));
  const codes = (text: string) => text.trim().split("\n").map((line) => (JSON.parse(line) as { error?: { code: string } }).error?.code);
  assert.deepEqual(codes((await ijepa(args)).stdout), [undefined, undefined]);
  const { code, stdout } = await ijepa([...args, "--strict"]);
  assert.equal(code, 3);
  assert.deepEqual(codes(stdout), ["image/corrupt", undefined]);
});

test("what does not go together is a usage error, before the model is loaded", async () => {
  for (const args of [
    ["embed", "tests/goldens/images/files"],
    ["embed", "tests/goldens/images/files", "--out", "x.npy"],
    ["embed", "tests/goldens/images/files", "--out", "x.txt", "--pool", "mean"],
    ["embed", "-", "--from-file", "-", "--out", "-"],
  ]) {
    const { code, stderr } = await ijepa([...args, ...MODEL]);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
  }
  assert.equal((await ijepa(["embed", "--from-file", "absent.txt", "--out", "-", ...MODEL])).code, 6);
});
