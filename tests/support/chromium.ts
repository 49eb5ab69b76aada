/** The headless Chromium of tests/runtimes/webgpu, and a loopback server for its pages. */
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const PACKAGES = resolve("tests/runtimes/webgpu/node_modules");
const EXECUTABLE = `${PACKAGES}/.software/chromium`;
const ARGUMENTS = [
  "--no-sandbox", "--no-zygote", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
  // See tests/support/webgpu.ts.
  "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension",
];
const TIMEOUT_MS = 300_000;

interface Playwright {
  chromium: { launch(options: object): Promise<Browser> };
}

export interface Browser {
  newPage(): Promise<Page>;
  version(): string;
  close(): Promise<void>;
}

export interface Page {
  goto(url: string): Promise<unknown>;
  setDefaultTimeout(milliseconds: number): void;
  evaluate<T>(expression: string): Promise<T>;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  close(): Promise<void>;
}

/** Why there is no browser here; undefined where there is. */
export const noChromium = existsSync(EXECUTABLE) ? undefined : `not run: no ${EXECUTABLE}`;

/** Debian's Chromium, which has what the headless one was built without, such as cameras. */
export const DEBIAN_CHROMIUM = "/usr/bin/chromium";

/** @param more arguments beside those that every test needs */
export async function launchChromium({ executablePath = EXECUTABLE, more = [] }: { executablePath?: string; more?: readonly string[] } = {}): Promise<Browser> {
  const { default: playwright } = (await import(pathToFileURL(`${PACKAGES}/playwright-core/index.js`).href)) as { default: Playwright };
  return playwright.chromium.launch({ executablePath, args: [...ARGUMENTS, ...more], headless: true, timeout: TIMEOUT_MS });
}

export async function openPage(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  await page.goto(url);
  return page;
}

export interface Answer {
  status: number;
  type: string;
  body: Uint8Array | string;
  headers?: Record<string, string>;
}

export interface PageServer {
  /** With a slash at the end. */
  url: string;
  close(): void;
}

/** Serves what `answer` gives for a path, which has no slash at its start, and the Range header of the request. */
export async function servePages(answer: (path: string, range?: string) => Promise<Answer>): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname.slice(1));
    const fail = (): Answer => ({ status: 404, type: "text/plain", body: "" });
    void answer(path, request.headers.range).catch(fail).then(({ status, type, body, headers }) => response.writeHead(status, { "Content-Type": type, ...headers }).end(body));
  });
  await new Promise<void>((ready) => server.listen(0, "localhost", ready));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, close };
}
