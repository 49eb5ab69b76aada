/** Firefox by Marionette, which it has built in, and WebKitGTK by WebKitWebDriver: the same commands of WebDriver, by socket and by HTTP. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { absentBrowser, endGroup, MINIBROWSER, writeFirefoxPrefs } from "./browsers.js";
import { freePort } from "./free-port.js";

export type DrivenBrowser = "Firefox" | "WebKit";

/** A browser's window. */
export interface Driver {
  open(url: string): Promise<void>;
  /** The value of an expression, which may be a promise. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits for an expression to be true. */
  wait(expression: string): Promise<void>;
  click(selector: string): Promise<void>;
  type(selector: string, text: string): Promise<void>;
  resize(width: number, height: number): Promise<void>;
  /** PNG of what is seen. */
  screenshot(): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** WebDriver's arrow keys. */
export const KEYS = { left: "\uE012", up: "\uE013", right: "\uE014", down: "\uE015" } as const;

const WEBKIT_DRIVER = "/usr/bin/WebKitWebDriver";
const PATIENCE_MS = 120_000;
const START_MS = 60_000;
const POLL_MS = 100;
/** The name under which WebDriver gives an element. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";
/** Firefox makes a camera up, and gives it unasked. */
const CAMERA = { "media.navigator.streams.fake": true, "media.navigator.permission.disabled": true };

/** Sends a command of WebDriver, by its name in Marionette and by its path. */
type Send = (command: string, method: "GET" | "POST" | "DELETE", path: string, body?: object) => Promise<unknown>;

/** Why the browser cannot be driven here; undefined where it can. */
export function undrivable(name: DrivenBrowser): string | undefined {
  return absentBrowser(name) ?? (name === "WebKit" && !existsSync(WEBKIT_DRIVER) ? `not run: no ${WEBKIT_DRIVER}` : undefined);
}

export async function drive(name: DrivenBrowser): Promise<Driver> {
  const profile = mkdtempSync(join(tmpdir(), "ijepa-driven-"));
  const { child, send } = name === "Firefox" ? await startFirefox(profile) : await startWebKit(profile);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await send("WebDriver:SetTimeouts", "POST", "timeouts", { script: PATIENCE_MS, pageLoad: PATIENCE_MS });
  const find = async (selector: string) => {
    const found = (await send("WebDriver:FindElement", "POST", "element", { using: "css selector", value: selector })) as Record<string, string>;
    return found[ELEMENT];
  };
  const evaluate = async <T>(expression: string): Promise<T> => {
    const script = `const done = arguments[arguments.length - 1]; (async () => (${expression}))().then((value) => done({ value }), (error) => done({ error: String(error) }));`;
    const { value, error } = (await send("WebDriver:ExecuteAsyncScript", "POST", "execute/async", { script, args: [] })) as { value: T; error?: string };
    if (error !== undefined) throw new Error(error);
    return value;
  };
  return {
    evaluate,
    open: async (url) => void (await send("WebDriver:Navigate", "POST", "url", { url })),
    async wait(expression) {
      for (const until = Date.now() + PATIENCE_MS; !(await evaluate<boolean>(`Boolean(await (${expression}))`)); await setTimeout(POLL_MS)) {
        if (Date.now() > until) throw new Error(`${name} waited in vain for ${expression}`);
      }
    },
    async click(selector) {
      const id = await find(selector);
      await send("WebDriver:ElementClick", "POST", `element/${id}/click`, { id });
    },
    async type(selector, text) {
      const id = await find(selector);
      await send("WebDriver:ElementSendKeys", "POST", `element/${id}/value`, { id, text });
    },
    resize: async (width, height) => void (await send("WebDriver:SetWindowRect", "POST", "window/rect", { width, height })),
    screenshot: async () => Buffer.from((await send("WebDriver:TakeScreenshot", "GET", "screenshot", { full: false })) as string, "base64"),
    async close() {
      await send("WebDriver:DeleteSession", "DELETE", "").catch(() => {});
      await endGroup(child.pid!, ended);
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function startFirefox(profile: string): Promise<{ child: ChildProcess; send: Send }> {
  writeFirefoxPrefs(profile, { "marionette.port": 0, ...CAMERA });
  const child = start("/usr/bin/firefox-esr", ["--headless", "--marionette", "--no-remote", "--profile", profile], profile);
  const file = join(profile, "MarionetteActivePort");
  await until(() => existsSync(file) && readFileSync(file, "utf8") !== "");
  const socket = connect(Number(readFileSync(file, "utf8")), "127.0.0.1"), waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let received = Buffer.alloc(0), count = 0;
  const greeted = new Promise<void>((resolve) => {
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      for (;;) {
        const colon = received.indexOf(":"), length = Number(received.subarray(0, colon));
        if (colon < 0 || received.length < colon + 1 + length) return;
        const message = JSON.parse(received.subarray(colon + 1, colon + 1 + length).toString()) as [number, number, { message: string } | null, unknown];
        received = received.subarray(colon + 1 + length);
        if (!Array.isArray(message)) resolve();
        else if (message[2] !== null) waiting.get(message[1])?.reject(new Error(message[2].message));
        else waiting.get(message[1])?.resolve(message[3]);
      }
    });
  });
  await greeted;
  const send: Send = async (command, _method, _path, body = {}) => {
    const id = ++count, text = JSON.stringify([0, id, command, body]);
    socket.write(`${Buffer.byteLength(text)}:${text}`);
    const answer = await new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }));
    return answer !== null && typeof answer === "object" && "value" in answer ? answer.value : answer;
  };
  await send("WebDriver:NewSession", "POST", "", {});
  return { child, send };
}

async function startWebKit(profile: string): Promise<{ child: ChildProcess; send: Send }> {
  const port = await freePort(), address = `http://127.0.0.1:${port}/session`;
  const child = start("xvfb-run", ["-a", "-s", "-screen 0 1400x1100x24", WEBKIT_DRIVER, `--port=${port}`], profile);
  await until(() => fetch(`http://127.0.0.1:${port}/status`).then(({ ok }) => ok, () => false));
  const ask = async (method: string, url: string, body?: object): Promise<unknown> => {
    const response = await fetch(url, { method, ...(method === "POST" ? { body: JSON.stringify(body ?? {}) } : {}) });
    const { value } = (await response.json()) as { value: { error?: string; message?: string } };
    if (!response.ok) throw new Error(value.message ?? value.error);
    return value;
  };
  const options = { binary: MINIBROWSER, args: ["--automation"] };
  const { sessionId } = (await ask("POST", address, { capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options } } })) as { sessionId: string };
  return { child, send: (_command, method, path, body) => ask(method, path === "" ? `${address}/${sessionId}` : `${address}/${sessionId}/${path}`, body) };
}

/** A group of its own, so that all that it starts ends with it. */
function start(program: string, args: readonly string[], profile: string): ChildProcess {
  return spawn(program, args, { detached: true, stdio: "ignore", env: { ...process.env, HOME: profile, XDG_RUNTIME_DIR: profile } });
}

async function until(isReady: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + START_MS; !(await isReady()); await setTimeout(POLL_MS)) if (Date.now() > end) throw new Error("The browser did not start.");
}
