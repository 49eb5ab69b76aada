/** "Same bits?" in a browser without WebGPU: threads and every kernel of the processor; and what is said where bits differ. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { noChromium } from "../support/chromium.js";
import { openBrowser, openTab, PATIENCE_MS, SCREENSHOTS, serveThrough } from "./page.js";

const BADGE = 'document.getElementById("badge")';
const LINES = '[...document.querySelectorAll("#ways li")].map((line) => [...line.children].map(({ textContent, dataset }) => [textContent, dataset.state]))';
const WITHOUT_WEBGPU: Record<string, [string, string]> = {
  "index.html": ["<head>", "<head><script>delete Navigator.prototype.gpu;</script>"], "engine.js": ["/** The worker", "delete WorkerNavigator.prototype.gpu;\n/** The worker"],
};
/** As if one kernel of two threads gave another bit. */
const PLANTED = `const differs = row.variant.endsWith("relaxed 2 threads"), difference = { part: "layer 3", op: "linear", buffer: "hidden", coordinates: [0, 5, 17], actual: "0x3f800001", expected: "0x3f800000", ulps: 1, differing: 1, total: 12288 };
      report({ row: differs ? { ...row, same: false, digest: "0".repeat(64), difference } : row });`;

test("without WebGPU every kernel is tried; a difference is named with its place", { skip: noChromium ?? false, timeout: PATIENCE_MS }, async (t) => {
  const { url, newContext } = await openBrowser(t);
  let isPlanted = false;
  const edit = (text: string, path: string) => {
    const [, [from, to]] = Object.entries(WITHOUT_WEBGPU).find(([name]) => path.endsWith(`/${name}`) || (name === "index.html" && path.endsWith("/"))) ?? ["", ["", ""]];
    const without = text.replace(from, to);
    return isPlanted && path.endsWith("/engine.js") ? without.replace("onRow: (row) => report({ row })", `onRow: (row) => { ${PLANTED} }`) : without;
  };
  const server = await serveThrough(url, { edit });
  t.after(() => server.close());
  for (isPlanted of [false, true]) {
    const { page, complaints } = await openTab(await newContext());
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(server.url);
    await page.waitForFunction('document.body.dataset.ready === "true" && !document.getElementById("compare").disabled');
    assert.equal(await page.evaluate('document.querySelector("#device [value=webgpu]").disabled'), true);
    await page.click("#compare");
    await page.waitForFunction(`["same", "different", "absent"].includes(${BADGE}.dataset.state)`);
    const said = await page.evaluate<string>(`${BADGE}.value`), lines = await page.evaluate<[string, string][][]>(LINES), kernels = lines.filter(([[name]]) => name.startsWith("kernels "));
    await page.screenshot({ path: `${SCREENSHOTS}/ways-${isPlanted ? "different" : "same"}.png`, fullPage: true });
    assert.deepEqual(lines.slice(0, 2).map(([[name]]) => name), ["CPU, one thread", "CPU, all threads"]);
    assert.ok(kernels.length >= 6, JSON.stringify(lines));
    if (isPlanted) {
      assert.match(said, /^DIFFERENT: kernels relaxed 2 threads gives 0{64}, CPU, one thread [0-9a-f]{64}\. They part in layer 3, at the op linear: hidden\[0, 5, 17\] is 0x3f800001, not 0x3f800000; 1 of 12288 numbers differ\. Please report this/);
      assert.deepEqual(kernels.filter(([, [, state]]) => state === "different").map(([[name]]) => name), ["kernels relaxed 2 threads"]);
    } else {
      assert.equal(said, `The same in every bit: CPU, one thread; CPU, all threads; ${kernels.length} kernels of the CPU.`);
      assert.ok(lines.every(([, [, state]]) => state === "same"), JSON.stringify(lines));
    }
    assert.deepEqual(complaints, []);
  }
});
