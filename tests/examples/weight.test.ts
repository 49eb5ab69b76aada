/** The page on a host: what it fetches until the first picture is there, and threads where the host sends no headers for them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { noChromium } from "../support/chromium.js";
import { openBrowser, openTab, PATIENCE_MS, serveThrough } from "./page.js";

/** Model and codecs are what they are; everything else is the page's. */
const MODEL_OR_CODEC = /^(models\/demo\/|dist\/wasm\/(jpeg|webp)-decoder\.wasm$|dist\/vendor\/)/;
const LIMIT = 300_000;

test("the first load weighs less than 300 kB, beside model and codecs", { skip: noChromium ?? false, timeout: PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t), sizes = new Map<string, number>();
  const server = await serveThrough(url, { saw: (path, body) => sizes.set(path, gzipSync(body).length) });
  t.after(() => server.close());
  const { page } = await openTab(await newContext());
  await page.goto(server.url);
  await page.waitForFunction('document.getElementById("canvas").dataset.shown === "pca"');
  const files = [...sizes].filter(([path]) => !MODEL_OR_CODEC.test(path)).sort((a, b) => b[1] - a[1]), total = files.reduce((sum, [, size]) => sum + size, 0);
  t.diagnostic(`${total} bytes compressed, in ${files.length} files; the largest: ${files.slice(0, 6).map(([path, size]) => `${path} ${size}`).join(", ")}`);
  assert.ok(sizes.has("models/demo/model.safetensors") && sizes.has("dist/browser/index.js"), [...sizes.keys()].join(" "));
  assert.ok(total < LIMIT, `${total} bytes: ${files.map(([path, size]) => `${path} ${size}`).join(", ")}`);
});

test("a host that sends no headers: the service worker adds those that threads need", { skip: noChromium ?? false, timeout: PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t), server = await serveThrough(url, { headers: {} });
  t.after(() => server.close());
  const { page, complaints } = await openTab(await newContext());
  await page.goto(server.url);
  await page.waitForFunction('document.body.dataset.ready === "true" && document.getElementById("recorded").dataset.state === "same"');
  assert.equal(await page.evaluate("crossOriginIsolated"), true);
  assert.deepEqual(complaints, []);
});
