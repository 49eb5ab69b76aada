/** What is put into a collection comes back, whatever happens to it in between. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Collection } from "../../../ts-api/src/collections/collection.js";
import { memoryStorage } from "../../../ts-api/src/collections/memory-storage.js";
import type { CollectionRow } from "../../../ts-api/src/collections/row.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { smallPart } from "../../../ts-api/src/collections/writer.js";
import type { FolderStorage } from "../../../ts-api/src/runtime/storage.js";
import { sha256 } from "../../support/sha256.js";
import { diskStorage, ENCODING, row, rows, temporaryFolder } from "./helpers.js";

const all = async (collection: Collection) => {
  const found: CollectionRow[] = [];
  for await (const one of collection.rows()) found.push(one);
  return found.sort((a, b) => (a.source < b.source ? -1 : 1));
};
const partsOf = (path: string) => readdirSync(join(path, "parts")).sort();

for (const [name, storage] of [["disk", () => diskStorage(join(temporaryFolder(), "c"))], ["memory", () => memoryStorage()]] as const) {
  test(`${name}: rows come back with every bit`, async () => {
    const where = storage(), collection = await Collection.openOrCreate(where, ENCODING);
    const given: CollectionRow[] = [...(await rows(2500)), { ...(await row("a b/ü \u{1f600}.png", 7)), modified: null, label: "cat" }];
    given[3].feature[0] = -0;
    given[3].feature[1] = 2 ** -149;
    await collection.add(given);
    const again = await Collection.open(where), back = await all(again);
    assert.deepEqual(again.size, { places: 2501, images: 2500 });
    const expected = given.map((one) => ({ ...one, label: one.label ?? null, tokens: undefined })).sort((a, b) => (a.source < b.source ? -1 : 1));
    assert.deepEqual(back, expected);
    const there = expected.findIndex(({ source }) => source === given[3].source);
    assert.ok(Object.is(back[there].feature[0], -0));
  });
}

test("the root digest does not depend on order, parts, places or repetition", async () => {
  const given = await rows(300), pairs = given.map(({ id, digest }) => `${id}  ${digest}\n`).sort().join("");
  const one = await Collection.inMemory(ENCODING), other = await Collection.inMemory(ENCODING);
  await one.add(given);
  for (let from = 280; from >= 0; from -= 20) await other.add([...given.slice(from, from + 20)].reverse());
  await other.add(given.slice(5, 9));
  await other.add([{ ...given[0], source: "elsewhere.jpg" }]);
  assert.equal(await one.rootDigest(), sha256(pairs));
  assert.equal(await other.rootDigest(), sha256(pairs));
  await other.compact();
  assert.equal(await other.rootDigest(), sha256(pairs));
  assert.deepEqual(other.size, { places: 301, images: 300 });
});

test("the later row of a place counts, also after compaction; a place that is gone is gone", async () => {
  const path = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(path, ENCODING);
  await collection.add(await rows(10));
  await collection.add([await row("photos/3.jpg", 99)]);
  await collection.remove(["photos/4.jpg", "never.jpg"]);
  const check = async () => {
    const again = await Collection.open(path), back = await all(again);
    assert.equal(back.length, 9);
    assert.equal(back.find(({ source }) => source === "photos/3.jpg")?.id, sha256("photo 99"));
    assert.equal(back.some(({ source }) => source === "photos/4.jpg"), false);
    return again.rootDigest();
  };
  const before = await check();
  assert.equal(partsOf(path).length, 3);
  await collection.compact({ below: 5 });
  assert.equal(partsOf(path).length, 2);
  assert.equal(await check(), before);
  await collection.compact();
  assert.equal(partsOf(path).length, 1);
  assert.equal(await check(), before);
});

test("parts that are as full as they can be are never joined, with patches too", () => {
  assert.deepEqual([{ width: 1280, tokens: null }, { width: 1280, tokens: [16, 16] as const }, { width: 5120, tokens: [32, 32] as const }].map(smallPart), [512, 10, 1]);
});

test("failures are kept, once each, until the image is taken in", async () => {
  const path = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(path, ENCODING);
  const failure = { source: "photos/1.jpg", code: "image/corrupt", message: "cut" };
  assert.deepEqual(await collection.add([failure, { ...failure, source: "b" }, failure]), { added: 0, failed: 3 });
  assert.deepEqual((await collection.failures()).map(({ source }) => source), ["b", "photos/1.jpg"]);
  assert.equal(readFileSync(join(path, "failures.jsonl"), "utf8").split("\n").length, 3);
  await collection.add(await rows(2));
  assert.deepEqual((await collection.failures()).map(({ source }) => source), ["b"]);
});

test("nothing is made for an encoding that is none, nor for options that are wrong or aborted", async () => {
  const path = join(temporaryFolder(), "c"), none = [undefined, null, "int4", {}, { ...ENCODING, width: 0 }, Promise.resolve(ENCODING)];
  for (const encoding of none) await assert.rejects(Collection.openOrCreate(path, encoding as never), { name: "TypeError", message: /^The encoding of a collection must be/ });
  await assert.rejects(Collection.inMemory(undefined as never), TypeError);
  await assert.rejects(Collection.openOrCreate(path, ENCODING, { skipDamage: true } as never), (error) => isIJepaError(error, "input/value") && /did you mean "skipDamaged"/.test(error.message));
  await assert.rejects(Collection.openOrCreate(path, ENCODING, { signal: AbortSignal.abort() }), (error) => isIJepaError(error, "aborted"));
  assert.ok(!existsSync(path));
});

test("another encoding is refused by name, also in a part that was put there", async () => {
  const path = join(temporaryFolder(), "c"), other = join(temporaryFolder(), "d");
  const collection = await Collection.openOrCreate(path, ENCODING);
  await collection.add(await rows(3));
  const refused = (changes: object, words: RegExp) => assert.rejects(Collection.openOrCreate(path, { ...ENCODING, ...changes }), (error) => isIJepaError(error, "collection/encoding") && words.test(error.message));
  await refused({ dtype: "int4", encoder: sha256("x") }, /weight format int4, not bf16/);
  await refused({ encoder: sha256("x"), model: "owner/name" }, /encoder owner\/name .*not the package's own/);
  await refused({ layers: "last4", width: 160 }, /layers last4, not last; width 160, not 40/);
  await refused({ imageSize: [448, 448] }, /448 x 448, not 224 x 224/);
  await Collection.openOrCreate(path, { ...ENCODING, model: "another name", revision: "main" });
  const foreign = await Collection.openOrCreate(other, { ...ENCODING, dtype: "int4", encoder: sha256("x") });
  await foreign.add(await rows(1));
  const [part] = partsOf(other);
  copyFileSync(join(other, "parts", part), join(path, "parts", part.replace("000001", "000002")));
  await assert.rejects(Collection.open(path), (error) => isIJepaError(error, "collection/encoding"));
});

test("damaged parts are named, with what is lost, and can be put aside and made anew", async () => {
  const path = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(path, ENCODING);
  const given = await rows(30);
  for (let i = 0; i < 3; i++) await collection.add(given.slice(10 * i, 10 * i + 10));
  const root = await collection.rootDigest(), [first, second, third] = partsOf(path).map((name) => join(path, "parts", name));
  truncateSync(first, 1000);
  rmSync(second);
  const bytes = readFileSync(third);
  bytes[200] ^= 1;
  writeFileSync(third, bytes);
  await assert.rejects(Collection.open(path), (error) => {
    assert.ok(isIJepaError(error, "collection/damaged"));
    assert.match(error.message, /10 places, from "photos\/0.jpg" to "photos\/9.jpg": it has 1000 bytes/);
    assert.match(error.message, /10 places, from "photos\/10.jpg" to "photos\/19.jpg": it is gone/);
    return error.details.files.length === 2;
  });
  const left = await Collection.open(path, { skipDamaged: true });
  const { bad } = await left.verify();
  assert.deepEqual(bad.map(({ rows }) => rows), [10, 10, 10]);
  await assert.rejects(all(left), (error) => isIJepaError(error, "collection/damaged") && error.message.includes(third.slice(-40)));
  assert.equal((await left.repair()).length, 3);
  assert.equal(readdirSync(join(path, "damaged")).length, 2);
  assert.deepEqual((await Collection.open(path)).size, { places: 0, images: 0 });
  await left.add(given);
  assert.equal(await (await Collection.open(path)).rootDigest(), root);
});

test("a collection of a newer version, or a file that is none, is refused", async () => {
  const path = join(temporaryFolder(), "c");
  await assert.rejects(Collection.open(path), (error) => isIJepaError(error, "collection/missing"));
  await Collection.openOrCreate(path, ENCODING);
  const head = join(path, "collection.json"), text = readFileSync(head, "utf8");
  writeFileSync(head, text.replace('"version": 1', '"version": 2'));
  await assert.rejects(Collection.open(path), (error) => isIJepaError(error, "collection/version") && error.details.version === "2");
  for (const bad of ["", "{", "[]", "null", '{"format":"x"}', text.replace('"encoder"', '"enc"')]) {
    writeFileSync(head, bad);
    await assert.rejects(Collection.open(path), (error) => isIJepaError(error, "collection/damaged"), bad);
  }
});

test("a path that is empty, as of a variable that is not set", async () => {
  await assert.rejects(Collection.open(""), (error) => isIJepaError(error, "input/value"));
});

test("one writer at a time; the lock of a process that is gone counts for nothing", async () => {
  const path = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(path, ENCODING), other = await Collection.open(path);
  await collection.write(async (writer) => {
    await writer.put(await row("a.jpg", 1));
    await assert.rejects(other.add(await rows(1)), (error) => isIJepaError(error, "collection/locked"));
  });
  await other.add(await rows(1));
  assert.deepEqual(other.size, { places: 2, images: 2 });
  assert.ok(!existsSync(join(path, "lock")));
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  for (const holder of [{ token: "x", host: hostname(), pid: dead, started: "then" }, { token: "x", host: hostname(), pid: process.pid, started: "before it was there" }]) {
    writeFileSync(join(path, "lock"), JSON.stringify(holder));
    writeFileSync(join(path, "parts", "half.tmp"), "half");
    writeFileSync(join(path, "draft.tmp"), "the user's own");
    await other.add(await rows(1));
    assert.ok(!existsSync(join(path, "parts", "half.tmp")), "what was left behind is cleared away");
    assert.ok(existsSync(join(path, "draft.tmp")), "what others have put there stays");
  }
  writeFileSync(join(path, "lock"), JSON.stringify({ token: "x", host: "another machine", pid: 1 }));
  await assert.rejects(other.add(await rows(1)), (error) => isIJepaError(error, "collection/locked") && /another machine/.test(error.message));
});

test("twenty who want to write at once take turns or are refused, and nothing is lost", async () => {
  const path = join(temporaryFolder(), "c");
  await Collection.openOrCreate(path, ENCODING);
  writeFileSync(join(path, "lock"), JSON.stringify({ token: "x", host: hostname(), pid: spawnSync(process.execPath, ["-e", ""]).pid, started: "then" }));
  const writers = await Promise.allSettled(Array.from({ length: 20 }, async (_, i) => (await Collection.open(path)).add([await row(`${i}.jpg`, i)])));
  const done = writers.filter(({ status }) => status === "fulfilled").length;
  assert.ok(done >= 1);
  for (const result of writers) if (result.status === "rejected") assert.ok(isIJepaError(result.reason, "collection/locked"), String(result.reason));
  assert.equal((await Collection.open(path)).size.places, done);
});

test("a disk that is full loses nothing that was stored", async () => {
  const inner = memoryStorage(), collection = await Collection.openOrCreate(inner, ENCODING);
  await collection.add(await rows(5));
  const root = await collection.rootDigest();
  const full: FolderStorage = { ...inner, write: async (path, content) => {
    if (path.startsWith("parts/")) throw new Error("ENOSPC: no space left on device");
    return inner.write(path, content);
  } };
  await assert.rejects((await Collection.open(full)).add(await rows(5, 5)), /ENOSPC/);
  const after = await Collection.open(inner);
  assert.equal(await after.rootDigest(), root);
  await after.add(await rows(5, 5));
  assert.equal(after.size.places, 10);
});

test("a real disk says what it lacks, and keeps no half-written part", async () => {
  const path = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(path, ENCODING);
  await collection.add(await rows(2));
  renameSync(join(path, "parts"), join(path, "kept"));
  writeFileSync(join(path, "parts"), "a file where a folder should be");
  await assert.rejects(diskStorage(path).write("parts/x", new Uint8Array(8)), (error) => isIJepaError(error, "io/write"));
  rmSync(join(path, "parts"));
  renameSync(join(path, "kept"), join(path, "parts"));
  async function* cut(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(100);
    throw new Error("ENOSPC");
  }
  await assert.rejects(diskStorage(path).write("parts/x", cut()), (error) => isIJepaError(error, "io/write"));
  assert.equal(partsOf(path).length, 1);
});

test("rows that do not fit are refused before anything is written", async () => {
  const collection = await Collection.inMemory(ENCODING), [good] = await rows(1);
  for (const bad of [{ feature: new Float32Array(3) }, { feature: good.feature.map(() => NaN) }, { id: "x" }, { digest: "" }, { bytes: -1 }, { width: 1.5 }, { height: 2 ** 31 }, { modified: NaN }, { modified: 9e15 }, { modified: undefined as never }, { label: 5 as never }, { tokens: new Float32Array(40) }]) {
    await assert.rejects(collection.add([{ ...good, ...bad }]), (error) => isIJepaError(error) && error.code.startsWith("input/"), JSON.stringify(bad));
  }
  for (const source of ["", "\ud800.jpg"]) await assert.rejects(collection.add([{ ...good, source }]), TypeError);
  assert.equal(collection.size.places, 0);
});

test("searches and writes in turn, and searches at once, leave no file open", { skip: existsSync("/proc/self/fd") ? false : "the system does not list open files" }, async () => {
  const collection = await Collection.openOrCreate(join(temporaryFolder(), "c"), ENCODING), open = () => readdirSync("/proc/self/fd").length;
  await collection.add(await rows(4));
  const before = open(), { feature } = await row("x", 1);
  for (let i = 0; i < 30; i++) {
    const searching = [1, 2, 3].map((k) => collection.search(feature, { k }));
    await collection.add([await row(`${i}.jpg`, 10 + i)]);
    assert.deepEqual((await Promise.all(searching)).map(({ length }) => length), [1, 2, 3]);
    assert.equal((await collection.search(feature, { k: 100 })).length, 5 + i);
  }
  await collection.close();
  assert.equal(open(), before);
});

test("the cache may be gone, or be rubbish", async () => {
  const path = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(path, ENCODING);
  await collection.add(await rows(20));
  const [best] = await collection.search((await row("x", 4)).feature, { k: 1 });
  assert.deepEqual(best.sources, ["photos/4.jpg"]);
  for (const name of readdirSync(join(path, "cache"))) writeFileSync(join(path, "cache", name), "rubbish");
  assert.equal((await (await Collection.open(path)).search((await row("x", 4)).feature))[0].id, best.id);
  rmSync(join(path, "cache"), { recursive: true });
  mkdirSync(join(path, "cache"));
  assert.equal((await (await Collection.open(path)).search((await row("x", 4)).feature))[0].id, best.id);
});
