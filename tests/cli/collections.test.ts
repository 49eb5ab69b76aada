/** index, search, duplicates, fit, classify and collection, as users run them. */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { before, test } from "node:test";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { sha256 } from "../support/sha256.js";
import { finish, ijepa, photo, start, succeed, TINY } from "./helpers.js";
import { ENCODING, temporaryFolder } from "../unit/collections/helpers.js";

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

test("index takes what embed takes: patterns, lists, names and photos on standard input, images without a name", async () => {
  const other = join(root, "sources"), list = join(root, "list.txt"), rocket = readFileSync(photo("rocket.jpg"));
  const index = async (args: readonly string[], input?: Uint8Array) => {
    const { code, stdout, stderr } = await ijepa(["index", ...args, "--collection", other, "--model", TINY, "--dtype", "fp32", "--json"], input);
    assert.deepEqual([code, stderr], [0, ""]);
    const { added, copies, unchanged, images, places } = JSON.parse(stdout) as Record<string, number>;
    return [added, copies, unchanged, images, places];
  };
  assert.deepEqual(await index([`${photos}/**/*.{jpg,webp}`]), [5, 1, 0, 5, 6]);
  writeFileSync(list, `${photo("coffee.png")}\n\ndata:image/jpeg;base64,${rocket.toString("base64")}\n${readFileSync(photo("png-gray.png")).toString("base64")}\n`);
  assert.deepEqual(await index(["--from-file", list]), [2, 1, 0, 7, 9]);
  assert.deepEqual(await index(["--from-file", "-"], Buffer.from(`${photo("coffee.png")}\n${photo("astronaut.png")}`)), [1, 0, 1, 8, 10]);
  assert.deepEqual(await index(["-"], readFileSync(photo("chelsea.png"))), [1, 0, 0, 9, 11]);
  assert.deepEqual(await index(["-"], readFileSync(photo("jpeg-q10.jpg"))), [1, 0, 0, 10, 12], "another photo on standard input is another place");
  assert.deepEqual(await index([photos, "--recursive"]), [0, 0, 6, 10, 12].map((n, i) => n + [0, 3, 0, 0, 3][i]));
  const collection = await Collection.open(other), places = [...collection.live.rows()].map(({ part, row }) => collection.live.parts[part].source(row));
  assert.ok(places.includes(`sha256:${sha256(rocket)}`));
  for (const args of [["-", "--from-file", "-"], []]) assert.equal((await ijepa(["index", ...args, "--collection", other])).code, 2);
  assert.equal((await ijepa(["index", "--from-file", "absent.txt", "--collection", other])).code, 6);
});

test("the working folder: names as they are written there, and --prune", async () => {
  const other = join(root, "here"), index = () => finish(start(["index", ".", "--collection", other, "--model", resolve(TINY), "--prune", "--json"], { cwd: photos }));
  const counts = ({ stdout }: { stdout: string }) => (({ added, removed, places }) => [added, removed, places])(JSON.parse(stdout) as Record<string, number>);
  assert.deepEqual(counts(await index()), [8, 0, 9]);
  renameSync(join(photos, "other", "copy.jpg"), join(root, "moved.jpg"));
  assert.deepEqual(counts(await index()), [0, 1, 8]);
  renameSync(join(root, "moved.jpg"), join(photos, "other", "copy.jpg"));
  const collection = await Collection.open(other);
  assert.notEqual(collection.live.find("cat/jpeg-420.jpg"), undefined);
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
  for (const id of [results[0].id.toUpperCase(), `sha256:${results[0].id}`, results[0].id.slice(0, 16)]) assert.match(await succeed(["search", folder, id, "-k", "1"]), /1\.000000 .*\+1/);
  await Collection.openOrCreate(join(root, "moved"), { ...ENCODING, model: "was here" });
  const moved = await ijepa(["search", join(root, "moved"), query]);
  assert.equal(moved.code, 4);
  assert.match(moved.stderr, /names this encoder; if it is elsewhere, use --encoder/);
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

  const many = async (args: readonly string[], code = 0, input?: Uint8Array) => {
    const result = await ijepa(["classify", ...args, "--model", out, "--top-k", "1", "--json"], input);
    assert.equal(result.code, code, result.stderr);
    return { ...result, images: (JSON.parse(result.stdout) as { images: { file: string; labels: { label: string; score: number }[]; digest: string }[] }).images };
  };
  const all = await many([photos, "--recursive"]);
  assert.equal(all.images.length, 9, "every place once, although a link goes in a circle");
  const patterns = await many([`${photos}/*/*`, "--threads", "1", "--decode-threads", "0"]);
  assert.deepEqual(patterns.images, all.images, "the same bits and order");
  const names = [...all.images.map(({ file }) => file), join(photos, "absent.jpg"), cat];
  const listed = await many(["--from-file", "-"], 6, Buffer.from(names.join("\n")));
  assert.deepEqual(listed.images.map(({ file }) => file), names.filter((name) => !name.includes("absent")));
  assert.match(listed.stderr, /^\{"error":\{"code":"io\/read".*absent\.jpg"\}\}\n$/);
  assert.deepEqual((await many(["-"], 0, readFileSync(cat))).images.map(({ file, labels }) => [file, labels]), [["-", all.images.find(({ file }) => file === cat)!.labels]]);
  const { stdout, code: none } = await ijepa(["classify", join(photos, "absent.jpg"), "--model", out]);
  assert.deepEqual([stdout, none], ["", 6]);
  assert.match(await succeed(["classify", cat, photo("rocket.jpg"), "--model", out]), /^ score {2}label {2}file\n0\.\d{4} {2}\S+ +\S+jpeg-420\.jpg\n0\.\d{4} {2}\S+\n0\.\d{4} {2}\S+ +\S+rocket\.jpg\n0/);
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
  copyFileSync(photo("chelsea.png"), join(photos, "other", "coffee.png"));
  assert.match(await succeed(["collection", copy, "--verify", "100%"]), /8 encoded again: the same bits\n1 file changed since it was indexed/);
  copyFileSync(photo("coffee.png"), join(photos, "other", "coffee.png"));
  const before = await json<{ root: string }>(["collection", copy]), [part] = readdirSync(join(copy, "parts"));
  truncateSync(join(copy, "parts", part), 999);
  const refused = await ijepa(["search", copy, join(photos, "cat", "jpeg-420.jpg")]);
  assert.equal(refused.code, 8);
  assert.match(refused.stderr, /which had 9 places, from .*jpeg-420\.jpg.* it has 999 bytes/);
  assert.equal((await ijepa(["collection", copy, "--verify", "0%"])).code, 8);
  assert.match(await succeed(["collection", copy, "--repair"]), /moved aside:/);
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
