/** Images in what browsers and servers hand around, with limits on time and size; pixels that a browser has drawn: tests/package. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { runInNewContext } from "node:vm";
import { loadImage, type ImageSource, type LoadImageOptions } from "../../../ts-api/src/image/source.js";
import { sha256 } from "../../support/sha256.js";
import { fails, readBytes } from "./helpers.js";

const file = new Uint8Array(readBytes("files/jpeg-1x1.jpg"));
const rgb = sha256((await loadImage(file)).data);
const big = new Uint8Array(100_000);

let address = "";
const server = createServer((request, response) => {
  if (request.url === "/silent") return;
  if (request.url === "/cat.jpg") return void response.end(file);
  if (request.url === "/members") {
    const isKnown = request.headers.authorization === `Basic ${Buffer.from("user:p@s%").toString("base64")}`;
    return void response.writeHead(isKnown ? 200 : 401).end(isKnown ? file : "");
  }
  if (request.url === "/proxy") return void response.writeHead(407).end();
  response.writeHead(200, { "content-type": "image/jpeg", "content-length": String(file.length) }).write(file.subarray(0, 1));
  if (request.url !== "/trickle") return;
  let at = 1;
  const timer = setInterval(() => response.write(file.subarray(at, ++at)), 20);
  response.on("close", () => clearInterval(timer));
});
before(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

function streamOf(...chunks: unknown[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk as Uint8Array);
      controller.close();
    },
  });
}

test("everything that carries the bytes of a file gives the same pixels", async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(file.length));
  shared.set(file);
  const sources: ImageSource[] = [
    new Blob([file]), new File([file], "cat.jpg", { type: "image/jpeg" }), new Response(file), new Response(new Blob([file])), streamOf(file),
    streamOf(file.subarray(0, 10), new Uint8Array(0), file.subarray(10)), new Blob([file]).stream(), new Uint8ClampedArray(file), new DataView(file.buffer), shared, shared.buffer,
    await fetch(`${address}/cat.jpg`), runInNewContext("Uint8Array.from(bytes)", { bytes: file }) as Uint8Array, runInNewContext("Uint8Array.from(bytes).buffer", { bytes: file }) as ArrayBuffer,
  ];
  for (const source of sources) assert.equal(sha256((await loadImage(source)).data as Uint8Array), rgb, Object.prototype.toString.call(source));
});

test("carriers that cannot be read", async () => {
  const used = new Response(file);
  await used.arrayBuffer();
  await fails(() => loadImage(used), "io/read", /body of the response was read before/);
  await fails(() => loadImage(new Response("no", { status: 404, statusText: "Not Found" })), "io/read", /answers 404 Not Found/);
  await fails(() => loadImage(Response.error()), "io/read", /answers 0/);
  await fails(() => loadImage(new Response(null)), "image/empty");
  await fails(() => loadImage(new Blob([])), "image/empty");
  const locked = streamOf(file);
  locked.getReader();
  await fails(() => loadImage(locked), "io/read", /being read, or was read before/);
  await fails(() => loadImage(new ReadableStream({ start: (controller) => controller.error(new Error("cable cut")) })), "io/read", /cable cut/);
  await assert.rejects(loadImage(streamOf("text")), { name: "TypeError", message: 'the image must be a stream of Uint8Array, but gives "text".' });
  for (const source of [new Blob([big]), new Response(big), streamOf(big), streamOf(...new Array<unknown>(50).fill(big))]) {
    await fails(() => loadImage(source, { maxBytes: 99_999 }), "io/read", /over the limit of 99999/);
  }
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(big), cancel: () => void (cancelled = true) });
  await fails(() => loadImage(endless, { maxBytes: 1e6 }), "io/read", /over the limit/);
  assert.ok(cancelled);
  const controller = new AbortController(), stuck = new ReadableStream<Uint8Array>({ start: () => controller.abort() });
  await fails(() => loadImage(stuck, { signal: controller.signal }), "aborted");
});

test("a name and a password in a URL go along as curl sends them, and are shown nowhere", async () => {
  assert.equal(sha256((await loadImage(`${address.replace("//", "//user:p%40s%@")}/members`)).data as Uint8Array), rgb);
  for (const path of ["members", "cat.jpg?x"]) {
    const url = `${address.replace("//", "//user:secret@")}/${path}`;
    await assert.rejects(loadImage(url), (error: Error) => !/user|secret/.test(error.message) && error.message.includes(`${address}/`));
  }
});

test("bytes that were given away, limits that are none, hosts that cannot draw, other kinds of URLs", async () => {
  const buffer = file.slice().buffer, view = new Uint8Array(buffer);
  structuredClone(buffer, { transfer: [buffer] });
  for (const gone of [buffer, view]) await assert.rejects(loadImage(gone), { name: "TypeError", message: /their buffer was transferred/ });
  for (const maxBytes of [-1, NaN]) await fails(() => loadImage(file, { maxBytes }), "input/value", /maxBytes/);
  await fails(() => loadImage({ [Symbol.toStringTag]: "ImageBitmap", width: 2, height: 2 } as unknown as ImageSource), "io/read", /no canvas.*Pass the bytes/);
  for (const url of ["ftp://host/a.png", "s3://bucket/a.png"]) await fails(() => loadImage(url), "io/read", /a URL of a kind that cannot be read/);
  await fails(() => loadImage(`${address}/proxy`), "io/read", /407.*HTTPS_PROXY/);
  await assert.rejects(loadImage({ data: [1, 2, 3], width: 1, height: 1, channels: 3 } as unknown as ImageSource), { name: "TypeError", message: /8-bit pixels, not \[1, 2, 3\]/ });
});

test("a host that says nothing, stops in the middle, or sends a byte now and then is given up", async (t) => {
  for (const path of ["silent", "half", "trickle"]) {
    await fails(() => loadImage(`${address}/${path}`, { timeout: 150 }), "io/read", new RegExp(`${path}: it did not arrive within 0\\.15 s\\. Check the address, or raise timeout\\.`));
  }
  t.mock.method(globalThis, "fetch", () => new Promise(() => undefined));
  await fails(() => loadImage("https://example.invalid/photo.jpg", { timeout: 20 }), "io/read", /did not arrive/);
  for (const timeout of [0, -1, NaN, Infinity]) await fails(() => loadImage(file, { timeout }), "input/value", /timeout/);
  await assert.rejects(loadImage(file, { timeout: "5" } as unknown as LoadImageOptions), { name: "TypeError", message: 'timeout must be a number, not "5".' });
});

test("without `timeout` there is a limit of a minute", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(globalThis, "fetch", () => new Promise(() => undefined));
  const failing = fails(() => loadImage("https://example.invalid/photo.jpg"), "io/read", /within 60 s/);
  await new Promise((resolve) => setImmediate(resolve));
  t.mock.timers.tick(59_999);
  await new Promise((resolve) => setImmediate(resolve));
  t.mock.timers.tick(1);
  await failing;
});

test("a text that is no path is not repeated in full", async () => {
  const base64 = "A".repeat(4 * 2 ** 20);
  for (const [text, says] of [[base64, /4194304 characters.*data:image\/png;base64/], [`/tmp/${base64}`, /4194309 characters/], [`http://127.0.0.1:1/${base64}`, /Cannot read/]] as const) {
    await assert.rejects(loadImage(text), (error: Error & { details: { path: string } }) => says.test(error.message) && error.message.length < 1000 && error.details.path.length < 1000);
  }
});

test("what is no image says what came in", async () => {
  const wrong: [value: unknown, shown: string][] = [
    [undefined, "undefined"], [7, "7"], [{}, "an object"], [[file], "an array of 1"], [Promise.resolve(file), "a Promise"], [new Float32Array(4), "a Float32Array"], [new Map(), "a Map"],
    [new Request("http://x"), "a Request"], [() => file, "a function"],
  ];
  for (const [value, shown] of wrong) {
    await assert.rejects(loadImage(value as ImageSource), (error) => error instanceof TypeError && error.message.startsWith("An image must be a path, a URL") && error.message.endsWith(`not ${shown}.`), shown);
  }
});
