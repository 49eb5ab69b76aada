/** How the page loads models: with a bar that moves, and a way to stop. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { ISOLATED } from "../support/browsers.js";
import { noChromium } from "../support/chromium.js";
import { openHubStandIn } from "../support/hub.js";
import { openBrowser, openTab, PATIENCE_MS, serveThrough, type Page } from "./page.js";

const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const MODEL = readFileSync("models/demo/model.safetensors");
const REPO = "someone/demo";

/** Until the bar shows a part of the whole, and the text says so. */
const waitForBar = (page: Page, least: number, text: RegExp) =>
  page.waitForFunction(`document.getElementById("progress").position > ${least} && document.getElementById("progress").position < 1 && !document.getElementById("stop").hidden && ${String(text)}.test(document.getElementById("status").textContent)`);

/** The first half of the model, and the rest once `release` is called. */
function halfOfModel(response: ServerResponse): () => void {
  response.setHeader("content-length", MODEL.length);
  response.writeHead(200);
  response.write(MODEL.subarray(0, MODEL.length / 2));
  return () => void response.end(MODEL.subarray(MODEL.length / 2));
}

/** The page's server behind one that keeps back the second half of the model. */
async function serveHalf(t: TestContext, url: string): Promise<{ url: string; release(): void }> {
  const { origin, pathname } = new URL(url);
  let release = () => {};
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    for (const [name, value] of Object.entries(ISOLATED)) response.setHeader(name, value);
    if (path.endsWith("/model.safetensors")) release = halfOfModel(response);
    else void fetch(origin + path).then(async (answer) => {
      const type = answer.headers.get("content-type") ?? "application/octet-stream";
      response.writeHead(answer.status, { "content-type": type }).end(new Uint8Array(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  t.after(() => server.close());
  return { url: `http://localhost:${(server.address() as AddressInfo).port}${pathname}`, release: () => release() };
}

test("the first visit over a slow line: the bar moves while the demo model arrives", { skip: noChromium ?? false, timeout: PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t), half = await serveHalf(t, url);
  const { page, complaints } = await openTab(await newContext());
  await page.goto(half.url);
  await waitForBar(page, 0.2, /^Loading the model/);
  half.release();
  await page.waitForFunction(`document.getElementById("digest").textContent === "${stored["bf16 rocket.jpg"]}"`);
  assert.deepEqual(complaints, []);
});

test("a model of the Hub: fetched when asked for, with a bar, stopped, and fetched again", { skip: noChromium ?? false, timeout: PATIENCE_MS }, async (t) => {
  const hub = await openHubStandIn(REPO, {
    "config.json": readFileSync("models/demo/config.json"), "preprocessor_config.json": readFileSync("models/demo/preprocessor_config.json"), "model.safetensors": MODEL,
  });
  t.after(() => hub.stop());
  let isSlow = true;
  const open = (_request: unknown, response: ServerResponse) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-expose-headers", "*");
  };
  // Large files are fetched in parts: all but the first are kept back.
  Object.assign(hub, { onHub: open, onCdn: (request: { headers: { range?: string } }, response: ServerResponse) => {
    open(request, response);
    return isSlow && request.headers.range?.startsWith("bytes=0-") === false;
  } });
  const { url, newContext } = await openBrowser(t);
  // The library's own client of the Hub, sent to the stand-in.
  const edit = (text: string, path: string) =>
    path.endsWith("/engine.js") ? text.replace("...options,", `...options, fetch: (to, how) => fetch(String(to).replace("https://huggingface.co", "${hub.endpoint}"), how),`) : text;
  const server = await serveThrough(url, { edit });
  t.after(() => server.close());
  const { page, complaints } = await openTab(await newContext());
  const idle = () => page.waitForFunction('!document.getElementById("compare").disabled && document.getElementById("status").dataset.state !== "working"');
  await page.goto(server.url);
  await page.waitForFunction('document.body.dataset.ready === "true" && document.getElementById("recorded").dataset.state === "same"');
  await idle();
  await page.selectOption("#preset", { label: "Another: address or name" });
  await page.evaluate(`Object.assign(document.getElementById("model"), { value: "${REPO}" }).dispatchEvent(new Event("change", { bubbles: true }))`);
  await idle();
  assert.deepEqual(hub.requests, [], "nothing is fetched unasked");
  await page.click("#fetch-now");
  await waitForBar(page, 0.3, /^Downloading model\.safetensors/);
  await page.click("#stop");
  await page.waitForFunction('document.getElementById("status").textContent === "Stopped."');
  assert.equal(await page.evaluate('document.getElementById("progress").hidden && document.getElementById("stop").hidden'), true);
  isSlow = false;
  await page.click("#fetch-now");
  await page.waitForFunction('document.getElementById("command").textContent.endsWith("--model someone/demo")');
  assert.equal(await page.textContent("#digest"), stored["bf16 rocket.jpg"]);
  await idle();
  assert.deepEqual(complaints, []);
});
