/** The camera of the page, with the one that Chromium makes up: components live on the CPU and on WebGPU, refused, and let go of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CAMERA, noCamera, openBrowser, openTab, PATIENCE_MS, SCREENSHOTS, type Page } from "./page.js";

/** Keeps the streams that the page is given. */
const WATCHED = `(() => {
  const { mediaDevices } = navigator, ask = mediaDevices.getUserMedia.bind(mediaDevices);
  window.streams = [];
  mediaDevices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    window.streams.push(stream);
    return stream;
  };
})()`;
const SAID = 'document.getElementById("camera-status").textContent';
const isShown = (id: string) => `!document.getElementById("${id}").hidden`;
const tracks = (page: Page) => page.evaluate<string[]>("window.streams.flatMap((stream) => stream.getTracks().map(({ readyState }) => readyState))");
const map = (device: string) => `document.querySelector('#camera [data-device="${device}"] [data-part="map"]')`;
const rate = (device: string) => `document.querySelector('#camera [data-device="${device}"] [data-part="rate"]').textContent`;

test("camera: components live on two devices with the same bits; stopped, refused and left", { skip: noCamera ?? false, timeout: 2 * PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t, CAMERA);
  const { page, complaints } = await openTab(await newContext({ permissions: ["camera"] }));
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(`${url}#camera`);
  await page.waitForFunction('document.body.dataset.ready === "true"');
  await page.screenshot({ path: `${SCREENSHOTS}/camera-off.png`, fullPage: true });
  await page.evaluate(WATCHED);
  await page.click("#camera-start");
  await page.waitForFunction(`${isShown("camera-views")} && ${map("wasm")}.width === 16 && ${map("webgpu")}.width === 16`);
  await page.waitForFunction('document.getElementById("camera-same").dataset.state !== "none"');
  assert.match(await page.evaluate('document.getElementById("camera-same").value'), /^The same in every bit: \d+ frames? that both computed\.$/);
  for (const device of ["wasm", "webgpu"]) assert.match(await page.evaluate(rate(device)), /^\d+(\.\d)? frames a second$/);

  // It is live: the picture that Chromium makes up moves.
  const before = await page.evaluate<string>(`${map("wasm")}.toDataURL()`);
  await page.waitForFunction(`${map("wasm")}.toDataURL() !== ${JSON.stringify(before)}`);
  await page.screenshot({ path: `${SCREENSHOTS}/camera.png`, fullPage: true });
  await page.selectOption("#camera-grid", { label: "as trained" });
  await page.waitForFunction(`${map("wasm")}.width === 8 && ${map("webgpu")}.width === 8`);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok((await page.evaluate<number>("document.documentElement.scrollWidth")) <= 360, "nothing sticks out at 360 pixels");
    await page.screenshot({ path: `${SCREENSHOTS}/camera-narrow-${colorScheme}.png`, fullPage: true });
  }

  assert.deepEqual(await tracks(page), ["live"]);
  await page.click("#camera-stop");
  await page.waitForFunction(`${SAID} === "The camera is off."`);
  assert.deepEqual(await tracks(page), ["ended"]);
  // Another view lets go of it too.
  await page.click("#camera-start");
  await page.waitForFunction(isShown("camera-views"));
  await page.click('nav a[href="#one"]');
  await page.waitForFunction('window.streams.length === 2 && window.streams[1].getTracks().every(({ readyState }) => readyState === "ended")');
  assert.deepEqual(complaints, []);

  const refused = await openTab(await newContext());
  await refused.page.goto(`${url}#camera`);
  await refused.page.waitForFunction('document.body.dataset.ready === "true"');
  await refused.page.click("#camera-start");
  await refused.page.waitForFunction('document.getElementById("camera-status").dataset.state === "failed"');
  assert.match(await refused.page.evaluate<string>(SAID), /^The camera was not allowed\. Allow it for this page/);
  assert.equal(await refused.page.evaluate(`${isShown("camera-start")} && !document.getElementById("camera-start").disabled`), true);
  assert.deepEqual(refused.complaints, []);
});
