/** Many photos on the page, in a real browser: a wall, a map, neighbours, near duplicates, patches, a classifier; kept for the next visit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { noChromium } from "../support/chromium.js";
import { MAKE_PHOTOS, openBrowser, openTab, PATIENCE_MS, SCREENSHOTS, type Page } from "./page.js";

const PHOTOS = 24;

/** Drops 24 cuts of the two samples, one of them twice, and a file that is no photo inside. */
const DROP = `(async () => {
  const transfer = await (${MAKE_PHOTOS})(${PHOTOS});
  transfer.items.add(new File([transfer.files[0]], "copy.jpg", { lastModified: 1 }));
  transfer.items.add(new File(["no photo"], "broken.jpg", { lastModified: 1 }));
  document.querySelector(".stage").dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
})()`;

const tiles = 'document.querySelectorAll("#wall .tile:not([hidden])").length';
const shown = (page: Page, kind: string) => page.waitForFunction(`document.getElementById("wall").dataset.shown === "${kind}"`);
const found = (page: Page, title: RegExp) => page.waitForFunction(`${String(title)}.test(document.querySelector("#panel h2").textContent)`);

test("many photos: sorted, mapped, searched, compared, learned from, and still there on the next visit", { skip: noChromium ?? false, timeout: 2 * PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t);
  const { page, complaints } = await openTab(await newContext());
  const screenshot = async (name: string) => {
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 700))");
    await page.screenshot({ path: `${SCREENSHOTS}/many-${name}.png`, fullPage: true });
  };

  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(url);
  await page.waitForFunction('document.body.dataset.ready === "true"');
  await page.evaluate(DROP);
  await page.waitForFunction('document.getElementById("many-status").dataset.state === "failed"');
  assert.match((await page.textContent("#many-status"))!, /^1 could not be read: /);
  assert.equal(await page.textContent("#many-count"), `${PHOTOS} photos, kept in this browser until you forget them.`);
  assert.equal(await page.evaluate(tiles), PHOTOS);
  assert.equal(await page.evaluate('[...document.querySelectorAll("#wall .tile img")].every((image) => image.naturalWidth > 0)'), true);
  // Cuts of one photo lie together: the names change where the chain goes from one to the other.
  const names = await page.evaluate<string[]>(`[...document.querySelectorAll("#wall .tile")].map((tile) => {
    const [x, y] = /translate\\((.+?)px(?:, (.+?)px)?\\)/.exec(tile.style.transform).slice(1).map((text) => Number(text ?? 0));
    return { kind: /rocket/.test(tile.ariaLabel) ? "rocket" : "cat", row: y, x };
  }).sort((a, b) => a.row - b.row || (Math.round(a.row / 96) % 2 === 0 ? a.x - b.x : b.x - a.x)).map(({ kind }) => kind)`);
  assert.ok(names.filter((name, i) => i > 0 && name !== names[i - 1]).length <= 4, names.join(" "));
  const root = await page.textContent("#many-root");
  await screenshot("wall");

  await page.check('[value="map"]');
  await shown(page, "map");
  await screenshot("map");
  await page.check('[value="duplicates"]');
  await page.waitForFunction('/ photos? in /.test(document.getElementById("duplicates-count").textContent) || /No two photos/.test(document.getElementById("duplicates-count").textContent)');
  await page.evaluate('Object.assign(document.getElementById("threshold"), { value: 0.7 }).dispatchEvent(new Event("input", { bubbles: true }))');
  await page.waitForFunction(`${tiles} > 1`);
  await screenshot("duplicates");
  await page.check('[value="wall"]');
  await shown(page, "wall");

  await page.click('#wall .tile[aria-label^="chelsea"]');
  await found(page, /most alike/);
  assert.equal(await page.evaluate('document.querySelectorAll("#panel li").length'), 12);
  await screenshot("neighbours");
  await page.click('#panel [aria-label="Patch in column 4, row 4"]');
  await found(page, /Places/);
  assert.equal(await page.evaluate('document.querySelectorAll("#panel li .marker").length'), 24);
  await screenshot("patches");

  // Ten names, and what comes of them.
  await page.click("#teach summary");
  for (const [name, label] of [["chelsea", "cat"], ["rocket", "rocket"]]) {
    await page.evaluate(`Object.assign(document.querySelector('#teach [data-part="name"]'), { value: "${label}" }).dispatchEvent(new Event("input"))`);
    for (let i = 0; i < 5; i++) await page.evaluate(`document.querySelector('#wall .tile[aria-label="${name}-${i + 1}.jpg"]').click()`);
  }
  assert.equal(await page.evaluate('document.querySelector("#teach [data-part=counts]").textContent.trim()'), "Named so far: 5 cat, 5 rocket.");
  await page.click('#teach [data-part="learn"]');
  await page.waitForFunction('/ of 10 came out right\\.$/.test(document.querySelector("#teach [data-part=said]").textContent)');
  const guessed = await page.evaluate<[string, string][]>('[...document.querySelectorAll("#wall .tile")].map((tile) => [tile.ariaLabel, tile.lastChild.textContent])');
  const right = guessed.filter(([name, text]) => text.startsWith(name.startsWith("rocket") ? "rocket" : "cat")).length;
  assert.ok(right >= PHOTOS - 3, guessed.join(" "));
  await screenshot("learned");

  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))");
    assert.ok((await page.evaluate<number>("document.documentElement.scrollWidth")) <= 360, "nothing sticks out at 360 pixels");
    await screenshot(`narrow-${colorScheme}`);
  }

  await page.reload();
  await page.waitForFunction(`document.getElementById("many-count").textContent.startsWith("${PHOTOS} photos")`);
  assert.equal(await page.textContent("#many-root"), root);
  await page.waitForFunction('[...document.querySelectorAll("#wall .tile img")].every((image) => image.naturalWidth > 0)');

  // All are forgotten. The pieces of the samples have a root digest that is recorded.
  await page.evaluate("void (window.confirm = () => true)");
  await page.click("#forget");
  await page.waitForFunction('document.getElementById("many-count").textContent === "No photos yet."');
  assert.equal(await page.evaluate(tiles), 0);
  await page.click("#many-pieces");
  await page.waitForFunction('document.getElementById("many-recorded").dataset.state !== "none"');
  assert.equal(await page.evaluate('document.getElementById("many-recorded").value'), "✓ the recorded one", (await page.textContent("#many-root")) ?? "");
  assert.deepEqual(complaints, []);
});
