/** The page of examples/browser, served, and what its tests use of a browser. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import type { TestContext } from "node:test";
import { ISOLATED } from "../support/browsers.js";
import { DEBIAN_CHROMIUM, launchChromium, noChromium, servePages, type Browser } from "../support/chromium.js";

export const PATIENCE_MS = 300_000;
export const SCREENSHOTS = "build/tests/examples/screenshots";

/** A browser with a camera that it makes up. */
export const CAMERA = { executablePath: DEBIAN_CHROMIUM, more: ["--use-fake-device-for-media-stream"] };
/** Why there is none; undefined where there is. */
export const noCamera = noChromium ?? (existsSync(DEBIAN_CHROMIUM) ? undefined : `not run: no ${DEBIAN_CHROMIUM}`);

/** A function for a browser: so many cuts of the two samples, in turn, as a DataTransfer. */
export const MAKE_PHOTOS = `async (count) => {
  const transfer = new DataTransfer();
  for (let i = 0; i < count; i++) {
    const name = i % 2 === 0 ? "chelsea.png" : "rocket.jpg", photo = await createImageBitmap(await (await fetch("../photos/" + name)).blob());
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 }), step = Math.floor(i / 2), side = photo.height * 0.6;
    canvas.getContext("2d").drawImage(photo, (photo.width - side * 4 / 3) * (step % 4) / 3, (photo.height - side) * Math.floor(step / 4) / 2, side * 4 / 3, side, 0, 0, 320, 240);
    const file = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg"));
    transfer.items.add(new File([file], name.slice(0, -4) + "-" + step + ".jpg", { lastModified: 1 }));
  }
  return transfer;
}`;

/** What of playwright-core is used here. */
export interface Page {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  evaluate<T>(expression: string): Promise<T>;
  waitForFunction(expression: string): Promise<unknown>;
  click(selector: string, options?: { position?: { x: number; y: number } }): Promise<void>;
  check(selector: string): Promise<void>;
  selectOption(selector: string, option: { label: string }): Promise<unknown>;
  textContent(selector: string): Promise<string | null>;
  setInputFiles(selector: string, files: readonly string[]): Promise<void>;
  inputValue(selector: string): Promise<string>;
  focus(selector: string): Promise<void>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<Uint8Array>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(options: { colorScheme: "light" | "dark"; reducedMotion?: "reduce" }): Promise<void>;
  keyboard: { press(key: string): Promise<void> };
  setDefaultTimeout(milliseconds: number): void;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
}

export interface Context {
  newPage(): Promise<Page>;
  setOffline(offline: boolean): Promise<void>;
}

/** Chromium and the page's server, until the test ends. */
export async function openBrowser(t: TestContext, options: Parameters<typeof launchChromium>[0] = {}): Promise<{ url: string; newContext(options?: { permissions?: string[] }): Promise<Context> }> {
  const { url, stop } = await startPage();
  const browser = (await launchChromium(options)) as unknown as Browser & { newContext(options?: object): Promise<Context> };
  t.after(async () => {
    await browser.close();
    stop();
  });
  mkdirSync(SCREENSHOTS, { recursive: true });
  return { url, newContext: (options) => browser.newContext(options) };
}

/** A page with what its console complains of. */
export async function openTab(context: Context): Promise<{ page: Page; complaints: string[] }> {
  const page = await context.newPage(), complaints: string[] = [];
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  return { page, complaints };
}

/** The page's server behind another, which may change pages and programs and sees what is asked for. */
export async function serveThrough(url: string, { edit = (text) => text, headers = ISOLATED, saw = () => {} }: { edit?: (text: string, path: string) => string; headers?: Record<string, string>; saw?: (path: string, body: Uint8Array) => void }): Promise<{ url: string; close(): void }> {
  const { origin, pathname } = new URL(url);
  const server = await servePages(async (path) => {
    const answer = await fetch(`${origin}/${path}`), type = answer.headers.get("content-type") ?? "application/octet-stream", bytes = new Uint8Array(await answer.arrayBuffer());
    saw(path, bytes);
    return { status: answer.status, type, body: /^text\/(html|javascript)/.test(type) ? edit(new TextDecoder().decode(bytes), path) : bytes, headers };
  });
  return { url: new URL(pathname, server.url).href, close: server.close };
}

export async function startPage(): Promise<{ url: string; stop(): void }> {
  const child = spawn(process.execPath, ["examples/browser/serve.mjs", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((resolve) => child.stdout.setEncoding("utf8").once("data", resolve));
  return { url: line.trim(), stop: () => child.kill() };
}
