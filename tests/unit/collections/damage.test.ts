/** Files of a collection that are damaged, lost, mixed up or left behind: what is wrong is said, and what is stored stays. */
import assert from "node:assert/strict";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parquetWriteBuffer } from "hyparquet-writer";
import { Collection } from "../../../ts-api/src/collections/collection.js";
import { exportFile } from "../../../ts-api/src/collections/export-file.js";
import { partName } from "../../../ts-api/src/collections/layout.js";
import { memoryStorage } from "../../../ts-api/src/collections/memory-storage.js";
import { featureDigest } from "../../../ts-api/src/collections/row.js";
import { encodePart } from "../../../ts-api/src/collections/parquet.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import type { FolderStorage } from "../../../ts-api/src/runtime/storage.js";
import { sha256 } from "../../support/sha256.js";
import { diskStorage, ENCODING, row, rows, temporaryFolder } from "./helpers.js";

const INT4 = { ...ENCODING, dtype: "int4", encoder: sha256("x") } as const;
const damaged = (says: RegExp) => (error: unknown) => isIJepaError(error, "collection/damaged") && says.test(error.message);
const partsOf = (path: string) => readdirSync(join(path, "parts")).sort().map((name) => join(path, "parts", name));

/** A collection of parts of ten rows each. */
async function made(parts = 2): Promise<{ path: string; root: string }> {
  const path = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(path, ENCODING);
  // Names of one length, so that parts have one size.
  for (let i = 0; i < parts; i++) await collection.add(await rows(10, 10 * (i + 1)));
  return { path, root: await collection.rootDigest() };
}

async function whole(path: string): Promise<string> {
  const collection = await Collection.open(path);
  assert.deepEqual((await collection.verify()).bad, []);
  return collection.rootDigest();
}

test("a list of parts that is empty, cut or something else is named, and repaired", async () => {
  const { path, root } = await made(), list = join(path, "parts.json");
  for (const text of ["", "{", "null", "[]", "{}", '{"parts":{}}', '{"parts":[null]}', '{"parts":[{"name":"../x","rows":1,"bytes":1,"first":"a","last":"a"}]}', "\0\0\0\0"]) {
    writeFileSync(list, text);
    await assert.rejects(Collection.open(path), damaged(/parts\.json/), text);
    const left = await Collection.open(path, { skipDamaged: true });
    assert.deepEqual([left.size.places, left.damaged.map(({ file }) => file)], [20, ["parts.json"]]);
    await left.repair();
    assert.equal(await whole(path), root);
  }
  rmSync(list);
  assert.equal(await whole(path), root);
});

test("a lost or empty collection.json: the stored features stay, and mix with no others", async () => {
  const { path, root } = await made(), head = join(path, "collection.json");
  writeFileSync(head, "");
  await assert.rejects(Collection.openOrCreate(path, ENCODING), damaged(/collection\.json cannot be used: it is not JSON\. Remove it/));
  rmSync(head);
  await assert.rejects(Collection.openOrCreate(path, INT4), (error) => isIJepaError(error, "collection/encoding"));
  assert.ok(!existsSync(head));
  const collection = await Collection.openOrCreate(path, ENCODING);
  assert.equal(await collection.rootDigest(), root);
});

test("parts that were swapped are found when they are read; repaired and added again, nothing is lost", async () => {
  const { path, root } = await made(), [first, second] = partsOf(path), aside = `${first}.aside`;
  renameSync(first, aside);
  renameSync(second, first);
  renameSync(aside, second);
  const collection = await Collection.open(path);
  assert.equal((await collection.verify()).bad.length, 2);
  await assert.rejects(async () => {
    for await (const one of collection.rows()) void one;
  }, damaged(/do not match the digest in its name/));
  rmSync(join(path, "cache"), { recursive: true });
  await assert.rejects(Collection.open(path), damaged(/do not match the digest/));
  const left = await Collection.open(path, { skipDamaged: true });
  assert.equal((await left.repair()).length, 2);
  await left.add(await rows(20, 10));
  assert.equal(await whole(path), root);
});

test("a part that is there twice, and one of another collection", async () => {
  const { path, root } = await made(), [first] = partsOf(path);
  copyFileSync(first, first.replace("000001", "000007"));
  assert.equal(await whole(path), root);
  const other = join(temporaryFolder(), "d"), twin = await Collection.openOrCreate(other, ENCODING);
  await twin.add(await rows(5, 40));
  copyFileSync(partsOf(other)[0], partsOf(other)[0].replace(other, path).replace("000001", "000009"));
  const joined = await Collection.open(path);
  assert.deepEqual(joined.size, { places: 25, images: 25 });
  await joined.compact();
  assert.deepEqual([partsOf(path).length, await whole(path)], [1, await joined.rootDigest()]);
});

test("two collections copied into one folder do not mix, whatever lies in their caches", async () => {
  const { path } = await made(), other = join(temporaryFolder(), "d"), foreign = await Collection.openOrCreate(other, INT4);
  await foreign.add(await rows(3));
  await foreign.search((await row("x", 1)).feature);
  cpSync(other, path, { recursive: true });
  await assert.rejects(Collection.open(path), (error) => isIJepaError(error, "collection/encoding") && /weight format/.test(error.message));
});

test("a Parquet file that is no part is named", async () => {
  const { path, root } = await made(), foreign = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "source", data: ["a"] }] }));
  for (const [bytes, says] of [
    [encodePart(await rows(2), "not JSON"), /does not say how its features were made/],
    [encodePart(await rows(2), "{}"), /does not say how its features were made/],
    [encodePart([], JSON.stringify(ENCODING)), /is not a Parquet file of a collection/],
    [foreign, /is not a Parquet file of a collection/],
    [new Uint8Array(0), /is not a Parquet file of a collection/],
  ] as const) {
    const name = partName(9, sha256(bytes));
    writeFileSync(join(path, "parts", name), bytes);
    await assert.rejects(Collection.open(path), damaged(says));
    await (await Collection.open(path, { skipDamaged: true })).repair();
    assert.equal(await whole(path), root);
  }
});

test("a bit that has turned in the cache changes nothing", async () => {
  const { path, root } = await made(), name = readdirSync(join(path, "cache")).find((file) => file.endsWith(".index"))!, file = join(path, "cache", name), bytes = readFileSync(file);
  for (const at of [5, 300, bytes.length - 1]) {
    const turned = Uint8Array.from(bytes);
    turned[at] ^= 4;
    writeFileSync(file, turned);
    assert.equal(await whole(path), root, `byte ${at}`);
  }
  truncateSync(file, 0);
  assert.equal(await whole(path), root);
});

test("nor does one in the cache of features, for searches and for copies", async () => {
  const { path } = await made(), query = (await row("x", 99)).feature, expected = await (await Collection.open(path)).search(query, { k: 20 });
  const file = join(path, "cache", readdirSync(join(path, "cache")).find((name) => name.endsWith(".feature"))!), bytes = readFileSync(file);
  for (let at = 12; at < bytes.length; at += 41) {
    const turned = Uint8Array.from(bytes);
    turned[at] ^= 1 << at % 8;
    writeFileSync(file, turned);
    const collection = await Collection.open(path);
    for (const place of collection.live.rows()) {
      const { feature, digest } = await collection.imageAt(place);
      assert.equal(await featureDigest(feature), digest, `byte ${at}`);
    }
    await collection.close();
    writeFileSync(file, turned);
    assert.deepEqual(await collection.search(query, { k: 20 }), expected, `byte ${at}`);
    await collection.close();
  }
  const storage = diskStorage(path), fixed = { ...storage, write: () => Promise.reject(new Error("EROFS")), remove: () => Promise.reject(new Error("EROFS")) };
  const turned = Uint8Array.from(bytes);
  turned[bytes.length - 1] ^= 1;
  writeFileSync(file, turned);
  await assert.rejects((await Collection.open(fixed)).search(query, { k: 20 }), damaged(/cache\/.* is damaged.*Remove it: it is made anew/));
});

test("a reader is not misled by a writer that joins parts at that moment", async () => {
  const { path, root } = await made(3), storage = diskStorage(path), before = readFileSync(join(path, "parts.json")), writer = await Collection.open(path);
  let reads = 0;
  const late: FolderStorage = { ...storage, async open(file) {
    if (file !== "parts.json" || reads++ > 0) return storage.open(file);
    await writer.compact();
    return { name: file, size: before.length, read: async (offset, length) => before.subarray(offset, offset + length), close: async () => {} };
  } };
  assert.equal(await (await Collection.open(late)).rootDigest(), root);
});

test("locks that a dead process of another machine, or a power cut, has left behind", async () => {
  const { path } = await made(1), collection = await Collection.open(path), lock = join(path, "lock"), foreign = JSON.stringify({ token: "x", host: "another machine", pid: 1 });
  for (const content of [foreign, "", "\0\0\0", undefined]) {
    if (content === undefined) mkdirSync(join(lock, "folder"), { recursive: true });
    else writeFileSync(lock, content);
    await assert.rejects(collection.add(await rows(1)), (error) => isIJepaError(error, "collection/locked"));
    const past = Date.now() / 1000 - 120;
    utimesSync(lock, past, past);
    await collection.add(await rows(1));
    assert.ok(!existsSync(lock));
  }
});

test("names of every kind come back, also from what is exported", async () => {
  const names = ["two\nlines.jpg", "tab\t.jpg", 'quote".jpg', "<b>&amp;.jpg", "a,b.jpg", "\u2028.jpg", "e\u0301.jpg", "\u00e9.jpg", "A.jpg", "a.jpg", " .jpg", "\u{1f600}.jpg", "\\.jpg", `${"x".repeat(4000)}.jpg`];
  const path = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(path, ENCODING);
  await collection.add(await Promise.all(names.map((name, i) => row(name, i))));
  const again = await Collection.open(path), found: string[] = [];
  for await (const { source } of again.rows()) found.push(source);
  assert.deepEqual(found, names);
  for (const [i, name] of names.entries()) assert.deepEqual((await again.search({ id: sha256(`photo ${i}`) }, { k: 1 }))[0].sources, [name]);
  let lines = "";
  for await (const piece of exportFile(again, "x.jsonl")) lines += new TextDecoder().decode(piece);
  assert.deepEqual(lines.trimEnd().split("\n").map((line) => (JSON.parse(line) as { file: string }).file), names);
  await again.remove(names.slice(0, 5));
  assert.equal((await Collection.open(path)).size.places, names.length - 5);
});

test("cut after any write, removal or renaming, nothing that was stored is lost, and the same again goes on", async () => {
  const works: Record<string, (collection: Collection) => Promise<unknown>> = {
    "add": async (collection) => collection.add([...(await rows(5, 50)), { source: "bad.jpg", code: "image/corrupt", message: "cut" }]),
    "remove": (collection) => collection.remove(["photos/12.jpg"]),
    "compact": (collection) => collection.compact(),
    "compact what is small": (collection) => collection.compact({ below: 5 }),
    "repair": (collection) => collection.repair(),
  };
  for (const [name, work] of Object.entries(works)) {
    for (let steps = 0, done = false; !done; steps++) {
      const storage = memoryStorage(), collection = await Collection.openOrCreate(storage, ENCODING);
      await collection.add(await rows(10, 10));
      await collection.add([await row("photos/13.jpg", 99), await row("new.jpg", 100)]);
      await collection.remove(["photos/14.jpg"]);
      if (name === "repair") await storage.write("parts.json", new Uint8Array(0));
      const before = await digests(storage), whole = await (async () => {
        const copy = await copyOf(storage);
        await work(await Collection.open(copy, { skipDamaged: true }));
        return digests(copy);
      })();
      let left = steps;
      const cut = <A extends unknown[]>(act: (...args: A) => Promise<void>) => async (...args: A): Promise<void> => {
        if (left-- <= 0) throw new Error("the power is gone");
        return act(...args);
      };
      const failing: FolderStorage = { ...storage, write: cut(storage.write), rename: cut(storage.rename), remove: cut(storage.remove) };
      await work(await Collection.open(failing, { skipDamaged: true })).catch(() => undefined);
      done = left >= 0;
      const after = await digests(storage);
      assert.ok([before.root, whole.root].includes(after.root), `${name}, after ${steps} steps`);
      assert.ok([before.places, whole.places].some((places) => places.join() === after.places.join()), `${name}, after ${steps} steps: ${after.places.join()}`);
      await work(await Collection.open(storage, { skipDamaged: true }));
      assert.deepEqual(await digests(storage), whole, `${name}, again after ${steps} steps`);
    }
  }
});

async function digests(storage: FolderStorage): Promise<{ root: string; places: string[] }> {
  const collection = await Collection.open(storage, { skipDamaged: true }), places: string[] = [];
  for await (const { source, id } of collection.rows()) places.push(`${source} ${id.slice(0, 8)}`);
  return { root: await collection.rootDigest(), places: places.sort() };
}

async function copyOf(storage: FolderStorage): Promise<FolderStorage> {
  const copy = memoryStorage();
  for (const folder of ["parts", "cache"]) for (const name of await storage.list(folder)) await copy.write(`${folder}/${name}`, await bytesOf(storage, `${folder}/${name}`));
  for (const name of ["collection.json", "parts.json"]) await copy.write(name, await bytesOf(storage, name));
  return copy;
}

async function bytesOf(storage: FolderStorage, path: string): Promise<Uint8Array> {
  const file = await storage.open(path);
  return file === undefined ? new Uint8Array(0) : file.read(0, file.size);
}

test("lines of failures.jsonl that are none are passed over", async () => {
  const { path } = await made(1);
  writeFileSync(join(path, "failures.jsonl"), '\0garbage\n{"source":1}\nnull\n{"source":"a.jpg","code":"io/read","message":"gone"}\n{"sou');
  const collection = await Collection.open(path);
  assert.deepEqual((await collection.failures()).map(({ source }) => source), ["a.jpg"]);
  await collection.add([{ source: "b.jpg", code: "image/corrupt", message: "cut" }]);
  assert.deepEqual((await collection.failures()).map(({ source }) => source), ["a.jpg", "b.jpg"]);
});
