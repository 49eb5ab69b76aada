/** `loadImage`: every kind of source, limits, failures. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { loadImage } from "../../../ts-api/src/image/source.js";
import type { ImageSource } from "../../../ts-api/src/image/source.js";
import { sha256 } from "../../support/sha256.js";
import { fails, GOLDENS, readBytes } from "./helpers.js";

const path = `${GOLDENS}/files/jpeg-1x1.jpg`;
const file = readBytes("files/jpeg-1x1.jpg");
const rgb = "b36679efed9a24d36e3bcc35c962388e437100a37ec901cb508be4499237f0eb";
const base64 = Buffer.from(file).toString("base64");

let address = "";
const server = createServer((request, response) => {
  if (request.url === "/cat.jpg") response.end(file);
  else if (request.url === "/endless") {
    const timer = setInterval(() => response.write(new Uint8Array(4096)), 1);
    response.on("close", () => clearInterval(timer));
  } else if (request.url === "/silent") request.resume();
  else response.writeHead(404).end();
});
before(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

async function loads(source: ImageSource): Promise<void> {
  const image = await loadImage(source);
  assert.deepEqual([image.width, image.height, image.channels], [1, 1, 3]);
  assert.equal(sha256(image.data as Uint8Array), rgb);
}

test("a path and a file: URL", async () => {
  await loads(path);
  await loads(pathToFileURL(resolve(path)));
  await loads(pathToFileURL(resolve(path)).href);
});

test("a file: URL that is none is told", async () => {
  for (const url of ["file:///%E0%A4%A.png", "file:///100%.png", "file://a b/c.png"]) await fails(() => loadImage(url), "io/read", /not a valid file: URL/);
});

test("bytes of a file, in an array or a buffer", async () => {
  await loads(file);
  await loads(file.slice().buffer);
  await loads(Buffer.from(file));
});

test("a data: URL, also percent-encoded and with line breaks", async () => {
  await loads(`data:image/jpeg;base64,${base64}`);
  await loads(`DATA:;base64,${encodeURIComponent(base64)}`);
  await loads(`data:image/png;name=x;base64,${base64.replace(/(.{76})/g, "$1\n")}`);
});

test("an http: URL", async () => {
  await loads(`${address}/cat.jpg`);
  await loads(new URL(`${address}/cat.jpg`));
});

test("raw pixels come back as they are, without alpha", async () => {
  const grey = { data: Uint8Array.of(5, 6), width: 2, height: 1, channels: 1 };
  assert.deepEqual(await loadImage(grey), grey);
  const rgba = { data: Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 255), width: 2, height: 1, channels: 4 };
  assert.deepEqual(await loadImage(rgba), { data: Uint8Array.of(1, 2, 3, 4, 5, 6), width: 2, height: 1, channels: 3 });
  const greyAlpha = { data: Uint8Array.of(9, 0), width: 1, height: 1, channels: 2 };
  assert.deepEqual(await loadImage(greyAlpha), { data: Uint8Array.of(9), width: 1, height: 1, channels: 1 });
});

test("a canvas's ImageData, which has no channels, is RGBA", async () => {
  const imageData = { data: Uint8ClampedArray.of(1, 2, 3, 255), width: 1, height: 1 };
  assert.deepEqual((await loadImage(imageData)).data, Uint8Array.of(1, 2, 3));
});

test("what cannot be read is io/read, with its name", async () => {
  await fails(() => loadImage("no/such/cat.jpg"), "io/read", /no\/such\/cat\.jpg/);
  await fails(() => loadImage(GOLDENS), "io/read", /folder/);
  await fails(() => loadImage(`${address}/dog.jpg`), "io/read", /dog\.jpg: the server answers 404/);
  await fails(() => loadImage("http://127.0.0.1:1/cat.jpg"), "io/read", /fetch failed/);
  await fails(() => loadImage("data:image/png,abc"), "io/read", /;base64/);
  await fails(() => loadImage("data:image/png;base64"), "io/read", /;base64/);
  await fails(() => loadImage("data:image/png;base64,!!!"), "io/read", /not base64/);
});

test("the byte limit holds for files, URLs and data: URLs", async () => {
  await fails(() => loadImage(path, { maxBytes: 100 }), "io/read", /at least 632 bytes, over the limit of 100/);
  await fails(() => loadImage(`${address}/cat.jpg`, { maxBytes: 100 }), "io/read", /over the limit of 100/);
  await fails(() => loadImage(`${address}/endless`, { maxBytes: 10_000 }), "io/read", /over the limit of 10000/);
  await fails(() => loadImage(`data:;base64,${base64}`, { maxBytes: 100 }), "io/read", /over the limit of 100/);
});

test("an aborted signal stops before and during the download", async () => {
  await fails(() => loadImage(path, { signal: AbortSignal.abort() }), "aborted");
  const controller = new AbortController();
  const loading = fails(() => loadImage(`${address}/silent`, { signal: controller.signal }), "aborted", /silent/);
  setTimeout(() => controller.abort(), 20);
  await loading;
});

test("errors of decoding carry the name of the source", async () => {
  await fails(() => loadImage("package.json"), "image/unsupported", /package\.json is not an image/);
  await fails(() => loadImage(`${GOLDENS}/files/gif.gif`), "image/unsupported", /gif\.gif: GIF/);
  await fails(() => loadImage(file.subarray(0, 300), { source: "photo 7" }), "image/corrupt", /photo 7/);
  await fails(() => loadImage(`data:;base64,${base64.slice(0, 400)}`), "image/corrupt", /data:;base64.{20}\.\.\. is a broken JPEG/);
  await fails(() => loadImage(path, { maxPixels: 0.5 }), "image/too-large", /jpeg-1x1\.jpg has 1 x 1 pixels/);
});

test("something else is a TypeError; wrong raw pixels are named", async () => {
  for (const source of [undefined, null, 7, {}, { data: null, width: 1, height: 1 }]) {
    await assert.rejects(() => loadImage(source as unknown as ImageSource), TypeError);
  }
  const tooLong = { data: new Uint8Array(5), width: 1, height: 1, channels: 3 };
  await fails(() => loadImage(tooLong), "input/shape", /image of 1 x 1 pixels with 3 channels needs 3 bytes, but has 5/);
  await fails(() => loadImage({ data: new Uint8Array(0), width: 0, height: 0, channels: 3 }), "image/empty");
});
