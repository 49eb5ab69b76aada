/** Firefox, WebKitGTK and Chromium of Debian: a page in a fresh profile, without a driver; the page reports by asking for /report/JSON. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { servePages, type Answer } from "./chromium.js";

export type BrowserName = "Firefox" | "WebKit" | "Chromium";

export const MINIBROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
const PROGRAMS: Record<BrowserName, string> = { Firefox: "/usr/bin/firefox-esr", WebKit: MINIBROWSER, Chromium: "/usr/bin/chromium" };
/** Nothing but the page: no updates, reports, experiments or first pages. */
const FIREFOX_PREFS: Readonly<Record<string, unknown>> = {
  "app.normandy.enabled": false, "app.update.enabled": false, "browser.aboutwelcome.enabled": false, "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false, "browser.shell.checkDefaultBrowser": false, "browser.startup.homepage_override.mstone": "ignore",
  "browser.startup.page": 0, "datareporting.policy.dataSubmissionEnabled": false, "dom.max_script_run_time": 0, "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false, "network.connectivity-service.enabled": false, "network.dns.disablePrefetch": true,
  "network.prefetch-next": false, "services.settings.server": "data:,#remote-settings-dummy/v1", "toolkit.telemetry.reportingpolicy.firstRun": false,
};
const COMMANDS: Record<BrowserName, (profile: string, url: string) => string[]> = {
  Firefox(profile, url) {
    writeFirefoxPrefs(profile, {});
    return [PROGRAMS.Firefox, "--headless", "--no-remote", "--profile", profile, url];
  },
  WebKit: (_profile, url) => ["xvfb-run", "-a", MINIBROWSER, url],
  Chromium: (profile, url) => [
    PROGRAMS.Chromium, "--headless=new", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", `--user-data-dir=${profile}`, url,
  ],
};
/** Pages share memory among threads. */
export const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp", "Cache-Control": "no-store" };
const REPORT = "report/";
const TIMEOUT_MS = 600_000;

/** Settings of a profile that is not used yet. */
export function writeFirefoxPrefs(profile: string, more: Readonly<Record<string, unknown>>): void {
  const lines = Object.entries({ ...FIREFOX_PREFS, ...more }).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  writeFileSync(join(profile, "user.js"), lines.join(""));
}

/** Why the browser is not here; undefined where it is. */
export function absentBrowser(name: BrowserName): string | undefined {
  const lacking = [PROGRAMS[name], ...(name === "WebKit" ? ["/usr/bin/xvfb-run"] : [])].find((program) => !existsSync(program));
  return lacking === undefined ? undefined : `not run: no ${lacking}`;
}

/**
 * Opens the page at / of a server and returns what it reports.
 *
 * @param answer the page, and what it fetches
 */
export async function reportOf<T>(name: BrowserName, answer: (path: string, range?: string) => Promise<Answer>): Promise<T> {
  let tell = (_report: T) => {};
  const reported = new Promise<T>((resolve) => (tell = resolve));
  const server = await servePages(async (path, range) => {
    if (path.startsWith(REPORT)) tell(JSON.parse(path.slice(REPORT.length)) as T);
    const given = path.startsWith(REPORT) ? { status: 200, type: "text/plain", body: "" } : await answer(path, range);
    return { ...given, headers: { ...ISOLATED, ...given.headers } };
  });
  const profile = mkdtempSync(join(tmpdir(), "ijepa-browser-"));
  const [program, ...args] = COMMANDS[name](profile, server.url);
  const env = { ...process.env, HOME: profile, XDG_RUNTIME_DIR: profile };
  const child = spawn(program, args, { detached: true, stdio: ["ignore", "ignore", "pipe"], env });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<never>((_resolve, reject) => child.once("exit", (code) => reject(new Error(`${name} ended, ${code}: ${said.slice(-1000)}`))));
  ended.catch(() => {});
  const late = new AbortController();
  try {
    return await Promise.race([reported, ended, setTimeout(TIMEOUT_MS, undefined, { signal: late.signal }).then(() => Promise.reject(new Error(`${name} said nothing for ${TIMEOUT_MS / 1000} s.`)))]);
  } finally {
    late.abort();
    await endGroup(child.pid!, ended);
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The program and all that it started. */
export async function endGroup(pid: number, ended: Promise<unknown>): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    try {
      process.kill(-pid, signal);
    } catch {
      return;
    }
    await Promise.race([ended.catch(() => {}), setTimeout(2000)]);
  }
}
