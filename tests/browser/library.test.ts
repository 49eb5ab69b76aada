/** The library in a page of Chromium: addresses as pages write them, what people hold in browsers, and what a browser may lack. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { loadImage } from "../../ts-api/src/image/source.js";
import { noChromium } from "../support/chromium.js";
import { sha256 } from "../support/sha256.js";
import { closeBrowser, inPage } from "./page.js";

interface Failure {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
}

const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const options = { skip: noChromium ?? false };
const pixels = async (name: string) => sha256((await loadImage(`examples/photos/${name}`)).data);
after(closeBrowser);

test("a model and photos by addresses relative to the page", options, async () => {
  const digests = await inPage(`
    const found = [];
    for (const model of ["/models/demo", "../../models/demo", "./../../models/demo/", new URL("/models/demo", location.href)]) {
      const extract = await ijepa.pipeline("image-feature-extraction", model, { dtype: "int4", device: "wasm" });
      for (const photo of ["rocket.jpg", "./rocket.jpg", "/examples/photos/rocket.jpg", new URL("rocket.jpg", location.href)]) found.push((await extract(photo)).numerics.digest);
      await extract.dispose();
    }
    return [...new Set(found)];`);
  assert.deepEqual(digests, [stored["int4 rocket.jpg"]]);
});

test("a relative address of nothing is named whole", options, async () => {
  const photo = await inPage<Failure>('await ijepa.loadImage("absent.jpg")'), model = await inPage<Failure>('await ijepa.pipeline("image-feature-extraction", "/models/absent")');
  assert.deepEqual([photo.code, /absent\.jpg: the server answers 404/.test(photo.message)], ["io/read", true], photo.message);
  assert.deepEqual([model.code, /\/models\/absent/.test(model.message)], ["config/missing", true], model.message);
});

test("a server that answers with its page in the place of modules: the copies serve; without them the address is told", options, async () => {
  const body = "<!doctype html><title>A site</title>";
  for (const type of ["text/html", "application/wasm"]) {
    const embed = (name: RegExp) => inPage<Failure & { digest?: string }>(`
      const extract = await ijepa.pipeline("image-feature-extraction", "/models/demo", { dtype: "int4", device: "wasm" });
      return { digest: (await extract("rocket.jpg")).numerics.digest };`, { instead: (path) => (name.test(path) ? { status: 200, type, body } : undefined) });
    assert.deepEqual(await embed(/^dist\/wasm\//), { digest: stored["int4 rocket.jpg"] });
    const { code, message } = await embed(/^dist\/(wasm|embedded)\//);
    assert.equal(code, "io/read", message);
    assert.match(message, /http:\/\/localhost:\d+\/dist\/wasm\/[\w-]+\.wasm: the file there is a page of type (text\/html|application\/wasm), not WebAssembly\./);
  }
});

test("a name that is no address is a model of the Hub; an address of its site too", options, async () => {
  // The Hub cannot be reached: what is asked for, and how often, is seen.
  const before = 'globalThis.asked = []; globalThis.fetch = new Proxy(fetch, { apply(target, self, args) { const url = String(args[0]); if (!url.includes("huggingface.co")) return Reflect.apply(target, self, args); asked.push(url); return Promise.reject(new TypeError("Failed to fetch")); } })';
  for (const model of ["models/demo", "https://huggingface.co/someone/demo", "https://huggingface.co/someone/demo/tree/main"]) {
    const { code, asked } = await inPage<{ code: string; asked: string[] }>(`
      const { code } = await ijepa.pipeline("image-feature-extraction", ${JSON.stringify(model)}).catch((error) => error);
      return { code, asked };`, { before });
    assert.equal(code, "io/read", model);
    assert.ok(asked.length <= 2 && asked.every((url) => /^https:\/\/huggingface\.co\/(models|someone)\/demo\/resolve\/main\/config\.json$/.test(url)), asked.join(" "));
  }
});

test("what carries the bytes of a file gives the bits of the file", options, async () => {
  const digests = await inPage(`
    const extract = await ijepa.pipeline("image-feature-extraction", "/models/demo", { dtype: "int4", device: "wasm" });
    const response = () => fetch("rocket.jpg"), bytes = await (await response()).arrayBuffer(), blob = new Blob([bytes]);
    const carriers = [blob, new File([bytes], "rocket.jpg"), await response(), (await response()).body, blob.stream(), bytes, new Uint8Array(bytes), new DataView(bytes), URL.createObjectURL(blob)];
    const input = Object.assign(document.createElement("input"), { type: "file" }), transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "rocket.jpg"));
    input.files = transfer.files;
    carriers.push(input.files[0]);
    const frame = document.body.appendChild(document.createElement("iframe"));
    carriers.push(new frame.contentWindow.Blob([bytes]), frame.contentWindow.Uint8Array.from(new Uint8Array(bytes)));
    const found = (await extract(carriers)).map(({ numerics }) => numerics.digest);
    await extract.dispose();
    return [found.length, ...new Set(found)];`);
  assert.deepEqual(digests, [12, stored["int4 rocket.jpg"]]);
});

test("what the page has drawn is taken as its pixels", options, async () => {
  const found = await inPage<Record<string, string>>(`
    const { data, width, height } = await ijepa.loadImage("chelsea.png"), image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) image.data.set([...data.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    const canvas = Object.assign(document.createElement("canvas"), { width, height }), offscreen = new OffscreenCanvas(width, height);
    for (const one of [canvas, offscreen]) one.getContext("2d").putImageData(image, 0, 0);
    const element = Object.assign(new Image(), { src: "chelsea.png", width: 10 }), late = Object.assign(new Image(), { src: "chelsea.png?late" });
    await element.decode();
    const sources = { ImageData: image, canvas, offscreen, bitmap: await createImageBitmap(image), frame: new VideoFrame(canvas, { timestamp: 0 }), image: element, late, blob: await new Promise((resolve) => canvas.toBlob(resolve)) };
    const found = {};
    for (const [name, source] of Object.entries(sources)) found[name] = await digest((await ijepa.loadImage(source)).data);
    sources.frame.close();
    return found;`);
  const expected = await pixels("chelsea.png");
  assert.deepEqual(found, Object.fromEntries(["ImageData", "canvas", "offscreen", "bitmap", "frame", "image", "late", "blob"].map((name) => [name, expected])));
});

test("elements without pixels, or with pixels that the page may not read, are refused in words", options, async () => {
  const cases: [source: string, code: string, says: RegExp][] = [
    ["Object.assign(document.createElement('canvas'), { width: 0 })", "image/empty", /0 x 150: it has no pixels/],
    ["Object.assign(new Image(), { src: 'absent.png' })", "io/read", /element has no loaded image/],
    ["new OffscreenCanvas(9, 9)", "image/too-large", /9 x 9 pixels, over the limit of 80/],
    ["document.createElement('div')", "TypeError", /An image must be a path, a URL/],
  ];
  for (const [source, code, says] of cases) {
    const failure = await inPage<Failure>(`await ijepa.loadImage((${source}), { maxPixels: 80 })`);
    assert.deepEqual([failure.code ?? failure.name, says.test(failure.message)], [code, true], failure.message);
  }
});

test("verify() without a model: the rows, and the digests that are recorded", options, async () => {
  const before = 'Object.defineProperty(navigator, "gpu", { value: undefined })';
  const { same, recorded, rows, absent } = await inPage<{ same: boolean; recorded: { same: boolean }[]; rows: object[]; absent: { reason: string }[] }>('return ijepa.verify({ dtypes: ["int4"] })', { before });
  assert.ok(same && rows.length > 1 && recorded.length > 0 && recorded.every((one) => one.same), JSON.stringify(recorded));
  // What is for Node is nobody's advice here.
  assert.ok(absent.every(({ reason }) => !/npm/.test(reason)), JSON.stringify(absent));
  const { code, message } = await inPage<Failure>('await ijepa.pipeline("image-feature-extraction", "/models/demo", { device: "webgpu" })', { before });
  assert.deepEqual([code, /WebGPU/.test(message), /npm/.test(message)], ["backend/unavailable", true, false], message);
});

test("an isolated page without SharedArrayBuffer, as in WebKit, has one thread and says why", options, async () => {
  const before = "if (!crossOriginIsolated) throw new Error('not isolated'); delete globalThis.SharedArrayBuffer";
  const open = (threads: string) => `
    const extract = await ijepa.pipeline("image-feature-extraction", "/models/demo", { dtype: "int4", device: "wasm", threads: ${threads} });
    const { numerics } = await extract("rocket.jpg");
    return [extract.model.deviceDescription, numerics.digest];`;
  const [description, digest] = await inPage<[string, string]>(open('"auto"'), { before });
  assert.match(description, /1 thread \(this browser gives pages no SharedArrayBuffer\)$/);
  assert.equal(digest, stored["int4 rocket.jpg"]);
  const { code, message } = await inPage<Failure>(open("2"), { before });
  assert.deepEqual([code, /no SharedArrayBuffer/.test(message)], ["backend/unavailable", true], message);
});
