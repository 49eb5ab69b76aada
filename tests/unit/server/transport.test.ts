/** What comes around a request: compressed bodies, other origins, images by URL, and what the log is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { IJepaError } from "../../../ts-api/src/index.js";
import { createServer, type FetchImage } from "../../../ts-api/src/server/index.js";
import { answer, bytesOf, dataUrl, extract, post, postJson, refused, server, type Embedding } from "./helpers.js";

const rocket = bytesOf("rocket.jpg");
const digest = (await extract(rocket, { pool: "mean" })).numerics.digest;

test("compressed bodies", async () => {
  const { fetch } = server({ maxBody: 300_000 });
  const send = (body: Uint8Array, coding: string, path = "/embed", type = "image/jpeg") =>
    fetch(post(path, body as BodyInit, type, { headers: { "content-type": type, "content-encoding": coding, "content-length": String(body.length) } }));
  for (const [body, coding] of [[gzipSync(rocket), "gzip"], [gzipSync(rocket), "X-GZIP"], [deflateSync(rocket), "deflate"], [rocket, "identity"], [rocket, ""]] as const) {
    assert.equal((await answer<Embedding>(await send(body, coding))).numerics.digest, digest, coding);
  }
  const json = gzipSync(JSON.stringify({ input: dataUrl("rocket.jpg") }));
  assert.equal((await answer<{ data: Embedding[] }>(await send(json, "gzip", "/v1/embeddings", "application/json"))).data[0].numerics.digest, digest);

  const refusedCodings: [body: Uint8Array, coding: string][] = [[brotliCompressSync(rocket), "br"], [gzipSync(gzipSync(rocket)), "gzip, gzip"], [rocket, "zip"], [rocket, "toString"]];
  for (const [body, coding] of refusedCodings) {
    const response = await send(body, coding);
    assert.equal(response.headers.get("accept-encoding"), "gzip, deflate");
    await refused(response, 415, "request/encoding");
  }
  for (const body of [rocket, gzipSync(rocket).subarray(0, 5000), new Uint8Array(0)]) await refused(await send(body, "gzip"), 400, "request/encoding");
  await refused(await send(gzipSync(new Uint8Array(100 * 2 ** 20)), "gzip"), 413, "request/too-large");
  assert.match(await (await fetch(new Request("http://server/metrics"))).text(), /^ijepa_body_bytes_in_flight 0$/m);
});

test("other origins: none unless they are named; answers, refusals and OPTIONS say so", async () => {
  const ask = (path: string, origin: string, init: RequestInit = {}) => new Request(`http://server${path}`, { ...init, headers: { ...init.headers, origin } });
  const preflight = { method: "OPTIONS", headers: { "access-control-request-method": "POST", "access-control-request-headers": "content-type, authorization" } };
  const allowed = (response: Response) => response.headers.get("access-control-allow-origin");
  const plain = server();
  const options = await plain.fetch(ask("/embed", "https://a.org", preflight));
  assert.deepEqual([options.status, options.headers.get("allow"), allowed(options)], [204, "POST, OPTIONS", null]);
  assert.equal(allowed(await plain.fetch(ask("/healthz", "https://a.org"))), null);

  const cases: [cors: string | string[], origin: string, expected: string | null][] = [
    ["*", "https://a.org", "*"], ["https://a.org", "https://a.org", "https://a.org"], ["https://A.org:443/", "https://a.org", "https://a.org"],
    ["https://a.org", "https://b.org", null], [["https://a.org", "http://localhost:3000"], "http://localhost:3000", "http://localhost:3000"],
    ["chrome-extension://abc", "chrome-extension://abc", "chrome-extension://abc"],
  ];
  for (const [cors, origin, expected] of cases) {
    const { fetch } = server({ cors });
    const before = await fetch(ask("/embed", origin, preflight));
    assert.deepEqual([before.status, allowed(before)], [204, expected], origin);
    assert.match(before.headers.get("access-control-allow-methods")!, /POST/);
    assert.match(before.headers.get("access-control-allow-headers")!, /content-type/);
    const good = await fetch(ask("/embed", origin, { method: "POST", body: rocket, headers: { "content-type": "image/jpeg" } }));
    assert.deepEqual([good.status, allowed(good)], [200, expected]);
    for (const path of ["/embed", "/nowhere", "/v1/models/other"]) {
      const bad = await fetch(ask(path, origin));
      assert.deepEqual([bad.status >= 400, allowed(bad)], [true, expected], path);
    }
  }
});

/** A host of images that answers after a moment, and counts how many it is asked for at a time. */
function host(milliseconds: number): { fetchImage: FetchImage; most(): number } {
  let now = 0, most = 0;
  return {
    most: () => most,
    async fetchImage(url, { signal }) {
      most = Math.max(most, ++now);
      try {
        await sleep(milliseconds, undefined, { signal });
        if (url.pathname === "/absent") throw new IJepaError("io/read", "Cannot read an image from host: the server answers 404.", { path: "host" });
        if (url.pathname === "/bug") throw new Error("secret bug");
        return rocket;
      } finally {
        now--;
      }
    },
  };
}

const urls = (count: number, path = "photo") => Array.from({ length: count }, (_, i) => `https://host/${path}?${i}`);

test("as many URLs as a request may have, in several requests at once: all are answered, a few are downloaded at a time", async () => {
  const { fetchImage, most } = host(2);
  const { fetch } = server({ fetchImage, maxBody: 1_000_000 });
  const requests = [urls(8), urls(64), urls(20), [dataUrl("rocket.jpg"), ...urls(9)]];
  const responses = await Promise.all(requests.map((input) => fetch(postJson("/v1/embeddings", { input }))));
  for (const [i, response] of responses.entries()) {
    const { data } = await answer<{ data: Embedding[] }>(response);
    assert.deepEqual(data.map(({ numerics }) => numerics.digest), requests[i].map(() => digest));
  }
  assert.equal(most(), 8);
});

test("URLs that cannot be used are refused by their place, and leave room for others", async () => {
  const logged: unknown[] = [];
  const { fetchImage } = host(1);
  const { fetch } = server({ fetchImage, onError: (error) => logged.push(error) });
  for (const bad of ["http:", "https://[", "http://", "http://a b/", "http://localhost:99999/", "https://host/absent"]) {
    const code = bad.endsWith("absent") ? "io/read" : "input/value";
    for (let i = 0; i < 10; i++) {
      const { param } = await refused(await fetch(postJson("/v1/embeddings", { input: [...urls(1), bad] })), 400, code);
      assert.equal(param, "input[1]", bad);
    }
  }
  assert.deepEqual(logged, []);
  await answer(await fetch(postJson("/v1/embeddings", { input: urls(64) })));
});

test("a host that does not answer: 503 after the time limit, also for those that wait for it; then others are served", async () => {
  let stalls = true;
  const fetchImage: FetchImage = (_, { signal }) =>
    stalls ? new Promise((__, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))) : Promise.resolve(rocket);
  const { fetch } = server({ fetchImage, timeout: 3000 });
  for (const response of await Promise.all([fetch(postJson("/v1/embeddings", { input: urls(20) })), fetch(postJson("/v1/embeddings", { input: urls(1) }))])) {
    await refused(response, 503, "server/overdue");
  }
  stalls = false;
  await answer(await fetch(postJson("/v1/embeddings", { input: urls(8) })));
});

test("unexpected failures of /v1/embeddings reach the log, and not the client", async () => {
  const logged: unknown[] = [];
  const { model, processor } = extract;
  const secret = new Error("secret path");
  const failing = Object.assign(Object.create(model) as typeof model, { config: model.config, forward: () => Promise.reject(secret) });
  const { fetch } = createServer({ model: failing, processor }, { onError: (error) => logged.push(error) });
  const { message, param } = await refused(await fetch(postJson("/v1/embeddings", { input: [dataUrl("rocket.jpg")] })), 500, "internal");
  assert.deepEqual([message.includes("secret"), param, logged], [false, "input[0]", [secret]]);
  const { fetchImage } = host(1);
  const other = server({ fetchImage, onError: (error) => logged.push(error) });
  await refused(await other.fetch(postJson("/v1/embeddings", { input: ["https://host/bug"] })), 500, "internal");
  assert.match((logged[1] as Error).message, /secret bug/);
  // What a model's own files lack is the server's fault, and its paths are nobody's business.
  const gone = new IJepaError("weights/missing", "/secret/model.safetensors is gone.", { what: "file", names: [] });
  const streaming = Object.assign(Object.create(model) as typeof model, { config: model.config, forward: () => Promise.reject(gone) });
  const answered = await refused(await createServer({ model: streaming, processor }, { onError: (error) => logged.push(error) }).fetch(post("/embed", rocket)), 500, "internal");
  assert.deepEqual([answered.message.includes("secret"), logged[2]], [false, gone]);
});
