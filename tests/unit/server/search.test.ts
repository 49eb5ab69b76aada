/** POST /search: the images of a collection that are most like the photo of the body. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { Collection, encodingOf, FeatureEncoder, indexImages } from "../../../ts-api/src/collections/index.js";
import { createServer } from "../../../ts-api/src/server/index.js";

const PHOTOS = ["rocket.jpg", "coffee.png", "jpeg-420.jpg"].map((name) => `tests/goldens/images/files/${name}`);
const encoder = await FeatureEncoder.open();
after(() => encoder.dispose());

test("a photo finds itself first, with the bits of the collection", async () => {
  const collection = await Collection.inMemory(encoder.encoding), body = readFileSync(PHOTOS[1]);
  await indexImages(collection, encoder, PHOTOS);
  assert.deepEqual(await encodingOf(encoder.extractor, encoder.encoding), encoder.encoding);
  const server = createServer(encoder.extractor, { search: { pooling: "mean", search: (feature, options) => collection.search(feature, options) } });
  const ask = (path: string) => server.fetch(new Request(`http://x${path}`, { method: "POST", headers: { "content-type": "image/png" }, body }));
  const answer = (await (await ask("/search?k=2")).json()) as { results: { sources: string[]; score: number }[] };
  assert.equal(answer.results.length, 2);
  assert.deepEqual(answer.results[0].sources, [PHOTOS[1]]);
  assert.deepEqual(answer.results, JSON.parse(JSON.stringify(await collection.search((await encoder.embed(PHOTOS[1])).feature, { k: 2 }))));
  for (const path of ["/search?k=0", "/search?k=x", "/search?top=1"]) assert.equal((await ask(path)).status, 400, path);
  await server.stop();
});

test("without a collection there is no search", async () => {
  const server = createServer(encoder.extractor), request = new Request("http://x/search", { method: "POST", headers: { "content-type": "image/png" }, body: readFileSync(PHOTOS[1]) });
  const response = await server.fetch(request);
  assert.equal(response.status, 404);
  assert.match(await response.text(), /request\/no-collection/);
  await server.stop();
});
