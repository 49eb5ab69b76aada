/** What requests and `createServer` take by name: null is absent, an unknown name is refused with the nearest known one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IJepaForImageClassification, isIJepaError, pipeline } from "../../../ts-api/src/index.js";
import { createServer, type ServedPipeline, type ServerOptions } from "../../../ts-api/src/server/index.js";
import { answer, bytesOf, dataUrl, extract, post, postJson, refused, server, type Embedding } from "./helpers.js";

const rocket = bytesOf("rocket.jpg"), image = dataUrl("jpeg-1x1.jpg");

test("null in a body of /v1/embeddings is as good as absent", async () => {
  const { fetch } = server();
  const expected = await answer(await fetch(postJson("/v1/embeddings", { input: image })));
  const nothing = { model: null, encoding_format: null, dimensions: null, user: null, pool: null, normalize: null };
  for (const fields of [nothing, ...Object.keys(nothing).map((name) => ({ [name]: null }))]) {
    assert.deepEqual(await answer(await fetch(postJson("/v1/embeddings", { input: image, ...fields }))), expected);
  }
  await refused(await fetch(postJson("/v1/embeddings", { input: null })), 400, "input/missing");
  await refused(await fetch(postJson("/v1/embeddings", { input: [null] })), 400, "input/value");
});

test("unknown fields and query options are refused by name, with the one that was meant", async () => {
  const { fetch } = server();
  const fields: [name: string, meant: string | undefined][] = [
    ["pooling", "pool"], ["Normalize", "normalize"], ["encodingFormat", "encoding_format"], ["inputs", "input"], ["dimension", "dimensions"], ["temperature", undefined],
    ["__proto__", undefined], ["toString", undefined],
  ];
  for (const [name, meant] of fields) {
    for (const value of ["1", "null"]) {
      const { message } = await refused(await fetch(post("/v1/embeddings", `{"input": "${image}", "${name}": ${value}}`, "application/json")), 400, "input/value");
      assert.ok(message.includes(JSON.stringify(name)), message);
      assert.equal(/did you mean "(\w+)"/.exec(message)?.[1], meant, message);
    }
  }
  const queries: [path: string, says: RegExp][] = [
    ["/embed?pooling=first", /"pooling"; did you mean "pool"/],
    ["/embed?pool=mean&normalise=true", /"normalise"; did you mean "normalize"/],
    ["/embed?top_k=3", /"top_k"/],
    ["/embed?pool=mean&pool=first", /pool is given more than once/],
    ["/embed?pool=", /pool must be one of/],
    ["/classify?topk=3", /"topk"; did you mean "top_k"/],
    ["/classify?pool=mean", /"pool"/],
  ];
  for (const [path, says] of queries) assert.match((await refused(await fetch(post(path, rocket)), 400, "input/value")).message, says, path);
  const { message } = await refused(await fetch(postJson("/v1/embeddings?pool=first", { input: image })), 400, "input/value");
  assert.match(message, /The query of \/v1\/embeddings has no option "pool"/);
});

test("values nested thousands of times are refused as any other", async () => {
  const logged: unknown[] = [];
  const { fetch } = server({ onError: (error) => logged.push(error) });
  for (const deep of ["[".repeat(200_000) + "]".repeat(200_000), '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000)]) {
    for (const name of ["input", "pool", "normalize", "encoding_format", "dimensions", "model", "unknown"]) {
      const body = name === "input" ? `{"input": ${deep}}` : `{"input": "${image}", "${name}": ${deep}}`;
      const [status, code] = name === "model" ? [404, "model_not_found"] as const : [400, "input/value"] as const;
      await refused(await fetch(post("/v1/embeddings", body, "application/json")), status, code);
    }
    await refused(await fetch(post("/v1/embeddings", `{"input": [${deep}]}`, "application/json")), 400, "input/value");
  }
  assert.deepEqual(logged, []);
});

test("top_k that is no number is shown as it came", async () => {
  const head = await pipeline("image-classification", "tests/goldens/classifiers/classify-single", { dtype: "fp32" });
  assert.ok(head.model instanceof IJepaForImageClassification);
  const { fetch } = createServer(head);
  for (const top of ["x", "-1", "1.5", "1e3", "", "99999999999999999999"]) {
    const { message } = await refused(await fetch(post(`/classify?top_k=${top}`, rocket)), 400, "input/value");
    assert.ok(message.includes(JSON.stringify(top)), message);
  }
  await head.dispose();
});

test("createServer: unknown options, and values that cannot be", () => {
  const make = (options: unknown) => () => createServer(extract, options as ServerOptions);
  assert.throws(make({ maxPixel: 5 }), (error) => isIJepaError(error, "input/value") && /"maxPixel"; did you mean "maxPixels"/.test(error.message));
  for (const options of [{ maxBody: 0 }, { timeout: Infinity }, { timeout: NaN }, { concurrency: -1 }, { cors: "example.org" }, { cors: "https://a.org/path" }, { cors: "" }]) {
    assert.throws(make(options), (error) => isIJepaError(error, "input/value"), JSON.stringify(options));
  }
  for (const options of [7, "x", { maxBody: "20MiB" }, { timeout: "5" }, { name: 7 }, { fetchImage: "yes" }, { onError: {} }, { cors: 7 }, { cors: [7] }]) {
    assert.throws(make(options), TypeError, JSON.stringify(options));
  }
  for (const options of [null, undefined, { name: null, cors: null, timeout: null }]) make(options)();
  for (const pipeline of [undefined, null, "models/demo", {}, extract.model, Promise.resolve(extract)]) {
    assert.throws(() => createServer(pipeline as ServedPipeline), { name: "TypeError", message: /what pipeline\(...\) resolves to/ });
  }
});

test("GET /v1/models/NAME", async () => {
  for (const name of ["tiny", "facebook/ijepa_vith14_1k", "a b?c"]) {
    const { fetch } = server({ name });
    const get = (path: string) => fetch(new Request(`http://server/v1/models/${path}`));
    const expected = { id: name, object: "model", created: 0, owned_by: "ijepa" };
    assert.deepEqual(await answer(await get(encodeURIComponent(name))), expected);
    if (name.includes("/")) assert.deepEqual(await answer(await get(name)), expected);
    const { param, message } = await refused(await get("other"), 404, "model_not_found");
    assert.deepEqual([param, message.includes(JSON.stringify(name))], ["model", true], message);
    await refused(await get("%zz"), 404, "model_not_found");
    await refused(await get(""), 404, "request/path");
    assert.match(await (await fetch(new Request("http://server/metrics"))).text(), /route="\/v1\/models\/\{name\}",status="200"/);
  }
});

test("embeddings come out the same under every name of the default", async () => {
  const { fetch } = server();
  const digest = async (query: string) => (await answer<Embedding>(await fetch(post(`/embed${query}`, rocket)))).numerics.digest;
  assert.equal(await digest("?pool=mean&normalize=false&encoding_format=float"), await digest(""));
});

