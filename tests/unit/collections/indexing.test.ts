/** Photos into a collection: only what is new is computed, and the bits are those of the pipelines. */
import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fitClassifier, type FitClassifierOptions } from "../../../ts-api/src/collections/classifier.js";
import { Collection } from "../../../ts-api/src/collections/collection.js";
import { exportQdrant, exportSql } from "../../../ts-api/src/collections/export-databases.js";
import { exportFile } from "../../../ts-api/src/collections/export-file.js";
import { FeatureEncoder } from "../../../ts-api/src/collections/feature-encoder.js";
import { indexImages } from "../../../ts-api/src/collections/indexing.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { findImages, pipeline } from "../../../ts-api/src/index.js";
import { sha256 } from "../../support/sha256.js";
import { rows, temporaryFolder } from "./helpers.js";

const PHOTOS = ["rocket.jpg", "jpeg-420.jpg", "webp-lossy.webp", "png-palette.png"].map((name) => `tests/goldens/images/files/${name}`);
const encoder = await FeatureEncoder.open();
after(() => encoder.dispose());

test("features have the bits of the pipeline, and a second run computes nothing", async () => {
  const folder = temporaryFolder(), path = join(folder, "c"), photos = PHOTOS.map((_, i) => join(folder, `${i}`));
  photos.forEach((photo, i) => copyFileSync(PHOTOS[i], photo));
  const collection = await Collection.openOrCreate(path, encoder.encoding);
  assert.deepEqual(await indexImages(collection, encoder, photos), { added: 4, copies: 0, unchanged: 0, failed: 0 });
  const extract = await pipeline("image-feature-extraction");
  for await (const { source, feature, digest } of collection.rows()) {
    const expected = await extract(source, { pool: "mean" });
    assert.deepEqual(feature, expected.data);
    assert.equal(digest, expected.numerics.digest);
  }
  await extract.dispose();
  const root = await collection.rootDigest();
  assert.deepEqual(await indexImages(collection, encoder, photos), { added: 0, copies: 0, unchanged: 4, failed: 0 });
  copyFileSync(photos[0], join(folder, "copy"));
  utimesSync(photos[1], 1e9, 1e9);
  truncateSync(photos[2], 100);
  const failures: string[] = [];
  const again = await indexImages(collection, encoder, [...photos, join(folder, "copy"), join(folder, "absent")], { onFailure: ({ code }) => void failures.push(code) });
  assert.deepEqual(again, { added: 0, copies: 2, unchanged: 2, failed: 2 });
  assert.deepEqual(failures, ["image/corrupt", "io/read"]);
  assert.deepEqual((await collection.failures()).map(({ code }) => code), ["image/corrupt", "io/read"]);
  assert.deepEqual(collection.size, { places: 5, images: 4 });
  assert.equal(await collection.rootDigest(), root);
  const { feature } = await encoder.embed(photos[0]), [best] = await collection.search(feature, { k: 1 });
  assert.deepEqual(best.sources, [photos[0], join(folder, "copy")]);
  assert.ok(Math.abs(best.score - 1) < 1e-12);
  await collection.close();
});

test("what is gone is not known any more; what is there again is no failure any more", async () => {
  const folder = temporaryFolder(), path = join(folder, "a"), collection = await Collection.inMemory(encoder.encoding), index = () => indexImages(collection, encoder, [path]);
  copyFileSync(PHOTOS[3], path);
  assert.equal((await index()).added, 1);
  renameSync(path, join(folder, "away"));
  assert.equal((await index()).failed, 1);
  assert.deepEqual((await collection.failures()).map(({ source }) => source), [path]);
  renameSync(join(folder, "away"), path);
  assert.equal((await index()).unchanged, 1);
  assert.deepEqual(await collection.failures(), []);
  assert.equal(collection.size.places, 1);
});

test("an image that says nothing of itself before it is read is stored once", async () => {
  const collection = await Collection.inMemory(encoder.encoding), source = { name: "sha256:x", read: async () => readFileSync(PHOTOS[3]) };
  assert.deepEqual(await indexImages(collection, encoder, [source]), { added: 1, copies: 0, unchanged: 0, failed: 0 });
  assert.deepEqual(await indexImages(collection, encoder, [source, source]), { added: 0, copies: 0, unchanged: 2, failed: 0 });
  assert.deepEqual(collection.partSizes, [1]);
});

test("a file of a time that no Date has", async () => {
  const collection = await Collection.inMemory(encoder.encoding), source = { name: "late", look: async () => ({ bytes: undefined, modified: 1e17 }), read: async () => readFileSync(PHOTOS[3]) };
  assert.equal((await indexImages(collection, encoder, [source])).added, 1);
  assert.equal((await indexImages(collection, encoder, [source])).unchanged, 1);
});

test("without joining, rows keep their order, whatever the size of their parts", async () => {
  const order = async (join: boolean) => {
    const collection = await Collection.inMemory({ ...encoder.encoding, width: 40 }), sources: string[] = [];
    for (let part = 0, first = 0; part < 18; part++) {
      const given = await rows(part === 3 ? 600 : 2, first);
      await collection.add(given);
      first += given.length;
    }
    await indexImages(collection, { ...encoder, encoding: collection.encoding } as FeatureEncoder, [], { join });
    for await (const { source } of collection.rows()) sources.push(source);
    return { parts: collection.partSizes.length, sources };
  };
  const kept = await order(false), joined = await order(true);
  assert.deepEqual(kept.sources, Array.from({ length: 634 }, (_, i) => `photos/${i}.jpg`));
  assert.deepEqual([kept.parts, joined.parts], [18, 2]);
  assert.deepEqual(joined.sources.sort(), kept.sources.sort());
});

test("damaged images are taken in, and told of", async () => {
  const folder = temporaryFolder(), cut = join(folder, "cut.png"), told: unknown[] = [];
  copyFileSync("tests/goldens/images/files/png-palette.png", cut);
  truncateSync(cut, statSync(cut).size - 12);
  const collection = await Collection.inMemory(encoder.encoding), onWarning = ({ source, warnings }: { source: string; warnings: readonly string[] }) => void told.push([source, warnings]);
  assert.deepEqual(await indexImages(collection, encoder, [cut, PHOTOS[0]], { onWarning }), { added: 2, copies: 0, unchanged: 0, failed: 0 });
  assert.deepEqual(told, [[cut, ["it has no end marker"]]]);
});

test("a file that grows between its listing and its reading is looked at again by the next run", async () => {
  const folder = temporaryFolder(), path = join(folder, "grows.png"), collection = await Collection.inMemory(encoder.encoding);
  copyFileSync(PHOTOS[3], path);
  async function* growing() {
    for await (const source of findImages([folder])) {
      appendFileSync(path, "more");
      yield source;
    }
  }
  assert.equal((await indexImages(collection, encoder, growing())).added, 1);
  const place = collection.live.find(path)!, { bytes, id } = await collection.imageAt(place);
  assert.deepEqual([bytes, id], [statSync(path).size, sha256(readFileSync(path))]);
  utimesSync(path, 1e9, 1e9);
  assert.deepEqual(await indexImages(collection, encoder, findImages([folder])), { added: 0, copies: 1, unchanged: 0, failed: 0 });
  assert.deepEqual(await indexImages(collection, encoder, findImages([folder])), { added: 0, copies: 0, unchanged: 1, failed: 0 });
});

test("unknown options are refused by name, with the one that was meant", async () => {
  const collection = await Collection.inMemory(encoder.encoding), query = new Float32Array(encoder.encoding.width).fill(1);
  const cases: [call: () => unknown, says: RegExp][] = [
    [() => indexImages(collection, encoder, [], { onFail: () => undefined } as object), /indexImages has no option "onFail"; did you mean "onFailure"/],
    [() => FeatureEncoder.open(undefined, { pool: "mean" } as object), /FeatureEncoder\.open has no option "pool"; did you mean "pooling"/],
    [() => Collection.open("x", { skip_damaged: true } as object), /Collection\.open has no option "skip_damaged"; did you mean "skipDamaged"/],
    [() => collection.search(query, { top: 3 } as object), /search has no option "top"/],
    [() => collection.duplicates({ treshold: 0.9 } as object), /"treshold"; did you mean "threshold"/],
    [() => exportFile(collection, "x.npy", { filter: () => true } as object), /exportFile has no option "filter"/],
    [() => exportSql(collection, { query: () => Promise.resolve() }, "t", { progress: 1 } as object), /"progress"; did you mean "onProgress"/],
    [() => exportQdrant(collection, "http://x", { api_key: "k" } as object), /"api_key"; did you mean "apiKey"/],
    [() => fitClassifier(collection, { labels: () => "a", holdout: 0.1 } as FitClassifierOptions), /"holdout"; did you mean "holdOut"/],
    [() => encoder.embed(PHOTOS[0], { maxPixel: 1 } as object), /"maxPixel"; did you mean "maxPixels"/],
  ];
  for (const [call, says] of cases) await assert.rejects(async () => call(), (error) => isIJepaError(error, "input/value") && says.test(error.message), String(says));
  await assert.rejects(fitClassifier(collection, {} as FitClassifierOptions), TypeError);
});

test("another model, format or pooling is refused by name", async () => {
  const collection = await Collection.inMemory(encoder.encoding), int4 = await FeatureEncoder.open(undefined, { dtype: "int4" });
  await assert.rejects(indexImages(collection, int4, PHOTOS), (error) => isIJepaError(error, "collection/encoding") && /weight format int4, not bf16/.test(error.message));
  await int4.dispose();
});

test("patches of photos are found again; last4 is four layers wide", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "photos"));
  const withPatches = await FeatureEncoder.open(undefined, { tokens: true, layers: "last4" });
  const collection = await Collection.openOrCreate(join(folder, "c"), withPatches.encoding), { width, tokens } = withPatches.encoding;
  assert.equal(width, 4 * encoder.encoding.width);
  await indexImages(collection, withPatches, PHOTOS);
  const one = await withPatches.embed(PHOTOS[0]), [, columns] = tokens!, patch = one.tokens!.slice((2 * columns + 3) * width, (2 * columns + 4) * width);
  const [best] = await collection.search(patch, { patches: true, k: 1 });
  assert.deepEqual([best.patch, best.sources], [[3, 2], [PHOTOS[0]]]);
  await collection.close();
  await withPatches.dispose();
  rmSync(folder, { recursive: true });
});

test("an aborted run keeps what it has, and goes on from there", async () => {
  const collection = await Collection.openOrCreate(join(temporaryFolder(), "c"), encoder.encoding), controller = new AbortController();
  const work = indexImages(collection, encoder, PHOTOS, { signal: controller.signal, batchSize: 1, onProgress: ({ done }) => done === 2 && controller.abort() });
  await assert.rejects(work, (error) => isIJepaError(error, "aborted"));
  assert.ok(collection.size.places >= 1);
  const { added, unchanged } = await indexImages(collection, encoder, PHOTOS);
  assert.equal(added + unchanged, 4);
  assert.ok(unchanged >= 1);
});
