/** What clients do wrong, and how they are told. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { IJepaError } from "../../../ts-api/src/index.js";
import { answer, bytesOf, dataUrl, extract, post, postJson, refused, server, stuckBody, type Embedding } from "./helpers.js";
import { createServer } from "../../../ts-api/src/server/index.js";

const rocket = bytesOf("rocket.jpg");

test("images that cannot be used", async () => {
  const { fetch } = server({ maxPixels: 100_000 }), field = (name: string) => new Uint8Array(readFileSync(`tests/goldens/field/${name}`));
  const cases: [body: Uint8Array<ArrayBuffer>, status: number, code: string][] = [
    [bytesOf("gif.gif"), 415, "image/unsupported"],
    [new TextEncoder().encode("no image"), 415, "image/unsupported"],
    [new Uint8Array(0), 400, "image/empty"],
    [rocket.subarray(0, 1000), 400, "image/corrupt"],
    [bytesOf("webp-lossy.webp").subarray(0, 700), 400, "image/corrupt"],
    [rocket, 413, "image/too-large"],
    [field("slow-scans-1000.jpg"), 413, "image/too-complex"],
    [field("slow-texts-300.png"), 413, "image/too-complex"],
  ];
  for (const [body, status, code] of cases) {
    await refused(await fetch(post("/embed", body)), status, code);
    const input = [dataUrl("jpeg-1x1.jpg"), `data:;base64,${Buffer.from(body).toString("base64")}`];
    const { param, message } = await refused(await fetch(postJson("/v1/embeddings", { input })), status, code);
    assert.deepEqual([param, message.startsWith("input[1]")], ["input[1]", true], message);
  }
});

test("media types and sizes", async () => {
  const { fetch } = server({ maxBody: 1000 });
  for (const type of ["text/plain", "application/json", "multipart/form-data; boundary=x", "", "image/"]) {
    const { message } = await refused(await fetch(post("/embed", rocket, type)), 415, "request/type");
    assert.match(message, /image\/png/);
  }
  await refused(await fetch(post("/v1/embeddings", "{}", "text/plain")), 415, "request/type");
  const announced = post("/embed", rocket);
  announced.headers.set("content-length", String(rocket.length));
  await refused(await fetch(announced), 413, "request/too-large");
  const { body, cancelled } = stuckBody(rocket);
  await refused(await fetch(post("/embed", body, "image/jpeg", { duplex: "half" } as RequestInit)), 413, "request/too-large");
  await cancelled;
});

test("bodies of /v1/embeddings that say something else", async () => {
  const { fetch } = server({ concurrency: 3 });
  const image = dataUrl("jpeg-1x1.jpg");
  const cases: [body: unknown, status: number, code: string, param: string | null][] = [
    [[], 400, "request/json", null],
    [null, 400, "request/json", null],
    [{}, 400, "input/missing", null],
    [{ input: [] }, 400, "input/value", null],
    [{ input: [image, image, image, image] }, 400, "input/value", null],
    [{ input: 7 }, 400, "input/value", null],
    [{ input: [image, "a text"] }, 400, "input/value", null],
    [{ input: "file:///etc/hostname" }, 400, "input/value", null],
    [{ input: "data:image/png,abc" }, 400, "io/read", "input[0]"],
    [{ input: "data:;base64,%%%" }, 400, "io/read", "input[0]"],
    [{ input: "http://127.0.0.1/photo.png" }, 400, "request/url", "input[0]"],
    [{ input: image, model: "facebook/ijepa_vith14_1k" }, 404, "model_not_found", "model"],
    [{ input: image, encoding_format: "hex" }, 400, "input/value", null],
    [{ input: image, dimensions: 32 }, 400, "input/value", null],
    [{ input: image, normalize: 1 }, 400, "input/value", null],
    [{ input: image, pool: "none" }, 400, "input/value", null],
    [{ input: image, temperature: 1 }, 400, "input/value", null],
  ];
  for (const [body, status, code, param] of cases) {
    assert.equal((await refused(await fetch(postJson("/v1/embeddings", body)), status, code)).param, param, JSON.stringify(body));
  }
  for (const text of ["", "{", '{"input": "\\ud800'.slice(0, 12), "\xff\xfe"]) {
    await refused(await fetch(post("/v1/embeddings", Buffer.from(text, "latin1"), "application/json")), 400, "request/json");
  }
  for (const query of ["pool=max", "normalize=1", "encoding_format=hex"]) await refused(await fetch(post(`/embed?${query}`, rocket)), 400, "input/value");
});

test("JSON that takes long to parse is refused before it is parsed", async () => {
  const { fetch } = server(), length = 7_500_000;
  for (const bomb of [`[${"1,".repeat(length)}1]`, `{"a":[${"{},".repeat(length / 2)}1]}`, "[".repeat(2 * length), `{"input":"x","user":[${"0,".repeat(length)}0]}`]) {
    const { message } = await refused(await fetch(post("/v1/embeddings", bomb, "application/json")), 400, "request/json");
    assert.match(message, /^The body has more than 262144 values up to byte \d{6,7}\.$/);
  }
  // What an image is made of is no value, whatever stands in it.
  const long = `data:;base64,${'\\"[{,'.repeat(500_000)}`;
  await refused(await fetch(postJson("/v1/embeddings", { input: long })), 400, "io/read");
});

test("a body that does not come is given up: 408; a client that hangs up lets go of its place", async () => {
  const { fetch } = server({ timeout: 50 });
  const slow = stuckBody(rocket.subarray(0, 100));
  await refused(await fetch(post("/embed", slow.body, "image/jpeg", { duplex: "half" } as RequestInit)), 408, "request/timeout");
  await slow.cancelled;
  const broken = new ReadableStream({ start: (controller) => controller.error(new Error("gone")) });
  await refused(await fetch(post("/embed", broken, "image/jpeg", { duplex: "half" } as RequestInit)), 400, "request/cut");
  assert.match(await (await fetch(new Request("http://server/metrics"))).text(), /^ijepa_requests_in_flight 0$/m);
});

test("a client that hangs up while its image waits: the others are answered, and nothing is left", async () => {
  const { fetch } = server();
  const controller = new AbortController();
  const first = fetch(post("/embed", rocket)), gone = fetch(post("/embed", rocket, "image/jpeg", { signal: controller.signal })), last = fetch(post("/embed", rocket));
  setImmediate(() => controller.abort());
  await refused(await gone, 499, "aborted");
  for (const response of [await first, await last]) await answer<Embedding>(response);
  assert.match(await (await fetch(new Request("http://server/metrics"))).text(), /^ijepa_images_in_flight 0$/m);
});

test("too many images at once: 429 with Retry-After for those beyond the limit, right answers for the others", async () => {
  const { fetch } = server({ concurrency: 4 });
  const expected = (await extract(rocket, { pool: "mean" })).numerics.digest;
  const responses = await Promise.all(Array.from({ length: 12 }, () => fetch(post("/embed", rocket))));
  const good = responses.filter(({ status }) => status === 200), busy = responses.filter(({ status }) => status !== 200);
  assert.deepEqual([good.length, busy.length], [4, 8]);
  for (const response of good) assert.equal((await answer<Embedding>(response)).numerics.digest, expected);
  for (const response of busy) {
    assert.match(response.headers.get("retry-after")!, /^[1-9]\d?$/);
    assert.equal((await refused(response, 429, "server/busy")).type, "rate_limit_error");
  }
  const input = Array.from({ length: 3 }, () => dataUrl("jpeg-1x1.jpg"));
  const [a, b] = await Promise.all([fetch(postJson("/v1/embeddings", { input })), fetch(postJson("/v1/embeddings", { input }))]);
  assert.deepEqual([a.status, b.status], [200, 429]);
});

test("bodies that are too many bytes together, announced or not: 429", async () => {
  const { fetch } = server({ maxBody: rocket.length });
  for (const announce of [true, false]) {
    const full = () => {
      const request = post("/embed", rocket);
      if (announce) request.headers.set("content-length", String(rocket.length));
      return request;
    };
    const answers = await Promise.all(Array.from({ length: 9 }, () => fetch(full())));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [...new Array<number>(8).fill(200), 429]);
  }
});

test("stop: what was taken on is answered, the rest gets 503", async () => {
  const { fetch, stop } = server();
  const under = Promise.all(Array.from({ length: 5 }, () => fetch(post("/embed", rocket))));
  let stopped = false;
  const stopping = stop().then(() => (stopped = true));
  assert.equal((await fetch(new Request("http://server/healthz"))).status, 503);
  await refused(await fetch(post("/embed", rocket)), 503, "server/stopping");
  assert.equal(stopped, false);
  for (const response of await under) await answer<Embedding>(response);
  await stopping;
});

test("an answer that takes too long: 503", async () => {
  const { model, processor } = extract;
  const slow = Object.assign(Object.create(model) as typeof model, {
    config: model.config,
    forward: (_: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise((__, reject) => signal.addEventListener("abort", () => reject(new IJepaError("aborted", "Aborted while running layer 0.", { during: "" })))),
  });
  const { fetch } = createServer({ model: slow, processor }, { timeout: 50 });
  await refused(await fetch(post("/embed", rocket)), 503, "server/overdue");
});

test("failures of the server itself: 500 without a word about it, the log has it; a lost device: 503", async () => {
  const { model, processor } = extract;
  const failing = (error: Error) => Object.assign(Object.create(model) as typeof model, { config: model.config, forward: () => Promise.reject(error) });
  const logged: unknown[] = [];
  const secret = new Error("secret path");
  const options = { onError: (error: unknown) => logged.push(error) };
  const { message } = await refused(await createServer({ model: failing(secret), processor }, options).fetch(post("/embed", rocket)), 500, "internal");
  assert.ok(!message.includes("secret"));
  assert.deepEqual(logged, [secret]);
  const lost = new IJepaError("backend/lost", "The GPU device was lost.", { backend: "webgpu" });
  await refused(await createServer({ model: failing(lost), processor }, options).fetch(post("/embed", rocket)), 503, "backend/lost");
  assert.equal(logged.length, 1);
});
