/** The page in Firefox and in WebKitGTK, driven as a person would: its main paths, and nothing that the console complains of. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { test } from "node:test";
import { drive, KEYS, undrivable, type DrivenBrowser } from "../support/webdriver.js";
import { SCREENSHOTS, serveThrough, startPage } from "./page.js";

const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const PIECES = 24;
/** Notes what the console is told from the page's first line on; the drivers of these browsers do not tell. */
const RECORDER = `<script>
  window.complaints = [];
  for (const kind of ["error", "warn"]) {
    const say = console[kind];
    console[kind] = (...said) => (window.complaints.push(said.join(" ")), say.apply(console, said));
  }
  addEventListener("error", ({ message }) => window.complaints.push(message));
  addEventListener("unhandledrejection", ({ reason }) => window.complaints.push(String(reason)));
</script>`;
const text = (id: string) => `document.getElementById("${id}").textContent`;
const shown = (kind: string) => `document.getElementById("canvas").dataset.shown === "${kind}"`;
const IDLE = '!document.getElementById("compare").disabled && document.getElementById("status").dataset.state !== "working"';

for (const name of ["Firefox", "WebKit"] satisfies DrivenBrowser[]) {
  test(`the page in ${name}`, { skip: undrivable(name) ?? false }, async (t) => {
    const { url, stop } = await startPage(), server = await serveThrough(url, { edit: (text, path) => (path.endsWith("/") ? text.replace("<head>", `<head>${RECORDER}`) : text) });
    const page = await drive(name);
    t.after(async () => {
      await page.close();
      server.close();
      stop();
    });
    mkdirSync(SCREENSHOTS, { recursive: true });
    const screenshot = async (which: string) => writeFileSync(`${SCREENSHOTS}/${name.toLowerCase()}-${which}.png`, await page.screenshot());
    const digestOf = async (key: string) => {
      await page.wait(`${text("digest")} === "${stored[key]}" || document.getElementById("status").dataset.state === "failed"`);
      assert.equal(await page.evaluate(text("digest")), stored[key], await page.evaluate(text("status")));
      await page.wait(IDLE);
    };

    await page.resize(1280, 1000);
    await page.open(server.url);
    await page.wait('document.body.dataset.ready === "true"');
    assert.equal(await page.evaluate("crossOriginIsolated"), true);
    await digestOf("bf16 rocket.jpg");
    assert.equal(await page.evaluate('document.getElementById("recorded").dataset.state'), "same");
    await screenshot("colours");
    await page.click("#canvas");
    await page.wait(shown("similarity"));
    const patch = 'document.getElementById("canvas").getAttribute("aria-label")', before = await page.evaluate<string>(patch);
    await page.type("#canvas", KEYS.left + KEYS.up);
    assert.notEqual(await page.evaluate(patch), before);
    await page.click('[name="view"][value="attention"]');
    await page.wait(shown("attention"));
    assert.equal(await page.evaluate('document.querySelectorAll("#multiples button").length'), 4, "three heads and their mean");
    await screenshot("attention");
    await page.click('[data-sample="../photos/chelsea.png"]');
    await digestOf("bf16 chelsea.png");
    await page.click("#compare");
    await page.wait('["same", "different", "absent"].includes(document.getElementById("badge").dataset.state)');
    assert.match(await page.evaluate('document.getElementById("badge").value'), /^The same in every bit: CPU, one thread(; CPU, all threads)?(; WebGPU|; \d+ kernels of the CPU)\.$/);

    await page.click('nav a[href="#many"]');
    await page.wait(`${text("many-count")} === "No photos yet."`);
    await page.click("#many-pieces");
    await page.wait(`${text("many-count")}.startsWith("${PIECES} photos") && document.getElementById("many-progress").hidden`);
    await page.wait(`document.querySelectorAll("#wall .tile").length === ${PIECES} && [...document.querySelectorAll("#wall .tile img")].every((image) => image.naturalWidth > 0)`);
    const root = await page.evaluate<string>(text("many-root"));
    assert.equal(await page.evaluate('document.getElementById("many-recorded").value'), "✓ the recorded one", root);
    // Tiles that still move to their places lie over others.
    await page.wait('document.getElementById("wall").getAnimations({ subtree: true }).length === 0');
    await page.click("#wall .tile");
    await page.wait('document.querySelectorAll("#panel li").length === 12');
    await page.click('[name="many-view"][value="map"]');
    await page.wait('document.getElementById("wall").dataset.shown === "map"');
    await screenshot("many");

    await page.click('nav a[href="#camera"]');
    await page.wait('!document.getElementById("camera-start").disabled');
    await page.click("#camera-start");
    await page.wait('document.getElementById("camera-status").dataset.state === "failed" || !document.getElementById("camera-views").hidden');
    if (name === "Firefox") {
      await page.wait(`/ frames a second$/.test(document.querySelector('[data-device="wasm"] [data-part="rate"]').textContent)`);
      await screenshot("camera");
      await page.click("#camera-stop");
      await page.wait(`${text("camera-status")} === "The camera is off."`);
    } else {
      assert.match(await page.evaluate(text("camera-status")), /^(There is no camera here|The camera was not allowed|Browsers give a camera only|The camera cannot be used)/);
    }
    await page.resize(360, 740);
    for (const mode of ["one", "many", "camera"]) {
      await page.evaluate(`void (location.hash = "${mode}")`);
      await page.wait(`!document.getElementById("${mode}").hidden`);
      assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), `nothing sticks out of ${mode}`);
      await screenshot(`narrow-${mode}`);
    }
    assert.deepEqual(await page.evaluate("window.complaints"), []);

    // The next visit, without a network. What is kept is there; where nothing can be kept, the page has said so.
    const isKept = (await page.evaluate<string>(text("many-count"))).includes("kept in this browser");
    server.close();
    await page.open(`${server.url}?again`);
    await digestOf("bf16 rocket.jpg");
    await page.click('nav a[href="#many"]');
    if (isKept) {
      await page.wait(`${text("many-count")}.startsWith("${PIECES} photos")`);
      assert.equal(await page.evaluate(text("many-root")), root);
    } else await page.wait(`${text("many-count")} === "No photos yet."`);
    assert.deepEqual(await page.evaluate("window.complaints"), []);
  });
}
