/** Runs the suite in a page of headless Chromium on SwiftShader. */
import { readFile } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { launchChromium, openPage, servePages, type Answer } from "../../support/chromium.js";
import type { SuiteReport } from "./suite.js";

const IMPORTS = { "#runtime": "/build/ts-api/src/runtime/browser.js", "#devices": "/build/ts-api/src/backends/devices.js" };
const PAGE = `<!doctype html><title>ijepa</title><script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>`;

/** @param build folder of the compiled tests */
export async function runInChromium(build: string): Promise<SuiteReport | { absent: string }> {
  const server = await servePages((path) => answer(build, path));
  const browser = await launchChromium();
  try {
    const page = await openPage(browser, server.url);
    return await page.evaluate('import("/build/tests/runtimes/webgpu/page.js").then((module) => module.runPage())');
  } finally {
    await browser.close();
    server.close();
  }
}

/** Files of the repository; build/ is the compiled tests. */
async function answer(build: string, path: string): Promise<Answer> {
  if (path === "") return { status: 200, type: "text/html", body: PAGE };
  const compiled = path.startsWith("build/");
  const root = resolve(compiled ? build : "."), file = resolve(root, compiled ? path.slice(6) : path);
  if (!file.startsWith(root + sep)) return { status: 403, type: "text/plain", body: "" };
  return { status: 200, type: path.endsWith(".js") ? "text/javascript" : "application/octet-stream", body: await readFile(file) };
}
