/** The page of examples/browser, served, and what its tests use of a browser. */
import { spawn } from "node:child_process";

export const PATIENCE_MS = 300_000;
export const SCREENSHOTS = "build/tests/examples/screenshots";

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
  inputValue(selector: string): Promise<string>;
  focus(selector: string): Promise<void>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<Uint8Array>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(options: { colorScheme: "light" | "dark" }): Promise<void>;
  keyboard: { press(key: string): Promise<void> };
  setDefaultTimeout(milliseconds: number): void;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
}

export interface Context {
  newPage(): Promise<Page>;
  setOffline(offline: boolean): Promise<void>;
}

export async function startPage(): Promise<{ url: string; stop(): void }> {
  const child = spawn(process.execPath, ["examples/browser/serve.mjs", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((resolve) => child.stdout.setEncoding("utf8").once("data", resolve));
  return { url: line.trim(), stop: () => child.kill() };
}
