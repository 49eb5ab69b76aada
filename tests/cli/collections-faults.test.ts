/** What goes wrong with collections on real disks: typed errors or a report, and nothing is lost. About 20 s. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { makePicture } from "../support/pictures.js";
import { temporaryFolder } from "../unit/collections/helpers.js";
import { finish, ijepa, start, succeed, TINY } from "./helpers.js";

/** A user without rights, where the tests run with all of them. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
const COUNT = 24, root = temporaryFolder(), photos = join(root, "photos"), MODEL = ["--model", TINY, "--dtype", "fp32"];
const index = (source: string, folder: string) => ["index", source, "--collection", folder, ...MODEL, "--json"];
const counts = (stdout: string) => (({ added, unchanged, failed, images, root: digest }) => ({ added, unchanged, failed, images, digest }))(JSON.parse(stdout) as Record<string, number | string>);
let digest: number | string;

before(async () => {
  chmodSync(root, 0o755);
  mkdirSync(photos);
  for (let i = 0; i < COUNT; i++) writeFileSync(join(photos, `${i}.png`), await makePicture("png", i, 16));
  ({ digest } = counts(await succeed(index(photos, join(root, "whole")))));
});

/** Copies of the pictures, in a folder of their own. */
function album(name: string): string {
  const folder = join(root, name);
  mkdirSync(folder);
  for (const file of readdirSync(photos)) copyFileSync(join(photos, file), join(folder, file));
  return folder;
}

test("a folder and a file that may not be read", async () => {
  const folder = album("closed"), out = join(root, "open");
  mkdirSync(join(folder, "below"));
  copyFileSync(join(photos, "0.png"), join(folder, "below", "x.png"));
  chmodSync(join(folder, "below"), 0);
  chmodSync(join(folder, "3.png"), 0);
  mkdirSync(out);
  chmodSync(out, 0o777);
  const { code, stdout, stderr } = await finish(start(index(folder, join(out, "c")), NOBODY));
  assert.equal(code, 6, stderr);
  const { added, failed } = counts(stdout), lines = stderr.trim().split("\n").map((line) => (JSON.parse(line) as { error: { code: string; file: string } }).error);
  assert.deepEqual([added, failed], [COUNT - 1, 2]);
  assert.deepEqual(lines.map(({ code, file }) => [code, file]).sort(), [["io/read", join(folder, "3.png")], ["io/read", join(folder, "below")]]);
  chmodSync(join(folder, "below"), 0o755);
  chmodSync(join(folder, "3.png"), 0o644);
  const again = counts((await finish(start(index(folder, join(out, "c")), NOBODY))).stdout);
  assert.deepEqual([again.added, again.unchanged, again.failed, again.digest], [1, COUNT - 1, 0, digest]);
});

test("links in circles, links that lead nowhere, names that are no UTF-8, folders that look like images", async () => {
  const folder = album("odd"), odd = Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xe4, 0xff), Buffer.from(".png")]);
  mkdirSync(join(folder, "a.jpg"));
  symlinkSync("../..", join(folder, "a.jpg", "up"));
  symlinkSync("b", join(folder, "a.jpg", "a"));
  symlinkSync("a", join(folder, "a.jpg", "b"));
  symlinkSync("nowhere.png", join(folder, "dangling.png"));
  symlinkSync("itself.png", join(folder, "itself.png"));
  copyFileSync(join(photos, "0.png"), odd);
  writeFileSync(join(folder, "empty.png"), "");
  const { code, stdout, stderr } = await ijepa(["index", folder, "--collection", join(root, "odd-collection"), ...MODEL, "--json"]);
  assert.ok([3, 6].includes(code!), stderr);
  const files = stderr.trim().split("\n").map((line) => (JSON.parse(line) as { error: { file: string } }).error.file.slice(folder.length + 1));
  assert.deepEqual(files.filter((name) => !name.startsWith("a.jpg/")).sort(), ["dangling.png", "empty.png", "itself.png", "\ufffd\ufffd.png"].sort());
  const { failed, digest: own } = counts(stdout);
  assert.equal(failed, files.length);
  const collection = await Collection.open(join(root, "odd-collection"));
  assert.equal(await collection.rootDigest(), own);
  for (let i = 0; i < COUNT; i++) assert.notEqual(collection.live.find(join(folder, `${i}.png`)), undefined);
});

test("a disk that is full in the middle of a part: what was stored stays, and the next run goes on", async () => {
  const folder = join(root, "full"), list = join(root, "five.txt");
  writeFileSync(list, [0, 1, 2, 3, 4].map((i) => join(photos, `${i}.png`)).join("\n"));
  await succeed(["index", "--from-file", list, "--collection", folder, ...MODEL]);
  const stored = readdirSync(join(folder, "parts")), before = await (await Collection.open(folder)).rootDigest();
  // No file may grow beyond 4 KiB, and the part has 19 features of 256 bytes.
  const limited = spawn("bash", ["-c", 'ulimit -f 4; exec "$@"', "bash", process.execPath, "dist/cli.js", ...index(photos, folder)], { env: { ...process.env, IJEPA_DEBUG: "" } });
  const { code, stderr } = await finish(limited);
  assert.equal(code, 6, stderr);
  assert.match(stderr, /"code":"io\/write"/);
  assert.deepEqual(readdirSync(join(folder, "parts")), stored);
  assert.equal(await (await Collection.open(folder)).rootDigest(), before);
  const { added, unchanged, digest: own } = counts(await succeed(index(photos, folder)));
  assert.deepEqual([added, unchanged, own], [COUNT - 5, 5, digest]);
});

test("a collection on a disk that may not be written: it is searched, and writing says what is wrong", async () => {
  const folder = join(root, "read-only"), query = join(photos, "3.png"), asNobody = (args: readonly string[]) => finish(start(args, NOBODY));
  await succeed(index(photos, folder));
  rmSync(join(folder, "cache"), { recursive: true });
  chmodSync(join(folder, "parts"), 0o555);
  chmodSync(folder, 0o555);
  const { code, stdout, stderr } = await asNobody(["search", folder, query, "-k", "1", "--json"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual((JSON.parse(stdout) as { results: { sources: string[] }[] }).results[0].sources, [query]);
  for (const args of [index(photos, folder), ["collection", folder, "--compact", "--json"], ["collection", folder, "--repair", "--json"]]) {
    const refused = await asNobody(args);
    assert.equal(refused.code, 6, args.join(" "));
    assert.match(refused.stderr, /"code":"io\/write".*read-only/);
  }
  chmodSync(folder, 0o755);
  assert.equal(await (await Collection.open(folder)).rootDigest(), digest);
});

test("two writers: the second is refused, the first goes on", async () => {
  const folder = join(root, "two"), first = start(["index", "--from-file", "-", "--collection", folder, ...MODEL], { stdio: "pipe" }), ended = finish(first);
  first.stdin!.write(`${join(photos, "0.png")}\n`);
  while (!existsSync(join(folder, "lock"))) await sleep(20);
  const { code, stderr } = await ijepa(index(photos, folder));
  assert.equal(code, 8);
  assert.match(stderr, /"code":"collection\/locked"/);
  first.stdin!.end(`${join(photos, "1.png")}\n`);
  assert.match((await ended).stdout, /2 images at 2 places/);
});

test("a newer version, and a collection of another kind", async () => {
  const folder = join(root, "newer"), head = join(folder, "collection.json");
  await succeed(index(photos, folder));
  writeFileSync(head, readFileSync(head, "utf8").replace('"version": 1', '"version": 7'));
  for (const args of [index(photos, folder), ["search", folder, join(photos, "0.png")], ["collection", folder, "--compact"], ["fit", folder, "--labels", "folders", "--out", join(root, "x")]]) {
    const { code, stderr } = await ijepa(args);
    assert.equal(code, 8, args.join(" "));
    assert.match(stderr, /of version 7 of the format; this library reads 1/);
  }
});

test("100,000 names on standard input", async () => {
  const names = Array.from({ length: 100_000 }, (_, i) => join(photos, `${i % COUNT}.png`)).join("\n");
  const { added, copies, unchanged, failed, places } = JSON.parse(await succeed(["index", "--from-file", "-", "--collection", join(root, "names"), ...MODEL, "--json"], Buffer.from(names))) as Record<string, number>;
  assert.deepEqual([added, copies + unchanged, failed, places], [COUNT, 100_000 - COUNT, 0, COUNT]);
});

test("labels from a table: other spellings of a path, a table of other photos, one that is no text", async () => {
  const table = join(root, "labels.csv"), fit = ["fit", join(root, "whole"), "--labels", table, "--json", "--out"];
  writeFileSync(table, `\uFEFFsource,label\r\n${Array.from({ length: COUNT - 1 }, (_, i) => `"${root}/./photos//${i}.png",${i % 2 === 0 ? "even" : "odd"}\r\n`).join("")}absent.png,odd\r\n`);
  const { images, unlabelled, labelsWithoutImages } = JSON.parse(await succeed([...fit, join(root, "spelled")])) as Record<string, number>;
  assert.deepEqual([images, unlabelled, labelsWithoutImages], [COUNT - 1, 1, 1]);
  for (const [content, says] of [["source,label\n1.png,a\n2.png,b\n", /labels no image of .*whole, whose images are named as in .*photos\/\d+\.png.*; the file names .*1\.png/], [Buffer.from("source,label\n\xe4.png,a\n", "latin1"), /is not text in UTF-8/]] as const) {
    writeFileSync(table, content);
    const { code, stderr } = await ijepa([...fit, join(root, "refused")]);
    assert.equal(code, 7);
    assert.match(stderr, says);
  }
  assert.ok(!existsSync(join(root, "refused")));
});

test("a class with one photo, and labels for folders of folders", async () => {
  const folder = join(root, "classes"), pictures = join(root, "labelled");
  for (const [label, names] of Object.entries({ many: [0, 1, 2, 3, 4, 5], one: [6], few: [7, 8] })) {
    mkdirSync(join(pictures, label), { recursive: true });
    for (const name of names) copyFileSync(join(photos, `${name}.png`), join(pictures, label, `${name}.png`));
  }
  await succeed(index(pictures, folder));
  const { labels } = JSON.parse(await succeed(["fit", folder, "--labels", "folders", "--out", join(root, "head"), "--json"])) as { labels: { label: string; training: number; heldOut: number }[] };
  assert.deepEqual(labels.map(({ label, training, heldOut }) => [label, training + heldOut, label === "one" ? heldOut : 0]), [["few", 2, 0], ["many", 6, 0], ["one", 1, 0]]);
});
