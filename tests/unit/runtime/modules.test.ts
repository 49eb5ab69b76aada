/** `setWasmModules`, and loading modules by their address. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { runtime } from "#runtime";
import { loadImage, pipeline, setWasmModules, type IJepaError } from "../../../ts-api/src/index.js";
import { wasmModules } from "../../../ts-api/src/runtime/modules.js";

const bytes = readFileSync("dist/wasm/jpeg-decoder.wasm");
const addressOf = (type: string) => `data:${type};base64,${bytes.toString("base64")}`;

test("names and values of handed-over modules are checked", () => {
  const unknown: object = { "kernels-mmx": "x.wasm" };
  assert.throws(() => setWasmModules(unknown), /TypeError.*kernels-simd128/s);
  assert.throws(() => setWasmModules({ "jpeg-decoder": bytes }), TypeError);
});

test("a page, or nothing, in the place of a module is io/read with its address, whatever type the server gives it", async (t) => {
  const bodies: Record<string, string> = { page: "<!doctype html><title>A site</title>", nothing: "", "something else": "version https://git-lfs.github.com/spec/v1" };
  const server = createServer((request, response) => {
    const [what, type] = decodeURIComponent(request.url!.slice(1)).split(":");
    response.writeHead(200, { "Content-Type": type }).end(bodies[what]);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const what of Object.keys(bodies)) {
    for (const type of ["text/html", "application/wasm"]) {
      const address = `${origin}/${encodeURIComponent(`${what}:${type}`)}`;
      setWasmModules({ "jpeg-decoder": address, "kernels-simd128": address, "kernels-relaxed": address });
      for (const work of [() => loadImage("examples/photos/rocket.jpg"), () => pipeline("image-feature-extraction", { device: "wasm" })]) {
        await assert.rejects(work, (error: IJepaError) => {
          assert.equal(error.code, "io/read");
          assert.equal((error.details as { path: string }).path, address);
          for (const words of [address, what, `of type ${type}, not WebAssembly`, "docs/build-tools.md"]) assert.ok(error.message.includes(words), error.message);
          return true;
        });
      }
    }
  }
});

test("an address that leads nowhere is io/read, and the next module handed over is used", async () => {
  const photo = "examples/photos/rocket.jpg";
  setWasmModules({ "jpeg-decoder": "http://localhost:1/jpeg-decoder.wasm" });
  await assert.rejects(loadImage(photo), (error: IJepaError) => error.code === "io/read" && /localhost:1.*setWasmModules/.test(error.message));
  const module = await WebAssembly.compile(bytes);
  setWasmModules({ "jpeg-decoder": module });
  assert.equal(await runtime.wasmModule("jpeg-decoder"), module);
  assert.equal((await loadImage(photo)).width, 640);
});

test("a module is compiled from its address, whatever type the server gives it", async () => {
  for (const type of ["application/wasm", "application/octet-stream"]) {
    setWasmModules({ "webp-decoder": addressOf(type) });
    assert.deepEqual(WebAssembly.Module.exports(await runtime.wasmModule("webp-decoder")).length > 0, true, type);
  }
});

test("a module is loaded once, and again after a failure", async () => {
  let loads = 0;
  const load = wasmModules(async () => {
    if (++loads === 1) throw new Error("not now");
    return WebAssembly.compile(bytes);
  });
  await assert.rejects(load("kernels-simd128-shared"), /not now/);
  assert.equal(await load("kernels-simd128-shared"), await load("kernels-simd128-shared"));
  assert.equal(loads, 2);
});
