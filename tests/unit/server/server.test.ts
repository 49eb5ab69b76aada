/** The routes of the server: what they answer, and that the bits are those of the library. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pipeline } from "../../../ts-api/src/index.js";
import { createServer } from "../../../ts-api/src/server/index.js";
import { answer, bytesOf, dataUrl, extract, FILES, post, postJson, refused, server, type Embedding } from "./helpers.js";

const PHOTOS = ["chelsea.png", "rocket.jpg", "webp-lossy.webp", "jpeg-exif6.jpg", "png-palette.png"];

async function expected(file: string, options: Parameters<typeof extract>[1] = { pool: "mean" }): Promise<{ digest: string; data: number[] }> {
  const features = await extract(`${FILES}/${file}`, options);
  return { digest: features.numerics.digest, data: [...features.data] };
}

test("POST /embed: the library's features and digest, the size of the image, the numerics", async () => {
  const { fetch } = server();
  for (const photo of PHOTOS) {
    const { digest, data } = await expected(photo);
    const got = await answer<Embedding & { model: string }>(await fetch(post("/embed", bytesOf(photo))));
    assert.deepEqual([got.embedding, got.dims, got.model], [data, [64], "tiny"]);
    assert.deepEqual(got.numerics, { version: "1", dtype: "int4", device: "wasm", digest });
  }
  const { width, height } = await answer<{ width: number; height: number }>(await fetch(post("/embed", bytesOf("rocket.jpg"), "application/octet-stream")));
  assert.deepEqual([width, height], [640, 427]);
});

test("POST /embed: pool, normalize and base64", async () => {
  const { fetch } = server();
  for (const pool of ["none", "first", "mean"] as const) {
    for (const normalize of [false, true]) {
      const { digest, data } = await expected("chelsea.png", { pool, normalize });
      const got = await answer<Embedding>(await fetch(post(`/embed?pool=${pool}&normalize=${normalize}&encoding_format=base64`, bytesOf("chelsea.png"))));
      assert.equal(got.numerics.digest, digest);
      assert.deepEqual(got.dims, pool === "none" ? [16, 64] : [64]);
      const bytes = new Uint8Array(Buffer.from(got.embedding as string, "base64"));
      assert.deepEqual([...new Float32Array(bytes.buffer)], data);
    }
  }
});

test("POST /v1/embeddings: OpenAI's shape, one image and several, in their order", async () => {
  const { fetch } = server();
  type List = { object: string; model: string; data: (Embedding & { object: string })[]; usage: object };
  const list = await answer<List>(await fetch(postJson("/v1/embeddings", { model: "tiny", input: PHOTOS.map(dataUrl), user: "somebody" })));
  assert.deepEqual([list.object, list.model, list.usage], ["list", "tiny", { prompt_tokens: 80, total_tokens: 80 }]);
  for (const [index, photo] of PHOTOS.entries()) {
    const { digest, data } = await expected(photo);
    const { numerics, ...rest } = list.data[index];
    assert.deepEqual(rest, { object: "embedding", index, embedding: data });
    assert.equal(numerics.digest, digest);
  }
  const one = await answer<List>(await fetch(postJson("/v1/embeddings", { input: dataUrl("rocket.jpg"), encoding_format: "base64", dimensions: 64, pool: "first", normalize: true })));
  assert.equal(one.data.length, 1);
  assert.equal(one.data[0].numerics.digest, (await expected("rocket.jpg", { pool: "first", normalize: true })).digest);
  assert.equal(typeof one.data[0].embedding, "string");
});

test("requests that wait are encoded together, in batches of a power of two, to the same bits", async () => {
  const { fetch } = server();
  const photos = Array.from({ length: 21 }, (_, i) => PHOTOS[i % PHOTOS.length]);
  const digests = new Map(await Promise.all(PHOTOS.map(async (photo) => [photo, (await expected(photo)).digest] as const)));
  const answers = await Promise.all(photos.map(async (photo) => answer<Embedding>(await fetch(post("/embed", bytesOf(photo))))));
  assert.deepEqual(answers.map(({ numerics }) => numerics.digest), photos.map((photo) => digests.get(photo)));
  const metrics = await (await fetch(new Request("http://server/metrics"))).text();
  assert.match(metrics, /^ijepa_requests_total\{route="\/embed",status="200"\} 21$/m);
  assert.match(metrics, /^ijepa_batch_images_sum 21$/m);
  assert.ok(Number(/^ijepa_batch_images_count (\d+)$/m.exec(metrics)![1]) < 10, metrics);
  assert.match(metrics, /^ijepa_images_in_flight 0$/m);
  assert.match(metrics, /^ijepa_body_bytes_in_flight 0$/m);
});

test("a bad image among others that wait fails alone", async () => {
  const { fetch } = server();
  const bad = bytesOf("chelsea.png").subarray(0, 5000);
  const [first, second, third] = await Promise.all([bytesOf("rocket.jpg"), bad, bytesOf("rocket.jpg")].map((bytes) => fetch(post("/embed", bytes))));
  const { digest } = await expected("rocket.jpg");
  await refused(second, 400, "image/corrupt");
  for (const good of [first, third]) assert.equal((await answer<Embedding>(good)).numerics.digest, digest);
});

test("POST /classify: the pipeline's labels; the same model embeds too", async () => {
  const folder = "tests/goldens/classifiers/classify-single";
  const classify = await pipeline("image-classification", folder), features = await pipeline("image-feature-extraction", folder);
  const { fetch } = createServer(classify);
  const got = await answer<{ labels: object; model: string }>(await fetch(post("/classify?top_k=3", bytesOf("chelsea.png"))));
  assert.deepEqual([got.labels, got.model], [await classify(`${FILES}/chelsea.png`, { top_k: 3 }), "ijepa"]);
  const embedded = await answer<Embedding>(await fetch(post("/embed", bytesOf("chelsea.png"))));
  assert.equal(embedded.numerics.digest, (await features(`${FILES}/chelsea.png`, { pool: "mean" })).numerics.digest);
  await refused(await fetch(post("/classify?top_k=many", bytesOf("chelsea.png"))), 400, "input/value");
  await refused(await server().fetch(post("/classify", bytesOf("chelsea.png"))), 404, "request/no-head");
  await classify.dispose();
  await features.dispose();
});

test("a damaged image that can be read is answered, with warnings", async () => {
  const cut = bytesOf("png-palette.png").subarray(0, -12), warnings = ["it has no end marker"], input = [dataUrl("png-palette.png"), `data:;base64,${Buffer.from(cut).toString("base64")}`];
  const { fetch } = server();
  type Warned = Embedding & { warnings?: string[] };
  const [whole, damaged] = await Promise.all([bytesOf("png-palette.png"), cut].map(async (bytes) => answer<Warned>(await fetch(post("/embed", bytes)))));
  assert.deepEqual([whole.warnings, damaged.warnings, damaged.numerics.digest], [undefined, warnings, whole.numerics.digest]);
  const { data } = await answer<{ data: Warned[] }>(await fetch(postJson("/v1/embeddings", { input })));
  assert.deepEqual(data.map((one) => one.warnings), [undefined, warnings]);

  const classify = await pipeline("image-classification", "tests/goldens/classifiers/classify-single");
  const labels = createServer(classify);
  assert.deepEqual((await answer<Warned>(await labels.fetch(post("/classify", cut)))).warnings, warnings);
  assert.equal((await answer<Warned>(await labels.fetch(post("/classify", bytesOf("png-palette.png"))))).warnings, undefined);
  const [one, other] = await classify([cut, bytesOf("png-palette.png")]);
  assert.deepEqual([one.warnings, other.warnings, Object.keys(one)], [warnings, [], Object.keys([...one])]);
  await classify.dispose();
  const search = { pooling: "mean" as const, search: () => Promise.resolve([]) };
  assert.deepEqual((await answer<Warned>(await server({ search }).fetch(post("/search", cut)))).warnings, warnings);
});

test("GET /healthz, /v1/models; other paths and methods", async () => {
  const { fetch } = server();
  const get = (path: string, method = "GET") => fetch(new Request(`http://server${path}`, { method }));
  const health = await answer<{ status: string; model: string; dtype: string }>(await get("/healthz"));
  assert.deepEqual([health.status, health.model, health.dtype], ["ok", "tiny", "int4"]);
  assert.deepEqual((await answer<{ data: { id: string }[] }>(await get("/v1/models"))).data.map(({ id }) => id), ["tiny"]);
  assert.match((await refused(await get("/v2/embeddings"), 404, "request/path")).message, /POST \/v1\/embeddings/);
  for (const path of ["/healthz", "/metrics", "/v1/models", "/v1/models/tiny"]) {
    const [whole, head] = [await get(path), await get(path, "HEAD")];
    assert.deepEqual([head.status, head.headers.get("content-type"), await head.text()], [200, whole.headers.get("content-type"), ""], path);
    assert.equal((await get(path, "OPTIONS")).headers.get("allow"), "GET, HEAD, OPTIONS");
    assert.equal((await get(path, "POST")).headers.get("allow"), "GET, HEAD");
  }
  assert.deepEqual([(await get("/embed", "HEAD")).status, (await get("/v1/models/other", "HEAD")).status], [405, 404]);
  const wrong = await get("/embed", "PUT");
  assert.equal(wrong.headers.get("allow"), "POST");
  await refused(wrong, 405, "request/method");
});
