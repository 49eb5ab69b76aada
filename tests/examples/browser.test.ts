/** examples/browser in a real browser, as a person uses it: mouse, keyboard, a narrow screen, no network. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { noChromium } from "../support/chromium.js";
import { openBrowser, openTab, PATIENCE_MS, SCREENSHOTS, type Page } from "./page.js";

const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;

/** Drops a sample photo of the page's own server on the page. */
async function drop(page: Page, name: string): Promise<void> {
  await page.evaluate(`(async () => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([await (await fetch("../photos/${name}")).blob()], "${name}"));
    document.querySelector(".stage").dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  })()`);
}

/** Waits for a digest to be shown, and says which. */
async function digestOf(page: Page, digest: string): Promise<void> {
  await page.waitForFunction(`document.getElementById("digest").textContent === "${digest}" || document.getElementById("status").dataset.state === "failed"`);
  assert.equal(await page.textContent("#digest"), digest, (await page.textContent("#status")) ?? "");
}

async function setRange(page: Page, id: string, value: number): Promise<void> {
  await page.evaluate(`Object.assign(document.getElementById("${id}"), { value: ${value} }).dispatchEvent(new Event("input", { bubbles: true }))`);
}

/** The pointer at the middle of the map, or gone from it. */
async function pointer(page: Page, type: "pointermove" | "pointerleave"): Promise<void> {
  await page.evaluate(`(() => {
    const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
    canvas.dispatchEvent(new PointerEvent("${type}", { clientX: box.left + box.width / 3, clientY: box.top + box.height / 3 }));
  })()`);
}

/** What is on the canvas, as the text of a PNG file. */
const PIXELS = 'document.getElementById("canvas").toDataURL()';

test("the page: drop a photo, look at every map, compare the bits, on a narrow screen and without a network", { skip: noChromium ?? false, timeout: 2 * PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t);
  const context = await newContext(), { page, complaints } = await openTab(context);
  const screenshot = (name: string) => page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
  const ready = () => page.waitForFunction('document.body.dataset.ready === "true"');
  const idle = () => page.waitForFunction('!document.getElementById("compare").disabled && document.getElementById("status").dataset.state !== "working"');
  const shown = (kind: string) => page.waitForFunction(`document.getElementById("canvas").dataset.shown === "${kind}"`);

  await page.setViewportSize({ width: 1200, height: 900 });
  await page.goto(url);
  await ready();
  assert.equal(await page.evaluate("crossOriginIsolated"), true);
  // It opens alive: a sample is there, with its digest beside the recorded one.
  await digestOf(page, stored["bf16 rocket.jpg"]);
  assert.equal(await page.evaluate('document.getElementById("recorded").dataset.state'), "same");
  assert.equal(await page.textContent("#command"), "ijepa embed examples/photos/rocket.jpg --dtype bf16");
  await idle();
  await screenshot("start");
  await drop(page, "chelsea.png");
  await digestOf(page, stored["bf16 chelsea.png"]);
  await idle();
  await shown("pca");
  const pictures = new Set([await page.evaluate<string>(PIXELS)]);
  await screenshot("colours");

  // The mouse chooses a patch, the arrow keys another.
  await page.click("#canvas", { position: { x: 10, y: 10 } });
  await shown("similarity");
  pictures.add(await page.evaluate(PIXELS));
  assert.equal(await page.evaluate('document.getElementById("canvas").ariaLabel'), "Patch in column 1, row 1");
  await page.focus("#canvas");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate('document.getElementById("canvas").ariaLabel'), "Patch in column 2, row 3");
  pictures.add(await page.evaluate(PIXELS));
  await screenshot("likeness");

  await page.check('[value="attention"]');
  await shown("attention");
  pictures.add(await page.evaluate(PIXELS));
  await setRange(page, "layer", 3);
  assert.equal(await page.evaluate('document.querySelectorAll("#multiples button").length'), 4, "three heads and their mean");
  await page.click('#multiples button[aria-label="Head 2"]');
  pictures.add(await page.evaluate(PIXELS));
  await page.check("#from-patch");
  await page.waitForFunction('!document.getElementById("marker").hidden');
  pictures.add(await page.evaluate(PIXELS));
  await screenshot("attention");
  assert.equal(pictures.size, 6, "every view is another picture");

  // Other weights, two threads: the digests of the contract.
  await page.click("summary");
  await page.selectOption("#threads", { label: "all" });
  await page.selectOption("#dtype", { label: "int4" });
  await digestOf(page, stored["int4 chelsea.png"]);
  await idle();
  await page.click('[data-sample="../photos/rocket.jpg"]');
  await digestOf(page, stored["int4 rocket.jpg"]);
  await idle();

  await page.click("#compare");
  await page.waitForFunction('["same", "different", "absent"].includes(document.getElementById("badge").dataset.state)');
  assert.equal(await page.evaluate('document.getElementById("badge").value'), "The same in every bit: CPU, one thread; CPU, all threads; WebGPU.");
  assert.deepEqual(await page.evaluate('[...document.querySelectorAll("#timings tr")].map((row) => row.dataset.key)'), ["CPU bf16", "CPU int4", "WebGPU int4"]);

  // Patches of three sizes: positions in between. The pointer shows what is like the patch below it, and takes it along when it leaves.
  await page.check('[value="pca"]');
  assert.equal(await page.evaluate('document.getElementById("canvas").width'), 16);
  await page.selectOption("#grid", { label: "four times as fine" });
  await page.waitForFunction('document.getElementById("canvas").width === 32');
  await idle();
  const colours = await page.evaluate(PIXELS);
  await pointer(page, "pointermove");
  await shown("similarity");
  await pointer(page, "pointerleave");
  await shown("pca");
  assert.equal(await page.evaluate(PIXELS), colours);
  await screenshot("finer");
  await page.selectOption("#grid", { label: "as trained" });
  await page.waitForFunction('document.getElementById("canvas").width === 8');
  await digestOf(page, stored["int4 rocket.jpg"]);
  await idle();

  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok((await page.evaluate<number>("document.documentElement.scrollWidth")) <= 360, "nothing sticks out at 360 pixels");
    await screenshot(`narrow-${colorScheme}`);
  }

  assert.equal(await page.inputValue("#layer"), "3", "choices stay when photo and weights change");

  // A large model is named with its size and licence, and not fetched unasked, also not on the next visit.
  await page.selectOption("#preset", { label: "ViT-H/14 of ImageNet-1k, 2.5 GB" });
  assert.match((await page.textContent("#preset-note"))!, /2\.5 GB .*CC BY-NC 4\.0.* Nothing of it is fetched yet\.$/);
  await page.reload();
  await ready();
  await digestOf(page, stored["int4 rocket.jpg"]);
  await idle();
  assert.equal(await page.evaluate('document.getElementById("preset").value.includes("vith14_1k") && !document.getElementById("fetch").hidden'), true);
  await page.selectOption("#preset", { label: "Demo" });
  assert.equal(await page.evaluate('document.getElementById("fetch").hidden'), true);
  await idle();

  // What is wrong is said, and the page goes on.
  await page.evaluate(`(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["no photo"], "note.txt"));
    document.querySelector(".stage").dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  })()`);
  await page.waitForFunction('document.getElementById("status").dataset.state === "failed"');
  assert.match((await page.textContent("#status"))!, /not an image.* \[image\/unsupported\]$/);
  assert.deepEqual(complaints.splice(0), []);

  await context.setOffline(true);
  await page.reload();
  await ready();
  await digestOf(page, stored["int4 rocket.jpg"]);
  await page.click('[data-sample="../photos/chelsea.png"]');
  await digestOf(page, stored["int4 chelsea.png"]);
  await idle();
  // Also what was never looked at: it was kept when the page had time for it.
  await page.click('nav a[href="#many"]');
  await page.click("#many-pieces");
  await page.waitForFunction('document.getElementById("many-count").textContent.startsWith("24 photos") || document.getElementById("many-status").dataset.state === "failed"');
  assert.match((await page.textContent("#many-count"))!, /^24 photos/, (await page.textContent("#many-status")) ?? "");
  assert.deepEqual(complaints.filter((text) => !text.includes("ERR_INTERNET_DISCONNECTED")), []);
});

test("the digests on the page are those of the contract", () => {
  const recorded = [...readFileSync("examples/browser/proof.js", "utf8").matchAll(/^ {2}"(\w+ [\w.]+)": "([0-9a-f]{64})",$/gm)].map(([, key, digest]) => [key, digest]);
  assert.deepEqual(Object.fromEntries(recorded), stored);
});

test("the page by keyboard alone: every control can be reached, and a sample starts", { skip: noChromium ?? false, timeout: 2 * PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t);
  const { page } = await openTab(await newContext());
  await page.goto(url);
  await page.waitForFunction('document.body.dataset.ready === "true"');
  const reached: string[] = [];
  await page.click("summary");
  await page.evaluate("document.activeElement.blur(), scrollTo(0, 0)");
  for (let i = 0; i < 24; i++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate("document.activeElement.id || document.activeElement.dataset.sample || document.activeElement.name || document.activeElement.tagName"));
  }
  for (const wanted of ["file", "../photos/chelsea.png", "../photos/rocket.jpg", "view", "wipe", "opacity", "grid", "preset", "dtype", "device", "threads"]) assert.ok(reached.includes(wanted), `${wanted} in ${reached.join(", ")}`);
  await page.focus('[data-sample="../photos/chelsea.png"]');
  await page.keyboard.press("Enter");
  await digestOf(page, stored["bf16 chelsea.png"]);
});
