/** Starts headless Chromium on SwiftShader and runs the suite in a page. */
import { createServer, type Server } from "node:http";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { SuiteReport } from "./suite.js";

const ARGUMENTS = [
  "--no-sandbox", "--no-zygote", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
  // See tests/support/webgpu.ts.
  "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension",
];
const TIMEOUT_MS = 300_000;

interface Playwright {
  chromium: { launch(options: object): Promise<{ newPage(): Promise<Page>; version(): string; close(): Promise<void> }> };
}

interface Page {
  goto(url: string): Promise<unknown>;
  setDefaultTimeout(milliseconds: number): void;
  evaluate<T>(expression: string): Promise<T>;
}

/**
 * @param executable the browser
 * @param packages the node_modules folder that has playwright-core
 * @param build folder of the compiled tests
 */
export async function runInChromium(executable: string, packages: string, build: string): Promise<SuiteReport | { absent: string }> {
  const { default: playwright } = (await import(pathToFileURL(join(packages, "playwright-core/index.js")).href)) as { default: Playwright };
  const server = await serve(build);
  const browser = await playwright.chromium.launch({ executablePath: executable, args: ARGUMENTS, headless: true, timeout: TIMEOUT_MS });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    return await page.evaluate('import("/build/tests/runtimes/webgpu/page.js").then((module) => module.runPage())');
  } finally {
    await browser.close();
    server.close();
  }
}

/** Files of the repository; /build/ is the compiled tests. */
async function serve(build: string): Promise<Server> {
  const root = resolve(".") + sep;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname.slice(1);
    const file = path.startsWith("build/") ? resolve(build, path.slice(6)) : resolve(path);
    const type = path.endsWith(".js") ? "text/javascript" : path === "" ? "text/html" : "application/octet-stream";
    const answer = (status: number, body: Uint8Array | string) => response.writeHead(status, { "Content-Type": type }).end(body);
    if (path === "") answer(200, "<!doctype html><title>ijepa</title>");
    else if (!file.startsWith(path.startsWith("build/") ? resolve(build) + sep : root)) answer(403, "");
    else readFile(file).then((bytes) => answer(200, bytes), () => answer(404, ""));
  });
  await new Promise<void>((ready) => server.listen(0, "localhost", ready));
  return server;
}
