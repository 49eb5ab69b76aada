/** Search is exact: the same as comparing with every feature in double precision. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Collection } from "../../../ts-api/src/collections/collection.js";
import { featureDigest, type CollectionRow } from "../../../ts-api/src/collections/row.js";
import { scanQuery } from "../../../ts-api/src/collections/scanner.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { cosineSimilarity } from "../../../ts-api/src/model/pooling.js";
import { ENCODING, feature, numbers, row, rows } from "./helpers.js";

const byScore = (a: { score: number; id: string }, b: { score: number; id: string }) => b.score - a.score || (a.id < b.id ? -1 : 1);

function bruteForce(given: readonly CollectionRow[], query: Float32Array): { id: string; score: number }[] {
  const unique = [...new Map(given.map((one) => [one.id, one])).values()];
  return unique.map(({ id, feature }) => ({ id, score: cosineSimilarity(query, feature) })).sort(byScore);
}

for (const width of [40, 37, 192]) {
  test(`width ${width}: every k gives what brute force gives`, async () => {
    const collection = await Collection.inMemory({ ...ENCODING, width }), given = await rows(700, 0, width);
    // Rows that are close to one another, rows of zeros, and rows of other lengths.
    for (let i = 0; i < 60; i++) given[i] = { ...given[i], feature: given[0].feature.map((v, k) => (k === i % width ? v + 1e-6 * i : v)) };
    given[90] = { ...given[90], feature: new Float32Array(width) };
    for (let i = 100; i < 140; i++) given[i] = { ...given[i], feature: given[i].feature.map((v) => v * 10 ** ((i % 40) - 20)) };
    for (const [i, one] of given.entries()) given[i] = { ...one, digest: await featureDigest(one.feature) };
    for (let i = 0; i < 700; i += 230) await collection.add(given.slice(i, i + 230));
    for (const query of [given[0].feature, given[333].feature, feature(12345, width), feature(1, width).map((v) => -v), new Float32Array(width), given[120].feature]) {
      const expected = bruteForce(given, query);
      for (const k of [1, 3, 64, 700, 1000]) {
        const found = await collection.search(query, { k });
        assert.deepEqual(found.map(({ id, score }) => ({ id, score })), expected.slice(0, k), `k = ${k}`);
      }
    }
  });
}

test("the order does not depend on the parts, and a photo at several places is one result", async () => {
  const given = [...(await rows(200)), await row("copy.jpg", 17)], query = feature(4321);
  const one = await Collection.inMemory(ENCODING), other = await Collection.inMemory(ENCODING);
  await one.add(given);
  for (const part of [given.slice(150), given.slice(0, 80).reverse(), given.slice(80, 150)]) await other.add(part);
  assert.deepEqual(await other.search(query, { k: 50 }), await one.search(query, { k: 50 }));
  const [best] = await one.search({ id: given[17].id });
  assert.deepEqual(best.sources, ["copy.jpg", "photos/17.jpg"]);
  await one.remove(["photos/17.jpg"]);
  assert.deepEqual((await one.search({ id: given[17].id }))[0].sources, ["copy.jpg"]);
  await one.add([await row("copy.jpg", 500)]);
  assert.notEqual((await one.search(given[17].feature))[0].id, given[17].id);
});

test("patches: the places in all photos that are most alike", async () => {
  const [tall, wide] = [3, 4], width = ENCODING.width, collection = await Collection.inMemory({ ...ENCODING, tokens: [tall, wide] });
  const given = await Promise.all((await rows(50)).map(async (one, i) => {
    const tokens = Float32Array.from({ length: tall * wide * width }, numbers(i + 1));
    return { ...one, tokens, digest: await featureDigest(one.feature, tokens) };
  }));
  await collection.add(given.slice(0, 20));
  await collection.add(given.slice(20));
  for (const wanted of [true, false]) {
    for await (const { source, feature, tokens } of collection.rows({ tokens: wanted })) {
      const one = given.find((other) => other.source === source)!;
      assert.deepEqual([feature, tokens], [one.feature, wanted ? one.tokens : undefined]);
    }
  }
  const patchOf = (i: number, unit: number) => given[i].tokens.subarray(unit * width, (unit + 1) * width);
  const query = patchOf(30, 1 * wide + 2);
  const expected = given
    .flatMap(({ id }, i) => Array.from({ length: tall * wide }, (_, unit) => ({ id, score: cosineSimilarity(query, patchOf(i, unit)), patch: [unit % wide, Math.floor(unit / wide)] })))
    .sort(byScore)
    .slice(0, 25);
  const found = await collection.search({ id: given[30].id }, { patches: true, patch: [2, 1], k: 25 });
  assert.deepEqual(found.map(({ id, score, patch }) => ({ id, score, patch })), expected);
  assert.deepEqual(found[0].patch, [2, 1]);
  for (const patch of [[4, 0], [0, 3], [-1, 0], undefined] as const) {
    await assert.rejects(collection.search({ id: given[30].id }, { patches: true, ...(patch === undefined ? {} : { patch }) }), (error) => isIJepaError(error, "input/value"));
  }
});

test("duplicates: every pair within the threshold, in groups", async () => {
  const collection = await Collection.inMemory(ENCODING), given = await rows(120);
  for (let i = 0; i < 120; i += 10) {
    for (const [j, off] of [[1, 0.2], [2, 0.4]]) given[i + j] = { ...given[i + j], feature: given[i].feature.map((v, k) => v + off * Math.cos(k * (i + 1))) };
  }
  for (const [i, one] of given.entries()) given[i] = { ...one, digest: await featureDigest(one.feature) };
  await collection.add(given.slice(0, 50));
  await collection.add([...given.slice(50), { ...given[77], source: "copy.jpg" }]);
  for (const threshold of [0.97, 0.9, 1, -1]) {
    const scores: number[] = [], near = new Map(given.map(({ id }) => [id, new Set([id])]));
    let pairs = 0;
    for (const [i, a] of given.entries()) {
      for (const b of given.slice(i + 1)) {
        const score = cosineSimilarity(a.feature, b.feature);
        if (score < threshold) continue;
        scores.push(score);
        pairs++;
        const joined = new Set([...near.get(a.id)!, ...near.get(b.id)!]);
        for (const id of joined) near.set(id, joined);
      }
    }
    const expected = [...new Set(near.values())].filter((group) => group.size > 1 || group.has(given[77].id)).map((group) => [...group].sort().join()).sort();
    const groups = await collection.duplicates({ threshold });
    assert.deepEqual(groups.map(({ images }) => images.map(({ id }) => id).join()).sort(), expected, `threshold ${threshold}: ${pairs} pairs`);
    assert.ok(groups.every(({ closest, farthest }) => closest >= farthest && farthest >= threshold || closest === 1));
    if (threshold === -1) assert.deepEqual(groups.map(({ closest, farthest }) => [closest, farthest]), [[1, Math.min(...scores)]]);
    assert.ok(groups.some(({ images }) => images.some(({ sources }) => sources.includes("copy.jpg"))));
  }
});

test("questions that cannot be answered are refused", async () => {
  const collection = await Collection.inMemory(ENCODING);
  assert.deepEqual(await collection.search(feature(1)), []);
  assert.deepEqual(await collection.duplicates(), []);
  await collection.add(await rows(3));
  const refused = (work: Promise<unknown>, code: string) => assert.rejects(work, (error) => isIJepaError(error) && error.code === code);
  await refused(collection.search(feature(1), { k: 0 }), "input/value");
  await refused(collection.search(feature(1), { k: 1.5 }), "input/value");
  await refused(collection.search(new Float32Array(3)), "input/shape");
  await refused(collection.search(feature(1).fill(NaN)), "input/shape");
  await refused(collection.search({ id: "0".repeat(64) }), "input/value");
  await refused(collection.search(feature(1), { patches: true }), "input/value");
  await refused(collection.duplicates({ threshold: 2 }), "input/value");
  await refused(collection.search(feature(1), { signal: AbortSignal.abort() }), "aborted");
  await assert.rejects(collection.search("x" as never), TypeError);
});

test("the kernel's sums are exact at their largest", async () => {
  const { instance } = await WebAssembly.instantiate(readFileSync("dist/wasm/scanner.wasm"), { env: { memory: new WebAssembly.Memory({ initial: 20 }) } });
  const { memory, scan, scan_four: scanFour } = instance.exports as unknown as { memory: WebAssembly.Memory; scan(...args: number[]): void; scan_four(...args: number[]): void };
  for (const inner of [16, 48, 1280, 5120]) {
    const next = numbers(inner), largest = Math.min(32767, Math.floor((2 ** 31 - 1) / 127 / inner)), rowCount = 5, stride = 7;
    const queries = new Int16Array(memory.buffer, 1024, 4 * inner), codes = new Int8Array(memory.buffer, 65536, rowCount * inner);
    queries.forEach((_, i) => (queries[i] = i < inner ? largest : Math.round(largest * next())));
    codes.forEach((_, i) => (codes[i] = i < inner ? 127 : i < 2 * inner ? -127 : Math.round(127 * next())));
    const expected = (q: number, r: number) => codes.subarray(r * inner, (r + 1) * inner).reduce((sum, c, k) => sum + c * queries[q * inner + k], 0);
    const out = new Int32Array(memory.buffer, 512 * 1024, 4 * stride);
    scanFour(65536, rowCount, inner, 1024, 512 * 1024, stride);
    for (let q = 0; q < 4; q++) for (let r = 0; r < rowCount; r++) assert.equal(out[q * stride + r], expected(q, r));
    scan(65536, rowCount, inner, 1024, 512 * 1024);
    for (let r = 0; r < rowCount; r++) assert.equal(out[r], expected(0, r));
  }
  const { codes, scale, unit, rest } = scanQuery(new Float32Array(5120).fill(1));
  assert.ok(127 * codes.reduce((sum, v) => sum + Math.abs(v), 0) < 2 ** 31);
  assert.ok(Math.hypot(...unit.map((v, k) => v - codes[k] * scale)) <= rest * 1.000001);
});
