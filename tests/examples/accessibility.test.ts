/** axe-core finds nothing to complain of in any view of the page, light and dark, wide and narrow; and motion is left out where it is not wanted. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { CAMERA, MAKE_PHOTOS, noCamera, openBrowser, openTab, PATIENCE_MS, type Page } from "./page.js";

const AXE = "tests/examples/node_modules/axe-core/axe.min.js";
const skip = noCamera ?? (existsSync(AXE) ? false : `not run: no ${AXE}`);

interface Violation {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

/** Every rule of axe-core, in both colour schemes and at two widths. */
async function check(page: Page, view: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 900 });
      const violations = await page.evaluate<Violation[]>("axe.run().then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) })))");
      assert.deepEqual(violations, [], `${view}, ${colorScheme}, ${width} pixels`);
    }
  }
}

test("accessibility of every view, by axe-core", { skip, timeout: 2 * PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t, CAMERA), { page } = await openTab(await newContext({ permissions: ["camera"] }));
  const idle = () => page.waitForFunction('!document.getElementById("compare").disabled && document.getElementById("status").dataset.state !== "working"');
  await page.goto(url);
  await page.waitForFunction('document.body.dataset.ready === "true"');
  await page.evaluate(readFileSync(AXE, "utf8"));
  await idle();
  await page.click("summary");
  await check(page, "colours");
  await page.click("#canvas");
  await check(page, "likeness");
  await page.check('[value="attention"]');
  await page.waitForFunction('document.querySelectorAll("#multiples button").length > 0');
  await check(page, "attention");
  await page.click("#compare");
  await page.waitForFunction('document.getElementById("badge").dataset.state === "same"');
  await page.selectOption("#preset", { label: "Another: address or name" });
  await check(page, "compared, another model");

  await page.click('nav a[href="#many"]');
  await page.waitForFunction('/^No photos/.test(document.getElementById("many-count").textContent)');
  await check(page, "no photos yet");
  await page.evaluate(`(async () => {
    document.getElementById("many-files").files = (await (${MAKE_PHOTOS})(8)).files;
    document.getElementById("many-files").dispatchEvent(new Event("change"));
  })()`);
  await page.waitForFunction('/^8 photos/.test(document.getElementById("many-count").textContent)');
  await page.click("#wall .tile");
  await page.waitForFunction('document.querySelectorAll("#panel li").length > 0');
  await page.click("#teach summary");
  for (const label of ["cat", "rocket"]) {
    await page.evaluate(`Object.assign(document.querySelector('#teach [data-part="name"]'), { value: "${label}" }).dispatchEvent(new Event("input"))`);
    for (const i of [0, 1]) await page.evaluate(`[...document.querySelectorAll("#wall .tile")].filter((tile) => tile.ariaLabel.startsWith("${label === "cat" ? "chelsea" : "rocket"}"))[${i}].click()`);
  }
  await page.click('#teach [data-part="learn"]');
  await page.waitForFunction('document.querySelector("#teach [data-part=said]").textContent.startsWith("A test: ")');
  await check(page, "wall, panel and names");
  assert.equal(await page.evaluate('getComputedStyle(document.querySelector("#wall .tile")).transitionDuration'), "0s", "no tile glides where motion is not wanted");
  for (const view of ["map", "duplicates"]) {
    await page.check(`[value="${view}"]`);
    await page.waitForFunction(`document.getElementById("wall").dataset.shown === "${view}"`);
    await check(page, view);
  }

  await page.click('nav a[href="#camera"]');
  await page.waitForFunction('!document.getElementById("camera").hidden');
  await check(page, "camera, off");
  await page.click("#camera-start");
  await page.waitForFunction('document.getElementById("camera-same").dataset.state === "same"');
  await check(page, "camera, on");
});
