/** index, search, duplicates, fit, classify and collection, as users run them. */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { ijepa, photo, succeed } from "./helpers.js";
import { temporaryFolder } from "../unit/collections/helpers.js";

const FOLDERS = { cat: ["jpeg-420.jpg", "jpeg-422.jpg", "jpeg-444.jpg", "webp-lossy.webp"], other: ["rocket.jpg", "coffee.png", "png-gray.png", "astronaut.png"] };
const root = temporaryFolder(), photos = join(root, "photos"), folder = join(root, "my.collection");
const json = async <T>(args: readonly string[]) => JSON.parse(await succeed([...args, "--json"])) as T;

before(async () => {
  for (const [label, names] of Object.entries(FOLDERS)) {
    mkdirSync(join(photos, label), { recursive: true });
    for (const name of names) copyFileSync(photo(name), join(photos, label, name));
  }
  copyFileSync(photo("rocket.jpg"), join(photos, "other", "copy.jpg"));
  symlinkSync("..", join(photos, "other", "circle"));
  const { stdout, stderr, code } = await ijepa(["index", photos, "--collection", folder]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /; 8 images at 9 places\nroot digest [0-9a-f]{64}\n$/);
});

test("index again: nothing to do, with other threads too; damaged, absent and unreadable ones are reported", async () => {
  writeFileSync(join(photos, "cut.jpg"), readFileSync(photo("rocket.jpg")).subarray(0, 3000));
  mkdirSync(join(photos, "closed"));
  chmodSync(join(photos, "closed"), 0);
  const { stdout, stderr, code } = await ijepa(["index", photos, join(root, "absent.png"), "--collection", folder, "--threads", "2"]);
  assert.equal(code, 3);
  assert.match(stdout, /0 added, 0 copies, 9 unchanged, 2 failed/);
  assert.match(stderr, /cut\.jpg is a broken JPEG/);
  assert.match(stderr, /absent\.png/);
  rmSync(join(photos, "cut.jpg"));
  chmodSync(join(photos, "closed"), 0o700);
  const { images, places, failures } = await json<{ images: number; places: number; failures: number }>(["collection", folder]);
  assert.deepEqual([images, places, failures], [8, 9, 2]);
});

test("search: by photo, by id, with a page", async () => {
  const page = join(root, "search.html"), query = join(photos, "other", "copy.jpg");
  const { results } = await json<{ results: { id: string; score: number; sources: string[] }[] }>(["search", folder, query, "-k", "3", "--html", page]);
  assert.equal(results.length, 3);
  assert.deepEqual(results[0].sources, [query, join(photos, "other", "rocket.jpg")]);
  assert.equal(Math.round(1e9 * results[0].score) / 1e9, 1);
  assert.match(await succeed(["search", folder, results[0].id, "-k", "1"]), /1\.000000 .*\+1/);
  const html = readFileSync(page, "utf8");
  assert.equal([...html.matchAll(/<img /g)].length, 4);
  assert.doesNotMatch(html, /(src|href)="(?!data:)/);
  assert.equal((await ijepa(["search", folder, query, "--patch", "1,1"])).code, 7);
  assert.equal((await ijepa(["search", folder, "0".repeat(64)])).code, 7);
  assert.equal((await ijepa(["search", folder, query, "-k", "0"])).code, 2);
  assert.equal((await ijepa(["search", join(root, "none"), query])).code, 8);
});

test("duplicates: groups of copies and of what is nearly the same", async () => {
  const page = join(root, "duplicates.html");
  const { groups } = await json<{ groups: { images: { sources: string[] }[] }[] }>(["duplicates", folder, "--threshold", "0.99", "--html", page]);
  const sources = groups.map(({ images }) => images.flatMap((image) => image.sources.map((source) => source.slice(photos.length + 1))).sort());
  assert.ok(sources.some((group) => group.join() === "other/copy.jpg,other/rocket.jpg"));
  assert.ok(sources.some((group) => group.includes("cat/jpeg-420.jpg") && group.includes("cat/jpeg-444.jpg")));
  assert.match(readFileSync(page, "utf8"), /one file at several places/);
  assert.match(await succeed(["duplicates", folder]), /groups?\n$/);
});

test("fit and classify: by folders, by a table, with everything in it", async () => {
  const out = join(root, "classifier"), full = join(root, "full"), page = join(root, "fit.html");
  assert.match(await succeed(["fit", folder, "--labels", "folders", "--out", out, "--html", page]), /2 classes, 8 images/);
  assert.match(readFileSync(page, "utf8"), /calibration error/);
  const cat = join(photos, "cat", "jpeg-420.jpg");
  const { images: [{ labels: [best] }] } = await json<{ images: { labels: { label: string; score: number }[] }[] }>(["classify", cat, "--model", out, "--top-k", "1"]);
  assert.equal(best.label, "cat");
  const table = join(root, "labels.csv"), rows = Object.entries(FOLDERS).flatMap(([label, names]) => names.map((name) => `"${join(photos, label, name)}",${label}`));
  writeFileSync(table, ["source,label", ...rows, "not/there.jpg,cat", ""].join("\r\n"));
  const report = await json<{ labelsWithoutImages: number; unlabelled: number; images: number }>(["fit", folder, "--labels", table, "--out", full, "--full", "--strength", "1", "--views", "flip"]);
  assert.deepEqual([report.labelsWithoutImages, report.unlabelled, report.images], [1, 1, 8]);
  assert.match(await succeed(["classify", cat, "--model", full]), /cat/);
  assert.equal((await ijepa(["classify", cat, "--model", out, "--dtype", "int4"])).code, 8);
  assert.equal((await ijepa(["fit", folder, "--labels", "folders", "--out", out])).code, 6);
  writeFileSync(table, `source,label\n${cat},one\n`);
  const { code, stderr } = await ijepa(["fit", folder, "--labels", table, "--out", join(root, "new")]);
  assert.equal(code, 7);
  assert.match(stderr, /only "one"/);
  for (const text of ["", "a,b\n", `source,label\n${cat}\n`, `source,label\n${cat},a\n${cat},b\n`]) {
    writeFileSync(table, text);
    assert.equal((await ijepa(["fit", folder, "--labels", table, "--out", join(root, "new")])).code, 7, text);
  }
});

test("another encoding is refused by name; places that are gone are forgotten", async () => {
  const { code, stderr } = await ijepa(["index", photos, "--collection", folder, "--dtype", "int4"]);
  assert.equal(code, 8);
  assert.match(stderr, /weight format int4, not bf16/);
  const other = join(root, "pruned");
  await succeed(["index", photos, "--collection", other]);
  rmSync(join(photos, "other", "copy.jpg"));
  assert.match(await succeed(["index", photos, "--collection", other, "--prune"]), /8 unchanged, 0 failed, 1 gone; 8 images at 8 places/);
  copyFileSync(photo("rocket.jpg"), join(photos, "other", "copy.jpg"));
});

test("--prune keeps what is below a folder that cannot be read", async () => {
  const kept = join(root, "kept"), away = join(root, "away");
  await succeed(["index", photos, "--collection", kept]);
  renameSync(photos, away);
  const { stdout, code } = await ijepa(["index", `${photos}/`, "--collection", kept, "--prune"]);
  renameSync(away, photos);
  assert.equal(code, 6);
  assert.match(stdout, /1 failed; 8 images at 9 places/);
});

test("collection: checked, exported, damaged, repaired", async () => {
  const copy = join(root, "copy"), npy = join(root, "x.npy");
  await succeed(["index", photos, "--collection", copy]);
  await succeed(["collection", copy, "--compact"]);
  assert.match(await succeed(["collection", copy, "--verify", "50%", "--export", npy]), /every file is as it was written\n5 encoded again: the same bits\n9 rows exported/);
  assert.equal(readFileSync(npy).length, 128 + 9 * 192 * 4);
  assert.equal((JSON.parse(readFileSync(npy.replace(/npy$/, "names.json"), "utf8")) as string[]).length, 9);
  const lines = (await succeed(["collection", copy, "--export", join(root, "x.jsonl")])) && readFileSync(join(root, "x.jsonl"), "utf8").trim().split("\n");
  const { embedding } = JSON.parse(lines[0]) as { embedding: number[] };
  assert.deepEqual(Float32Array.from(embedding), new Float32Array(new Uint8Array(readFileSync(npy).subarray(128, 128 + 192 * 4)).buffer));
  const before = await json<{ root: string }>(["collection", copy]), [part] = readdirSync(join(copy, "parts"));
  truncateSync(join(copy, "parts", part), 999);
  const refused = await ijepa(["search", copy, join(photos, "cat", "jpeg-420.jpg")]);
  assert.equal(refused.code, 8);
  assert.match(refused.stderr, /which had 9 places, from .*jpeg-420\.jpg.* it has 999 bytes/);
  assert.equal((await ijepa(["collection", copy, "--verify", "0%"])).code, 8);
  assert.match(await succeed(["collection", copy, "--repair"]), /put aside:/);
  await succeed(["index", photos, "--collection", copy]);
  assert.equal((await json<{ root: string }>(["collection", copy])).root, before.root);
});

test("patches of photos", async () => {
  const patches = join(root, "patches"), query = join(photos, "other", "coffee.png");
  await succeed(["index", join(photos, "other"), "--collection", patches, "--tokens", "--layers", "last4"]);
  const { results: [best] } = await json<{ results: { sources: string[]; patch: number[]; score: number }[] }>(["search", patches, query, "--patch", "3,2"]);
  assert.deepEqual([best.sources, best.patch], [[query], [3, 2]]);
  assert.equal((await ijepa(["search", patches, query, "--patch", "99,2"])).code, 2);
});
