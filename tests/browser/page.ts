/** A page of Chromium with the built library, served from the repository's root. */
import { readFile } from "node:fs/promises";
import { extname, resolve, sep } from "node:path";
import { launchChromium, openPage, servePages, type Answer, type Browser } from "../support/chromium.js";

const ROOT = resolve(".");
const TYPES: Record<string, string> = { ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json", ".png": "image/png", ".jpg": "image/jpeg" };
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

let browser: Promise<Browser> | undefined;

/** What an expression gives in a page at `examples/photos/`. */
export interface InPage {
  /** Run before the library is imported. */
  readonly before?: string;
  /** What the server answers in the place of a file; undefined: the file. */
  readonly instead?: (path: string) => Answer | undefined;
}

/**
 * Evaluates the body of an async function in a page; `ijepa` is the library there, and `digest` hashes pixels. A failure becomes
 * { code, message }.
 */
export async function inPage<T>(body: string, { before = "", instead = () => undefined }: InPage = {}): Promise<T> {
  const server = await servePages(async (path) => instead(path) ?? answer(path)), page = await openPage(await (browser ??= launchChromium()), `${server.url}examples/photos/`);
  try {
    return await page.evaluate<T>(`(async () => {
      ${before};
      const ijepa = await import("/dist/browser/index.js");
      const digest = async (data) => Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", data)), (byte) => byte.toString(16).padStart(2, "0")).join("");
      ${body}
    })().catch(({ name, code, message }) => ({ name, code, message }))`);
  } finally {
    await page.close();
    server.close();
  }
}

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
}

async function answer(path: string): Promise<Answer> {
  if (path === "examples/photos/") return { status: 200, type: "text/html", headers: ISOLATED, body: "<!doctype html><title>ijepa</title>" };
  const file = resolve(ROOT, path);
  if (!file.startsWith(ROOT + sep)) return { status: 403, type: "text/plain", body: "" };
  return { status: 200, type: TYPES[extname(file)] ?? "application/octet-stream", headers: ISOLATED, body: await readFile(file) };
}
