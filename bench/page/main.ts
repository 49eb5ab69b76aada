/**
 * Photos of 2 megapixels on the page's wall in Chromium, beside `ijepa index --tokens` of the same photos with as many threads;
 * and the longest task on the page's own thread meanwhile, and while its views are used.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtime } from "#runtime";
import { launchChromium, noChromium } from "../../tests/support/chromium.js";
import { PATIENCE_MS, startPage, type Context, type Page } from "../../tests/examples/page.js";
import { median } from "../support/measure.js";
import { digits, table } from "../support/table.js";

/** A cut of a sample as a JPEG file of 2 megapixels, in base64. */
const photo = (index: number) => `(async () => {
  const name = ${index} % 2 === 0 ? "chelsea.png" : "rocket.jpg", image = await createImageBitmap(await (await fetch("../photos/" + name)).blob());
  const canvas = new OffscreenCanvas(1632, 1224), context = canvas.getContext("2d"), side = image.height * (0.35 + 0.6 * ((${index} * 37) % 101) / 101);
  const left = (image.width - side * 4 / 3) * ((${index} * 61) % 103) / 103, top = (image.height - side) * ((${index} * 17) % 107) / 107;
  context.drawImage(image, left, top, side * 4 / 3, side, 0, 0, canvas.width, canvas.height);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 })).arrayBuffer());
  return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
})()`;
const count = (photos: number) => `document.getElementById("many-count").textContent.startsWith("${photos === 0 ? "No" : photos} photos") && document.getElementById("many-progress").hidden`;
const shown = (kind: string) => `document.getElementById("wall").dataset.shown === "${kind}"`;

export async function benchPage({ rounds, photos }: { rounds: number; photos: number }): Promise<void> {
  if (noChromium !== undefined) throw new Error(noChromium);
  const folder = mkdtempSync(join(tmpdir(), "ijepa-page-")), { url, stop } = await startPage();
  const browser = (await launchChromium()) as unknown as { newContext(): Promise<Context>; close(): Promise<void> };
  try {
    const maker = await openPage(browser, url), files: string[] = [];
    for (let i = 0; i < photos; i++) {
      files.push(join(folder, `photo-${String(i).padStart(3, "0")}.jpg`));
      writeFileSync(files[i], Buffer.from(await maker.evaluate<string>(photo(i)), "base64"));
    }
    const times: Record<"index" | "page", number[]> = { index: [], page: [] }, longest: Record<string, number> = {};
    for (let round = 0; round < rounds; round++) {
      times.index.push(index(folder, join(folder, `collection-${round}`)));
      const page = await openPage(browser, `${url}#many`);
      times.page.push(await fill(page, files, longest));
      await use(page, longest);
    }
    const [indexed, walled] = [median(times.index), median(times.page)], row = (name: string, seconds: number) => [name, digits(seconds), digits(photos / seconds), digits(seconds / indexed)];
    console.log(table([`${photos} photos of 1632 x 1224, ${runtime.cores} threads`, "s", "photos/s", "of index"], [row("ijepa index --tokens", indexed), row("the page's wall", walled)]));
    console.log(`\n${table(["longest task on the page's thread", "ms"], Object.entries(longest).map(([name, milliseconds]) => [name, milliseconds === 0 ? "< 50" : milliseconds.toFixed(0)]))}`);
  } finally {
    await browser.close();
    stop();
    rmSync(folder, { recursive: true });
  }
}

/** A visit of a browser that was never here. */
async function openPage(browser: { newContext(): Promise<Context> }, url: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(url);
  await page.waitForFunction('document.body.dataset.ready === "true"');
  return page;
}

function index(folder: string, collection: string): number {
  const start = performance.now(), args = ["dist/cli.js", "index", folder, "--collection", collection, "--tokens", "--device", "wasm", "--threads", String(runtime.cores)];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return (performance.now() - start) / 1000;
}

/** Seconds until every photo is on the wall, in order. */
async function fill(page: Page, files: readonly string[], longest: Record<string, number>): Promise<number> {
  await page.waitForFunction(`${count(0)} && document.getElementById("status").dataset.state !== "working" && !document.getElementById("compare").disabled`);
  await page.evaluate("void (window.tasks = [], new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' }))");
  const start = performance.now();
  await page.setInputFiles("#many-files", files);
  await page.waitForFunction(`${count(files.length)} && [...document.querySelectorAll("#wall .tile img")].every((image) => image.naturalWidth > 0)`);
  const seconds = (performance.now() - start) / 1000;
  await note(page, "filling the wall", longest);
  return seconds;
}

/** Every view, as a person would look at it. */
async function use(page: Page, longest: Record<string, number>): Promise<void> {
  await page.check('[value="map"]');
  await page.waitForFunction(shown("map"));
  await note(page, "map", longest);
  await page.check('[value="duplicates"]');
  await page.waitForFunction(shown("duplicates"));
  await note(page, "near duplicates", longest);
  await page.check('[value="wall"]');
  await page.click("#wall .tile");
  await page.waitForFunction('document.querySelectorAll("#panel li").length > 0');
  await note(page, "neighbours", longest);
  await page.click('#panel [aria-label="Patch in column 4, row 4"]');
  await page.waitForFunction('/Places/.test(document.querySelector("#panel h2").textContent)');
  await note(page, "patch search", longest);
  await page.click('nav a[href="#one"]');
  await page.selectOption("#grid", { label: "four times as fine" });
  await page.waitForFunction('document.getElementById("canvas").width === 32 && !document.getElementById("compare").disabled');
  await note(page, "one photo, four times as fine", longest);
  await page.check('[value="attention"]');
  await page.waitForFunction('document.querySelectorAll("#multiples button").length > 0 && document.getElementById("status").dataset.state !== "working"');
  await note(page, "attention", longest);
}

/** The longest task since the last note; 0 where none took 50 milliseconds. */
async function note(page: Page, name: string, longest: Record<string, number>): Promise<void> {
  await page.evaluate("new Promise((resolve) => setTimeout(resolve, 1000))");
  longest[name] = Math.max(longest[name] ?? 0, await page.evaluate<number>("Math.max(0, ...window.tasks.splice(0))"));
}
