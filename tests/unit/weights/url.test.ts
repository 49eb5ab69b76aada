/** Models over HTTP: ranges, statuses, failures in the middle. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { readRange } from "../../../ts-api/src/weights/sources/bytes.js";
import { openUrl, openUrlIfPresent } from "../../../ts-api/src/weights/sources/url.js";
import { failure, MODELS } from "./helpers.js";

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** First path element: how the server behaves. */
const routes = new Map<string, Handler>();
const requests: string[] = [];
let sentBytes = 0;
let origin = "";

const server = createServer((request, response) => {
  const [, route] = (request.url ?? "").split(/[/?]/);
  requests.push(`${request.method} ${request.url} ${request.headers.range ?? "whole"}`);
  void (routes.get(route) ?? missing)(request, response);
});

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => {
  server.close();
  server.closeAllConnections();
});

function missing(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404).end("nothing");
}

const data = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31) >> 3);

interface Behaviour {
  ranges: boolean;
  etag?: () => string;
  /** Content-Range of a part; null hides it. */
  contentRange?: (start: number, end: number, size: number) => string | null;
  body?: (part: Uint8Array) => Uint8Array;
  length?: boolean;
}

function serve(bytes: Uint8Array, { ranges, etag, contentRange, body, length = true }: Behaviour): Handler {
  return (request, response) => {
    if (etag !== undefined) response.setHeader("etag", etag());
    const range = ranges ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") : null;
    if (range === null) {
      sentBytes += request.method === "HEAD" ? 0 : bytes.length;
      if (length) response.setHeader("content-length", bytes.length);
      response.writeHead(200).end(request.method === "HEAD" ? undefined : bytes);
      return;
    }
    const start = Number(range[1]);
    const end = Math.min(Number(range[2]), bytes.length - 1);
    if (start > end) {
      response.writeHead(416).end();
      return;
    }
    const header = contentRange === undefined ? `bytes ${start}-${end}/${bytes.length}` : contentRange(start, end, bytes.length);
    if (header !== null) response.setHeader("content-range", header);
    const part = bytes.subarray(start, end + 1);
    sentBytes += part.length;
    response.writeHead(206).end(body === undefined ? part : body(part));
  };
}

/** Serves the golden models, as `serve` does. */
function serveModels(ranges: boolean): Handler {
  return async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "", origin).pathname).split("/").slice(2).join("/");
    const bytes = await readFile(`${MODELS}/${path}`).catch(() => undefined);
    await (bytes === undefined ? missing : serve(bytes, { ranges }))(request, response);
  };
}

test("a sharded model over HTTP is the model on disk; with ranges, no byte of a tensor travels twice", async () => {
  routes.set("models", serveModels(true));
  requests.length = sentBytes = 0;
  const remote = await openCheckpoint(`${origin}/models/like-vith14/?token=secret#part`);
  const local = await openCheckpoint(`${MODELS}/like-vith14`);
  assert.deepEqual(remote.config, local.config);
  assert.deepEqual(remote.preprocessorConfig, local.preprocessorConfig);
  assert.ok(sentBytes < 8 * 65536, `${sentBytes} bytes to open`);
  assert.ok(requests.every((line) => line.includes("?token=secret")));
  let total = 0;
  sentBytes = 0;
  for (const name of local.tensors.keys()) {
    const data = await remote.tensor(name);
    assert.deepEqual(data, await local.tensor(name));
    total += data.byteLength;
  }
  assert.ok(sentBytes <= total, `${sentBytes} bytes for ${total}`);
  assert.ok(!remote.tensors.get("layernorm.bias")?.file.includes("secret"));
  await local.close();
  await remote.close();
});

test("a server without ranges is asked once per file", async () => {
  routes.set("models", serveModels(false));
  requests.length = 0;
  const remote = await openCheckpoint(`${origin}/models/tiny`);
  const local = await openCheckpoint(`${MODELS}/tiny`);
  for (const name of local.tensors.keys()) assert.deepEqual(await remote.tensor(name), await local.tensor(name));
  assert.equal(requests.length, 3);
  await local.close();
  await remote.close();
});

test("sizes come from Content-Range, else from HEAD, else from the whole", async () => {
  const behaviours: [name: string, Behaviour, requests: number][] = [
    ["ranges", { ranges: true }, 2],
    ["hidden", { ranges: true, contentRange: () => null }, 3],
    ["unknown", { ranges: true, contentRange: (start, end) => `bytes ${start}-${end}/*` }, 3],
    ["chunked", { ranges: true, contentRange: () => null, length: false }, 3],
    ["whole", { ranges: false }, 1],
    ["stream", { ranges: false, length: false }, 1],
  ];
  for (const [name, behaviour, count] of behaviours) {
    routes.set(name, serve(data, behaviour));
    requests.length = 0;
    const source = await openUrl(`${origin}/${name}`);
    assert.equal(source.size, data.length, name);
    assert.deepEqual(await readRange(source, 10, 20), data.slice(10, 30), name);
    assert.deepEqual(await readRange(source, 65500, 100_000), data.slice(65500, 165_500), name);
    assert.equal(requests.length, count, requests.join("\n"));
    assert.deepEqual(await readRange(source, data.length - 1, 1), data.slice(-1), name);
    assert.equal((await readRange(source, data.length, 0)).length, 0, name);
    await source.close();
  }
});

test("an empty file has size 0", async () => {
  for (const ranges of [true, false]) {
    routes.set("empty", serve(new Uint8Array(0), { ranges }));
    assert.equal((await openUrl(`${origin}/empty`)).size, 0);
  }
});

test("statuses: 404 and 410 are absence, others are io/read with the status", async () => {
  for (const status of [401, 403, 404, 410, 429, 500, 503]) {
    routes.set("status", (_, response) => void response.writeHead(status).end("no"));
    const absent = status === 404 || status === 410;
    const error = await failure("io/read", () => openUrl(`${origin}/status?key=secret`));
    assert.match(error.message, absent ? /404/ : new RegExp(`HTTP status ${status}`));
    assert.equal(error.details.path, `${origin}/status`);
    if (absent) assert.equal(await openUrlIfPresent(`${origin}/status`), undefined);
    else await failure("io/read", () => openCheckpoint(`${origin}/status`));
  }
  const error = await failure("config/missing", () => openCheckpoint(`${origin}/nowhere/at/all`));
  assert.equal(error.details.file, `${origin}/nowhere/at/all/config.json`);
});

test("a failure in the middle of a model", async () => {
  const models = serveModels(true);
  routes.set("models", (request, response) => {
    if (request.headers.range !== "bytes=0-65535") response.writeHead(503).end();
    else return models(request, response);
  });
  const checkpoint = await openCheckpoint(`${origin}/models/like-vitg16`);
  const error = await failure("io/read", () => checkpoint.tensor("layernorm.weight"));
  assert.match(error.message, /model\.safetensors.*503/);
  await checkpoint.close();
});

test("a file that changes while it is read is noticed", async () => {
  let version = 1;
  routes.set("tag", serve(data, { ranges: true, etag: () => `"${version}"` }));
  const tagged = await openUrl(`${origin}/tag`);
  assert.equal((await readRange(tagged, 100_000, 8)).length, 8);
  version = 2;
  assert.match((await failure("io/read", () => readRange(tagged, 100_000, 8))).message, /changed/);

  let size = data.length;
  routes.set("size", serve(data, { ranges: true, contentRange: (start, end) => `bytes ${start}-${end}/${size}` }));
  const sized = await openUrl(`${origin}/size`);
  size++;
  assert.match((await failure("io/read", () => readRange(sized, 100_000, 8))).message, /changed/);
});

test("what is read lies in the memory that was handed over, for bodies of bytes and for other streams", async () => {
  const streams = {
    bytes: (part: Uint8Array<ArrayBuffer>) => new Response(part).body,
    other: (part: Uint8Array<ArrayBuffer>) =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < part.length; at += 999) controller.enqueue(part.subarray(at, at + 999));
          controller.close();
        },
      }),
  };
  for (const [kind, streamOf] of Object.entries(streams)) {
    const source = await openUrl("http://caller/file", {
      fetch: async (_url, init) => {
        const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init!.headers).get("range")!)!;
        const part = data.slice(Number(first), Number(last) + 1);
        return new Response(streamOf(part), { status: 206, headers: { "content-range": `bytes ${first}-${Number(first) + part.length - 1}/${data.length}` } });
      },
    });
    for (const [offset, length] of [[10, 500], [60_000, 140_000]]) {
      const into = new Uint8Array(length), read = await source.read(offset, length, undefined, into);
      assert.equal(read.buffer, into.buffer, `${kind}, ${length} bytes`);
      assert.deepEqual(read, data.subarray(offset, offset + length), `${kind}, ${length} bytes`);
    }
    await failure("io/read", () => readRange(source, 199_999, 2));
  }
});

test("servers that lie about parts are refused", async () => {
  const lies: Behaviour[] = [
    { ranges: true, body: (part) => part.subarray(1) },
    { ranges: true, body: (part) => new Uint8Array([...part, 0]) },
    { ranges: true, contentRange: (start, end, size) => `bytes ${start + 1}-${end + 1}/${size}` },
  ];
  for (const lie of lies) {
    let honest = true;
    const truth = serve(data, { ranges: true });
    routes.set("liar", (request, response) => (honest ? truth : serve(data, lie))(request, response));
    const source = await openUrl(`${origin}/liar`);
    honest = false;
    assert.match((await failure("io/read", () => readRange(source, 100_000, 1000))).message, /the server sent/);
  }
  let ranges = true;
  routes.set("fickle", (request, response) => serve(data, { ranges })(request, response));
  const source = await openUrl(`${origin}/fickle`);
  ranges = false;
  await failure("io/read", () => readRange(source, 100_000, 1000));
});

test("more than maxBytes is refused, with ranges and without", async () => {
  for (const ranges of [true, false]) {
    routes.set("large", serve(data, { ranges }));
    await failure("io/read", () => openUrl(`${origin}/large`, { maxBytes: data.length - 1 }));
    assert.equal((await openUrl(`${origin}/large`, { maxBytes: data.length })).size, data.length);
  }
});

test("aborting during a request stops it", async () => {
  for (const answered of [false, true]) {
    const controller = new AbortController();
    routes.set("stall", (_, response) => {
      if (answered) response.writeHead(200, { "content-length": 100 }).write("some");
      setImmediate(() => controller.abort());
    });
    await failure("aborted", () => openUrl(`${origin}/stall`, { signal: controller.signal }));
  }
  const controller = new AbortController();
  const models = serveModels(true);
  let stalled = false;
  routes.set("models", (request, response) => {
    if (stalled) setImmediate(() => controller.abort());
    else return models(request, response);
  });
  const checkpoint = await openCheckpoint(`${origin}/models/like-vitg16`);
  stalled = true;
  await failure("aborted", () => checkpoint.tensor("encoder.layer.2.output.dense.weight", controller.signal));
  await failure("aborted", () => openUrl(`${origin}/models`, { signal: AbortSignal.abort() }));
});

test("broken connections and bad URLs", async () => {
  routes.set("cut", (request, response) => {
    response.writeHead(200, { "content-length": 100 }).write("some");
    setImmediate(() => request.socket.destroy());
  });
  await failure("io/read", () => openUrl(`${origin}/cut`));
  routes.set("drop", (request) => void request.socket.destroy());
  await failure("io/read", () => openUrl(`${origin}/drop`));
  for (const url of ["", "relative/path", "ftp://127.0.0.1/x", "http://", "file:///x"]) await failure("input/value", () => openUrl(url));
});

test("a caller's fetch is used, and what it throws is io/read", async () => {
  const seen: string[] = [];
  const own: typeof fetch = async (input, init) => {
    seen.push(input instanceof Request ? input.url : input.toString());
    return fetch(input, init);
  };
  routes.set("models", serveModels(true));
  const checkpoint = await openCheckpoint(`${origin}/models/act-relu`, { fetch: own });
  await checkpoint.tensor("layernorm.weight");
  await checkpoint.close();
  assert.ok(seen.includes(`${origin}/models/act-relu/config.json`));
  const rejecting = (): Promise<Response> => Promise.reject(new RangeError("no network here"));
  assert.match((await failure("io/read", () => openUrl(`${origin}/x`, { fetch: rejecting }))).message, /no network here/);
});
