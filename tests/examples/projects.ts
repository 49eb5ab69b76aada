/** The projects of examples/ as their users have them: the packed package and the pinned tools installed, in a folder of their own. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, extname, join, resolve, sep } from "node:path";
import type { TestContext } from "node:test";
import { launchChromium, noChromium, openPage, servePages, type Answer, type Browser } from "../support/chromium.js";
import { BUN, unless } from "../support/engines.js";
import { sha256 } from "../support/sha256.js";
import { packPackage, type Packed } from "../package/packed.js";

export const PHOTO = resolve("examples/photos/rocket.jpg");
/** What `ijepa embed` prints for it. */
export const DIGEST = (JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>)["bf16 rocket.jpg"];
export const chromium = unless(noChromium);

/** Installed tools are kept from one run to the next: they are large, and do not change. */
const KEPT = join(tmpdir(), `ijepa-examples-${sha256(process.cwd()).slice(0, 8)}`);
const OFFLINE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED)\b/;

export interface Project {
  folder: string;
  /** Runs a script of its package.json and returns what it prints. */
  script(name: string, options?: RunOptions): string;
  run(program: string, args: readonly string[], options?: RunOptions): string;
}

interface RunOptions {
  env?: Record<string, string>;
  /** The Node that runs it. Default: this one. */
  node?: string;
}

let packed: Packed | undefined;

/** The tarball; packed once. */
async function tarball(): Promise<string> {
  return (packed ??= await packPackage()).tarball;
}

export function removeTarball(): void {
  if (packed !== undefined) rmSync(packed.folder, { recursive: true });
}

/**
 * An example with its tools and the packed package, in a folder without anything else; "not run: ..." where npm has neither a network
 * nor a full cache.
 *
 * @param tools other versions of its tools, by their names
 */
export async function installProject(name: string, tools: Record<string, string> = {}): Promise<Project | string> {
  const manifest = JSON.parse(readFileSync(`examples/${name}/package.json`, "utf8")) as { dependencies: Record<string, string>; devDependencies?: Record<string, string> };
  manifest.dependencies["ijepa"] = `file:${await tarball()}`;
  for (const [tool, version] of Object.entries(tools)) manifest.devDependencies![tool] = version;
  const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as { dependencies: object };
  const wanted = JSON.stringify([{ ...manifest.dependencies, ijepa: undefined }, manifest.devDependencies, dependencies]);
  const folder = join(KEPT, [name, ...Object.values(tools)].join("-")), note = join(folder, "node_modules/.installed");
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) if (file !== "node_modules") rmSync(join(folder, file), { recursive: true });
  cpSync(`examples/${name}`, folder, { recursive: true, filter: (path) => !/[/\\](node_modules|\.next)$/.test(path) });
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  if (existsSync(note) && readFileSync(note, "utf8") === wanted) unpack(await tarball(), join(folder, "node_modules/ijepa"));
  else {
    rmSync(join(folder, "node_modules"), { recursive: true, force: true });
    const args = ["install", "--no-audit", "--no-fund", "--prefer-offline", "--no-package-lock", "--ignore-scripts", "--loglevel=error"];
    const { status, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0 && OFFLINE.test(stderr)) return `not run: npm cannot install the tools of examples/${name}: ${stderr.trim().split("\n")[0]}`;
    assert.equal(status, 0, stderr);
    writeFileSync(note, wanted);
  }
  const run = (program: string, args: readonly string[], { env = {}, node = process.execPath }: RunOptions = {}): string => {
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8", env: environment(folder, node, env), maxBuffer: 2 ** 26 });
    assert.equal(status, 0, `${program} ${args.join(" ")}\n${stdout}\n${stderr}`);
    return stdout;
  };
  return { folder, run, script: (script, options) => run("npm", ["run", "--silent", script], options) };
}

/** The package anew, in the place of what was installed. */
function unpack(tarball: string, folder: string): void {
  const kept = join(folder, "node_modules"), aside = `${folder}-kept`;
  if (existsSync(kept)) cpSync(kept, aside, { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { status, stderr } = spawnSync("tar", ["xzf", tarball, "--strip-components=1", "-C", folder], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  if (existsSync(aside)) cpSync(aside, kept, { recursive: true });
  rmSync(aside, { recursive: true, force: true });
}

function environment(folder: string, node: string, more: Record<string, string>): Record<string, string> {
  const path = [join(node, ".."), join(folder, "node_modules/.bin"), join(BUN, ".."), process.env["PATH"]].join(delimiter);
  return { ...(process.env as Record<string, string>), PATH: path, CI: "1", NEXT_TELEMETRY_DISABLED: "1", WRANGLER_SEND_METRICS: "false", NO_COLOR: "1", ...more };
}

/** A server of a tool, once it has printed its address. */
export async function startServer(project: Project, args: readonly string[], { env = {}, node = process.execPath }: RunOptions = {}): Promise<{ url: string; stop(): Promise<void> }> {
  const child = spawn(args[0], args.slice(1), { cwd: project.folder, env: environment(project.folder, node, env), detached: true });
  let printed = "";
  const stop = () => stopGroup(child);
  const url = await new Promise<string>((found, fail) => {
    const look = (text: Buffer) => {
      printed += text.toString();
      const address = /https?:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):\d+/.exec(printed)?.[0];
      if (address !== undefined) found(address.replace("0.0.0.0", "localhost"));
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.on("error", fail);
    child.on("exit", (code) => fail(new Error(`${args.join(" ")} ended with ${code}\n${printed}`)));
  }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { url, stop };
}

async function stopGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const ended = new Promise((done) => child.once("exit", done));
  process.kill(-child.pid, "SIGKILL");
  await ended;
}

const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

let browser: Promise<Browser> | undefined;

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
}

/** What the page of an example shows for the photo. */
export async function shownBy(url: string, threads: number): Promise<string> {
  const page = await openPage(await (browser ??= launchChromium()), `${url}?photo=rocket.jpg&threads=${threads}`);
  try {
    return await page.evaluate(`new Promise((found) => {
      const look = () => {
        const { textContent = "" } = document.querySelector("output") ?? {};
        if (textContent === "") setTimeout(look, 50);
        else found(textContent);
      };
      look();
    })`);
  } finally {
    await page.close();
  }
}

/**
 * A static server for what a tool has built.
 * @param spa answer with the page where there is no file, as servers of single-page programs do
 */
export async function serveFolder(folder: string, { spa = false }: { spa?: boolean } = {}): Promise<{ url: string; close(): void }> {
  return servePages(async (path): Promise<Answer> => {
    const file = resolve(folder, path === "" ? "index.html" : path);
    assert.ok(file.startsWith(resolve(folder) + sep));
    const page = spa && !existsSync(file) ? join(folder, "index.html") : file;
    return { status: 200, type: TYPES[extname(page)] ?? "application/octet-stream", headers: ISOLATED, body: await readFile(page) };
  });
}

/** The photo where the example's page finds it, and the model. */
export function addFiles(project: Project, folder: string): void {
  mkdirSync(join(project.folder, folder), { recursive: true });
  cpSync(PHOTO, join(project.folder, folder, "rocket.jpg"));
  cpSync(join(project.folder, "node_modules/ijepa/models/demo"), join(project.folder, folder, "model"), { recursive: true });
}

/** The project, or undefined and a test that says why it is not run. */
export async function projectFor(t: TestContext, name: string, tools?: Record<string, string>): Promise<Project | undefined> {
  const project = await installProject(name, tools);
  if (typeof project !== "string") return project;
  t.skip(project);
  return undefined;
}

export async function assertShown(url: string): Promise<void> {
  for (const threads of [1, 2]) assert.equal(await shownBy(url, threads), DIGEST, `${threads} threads`);
}

/** The digest, on one thread and two; and without the model, what is missing, with its address, the tool and the page of the documents. */
export async function assertBuilt(folder: string, { tool = "a bundler", ...options }: { spa?: boolean; tool?: string } = {}): Promise<void> {
  const server = await serveFolder(folder, options);
  try {
    await assertShown(server.url);
    rmSync(join(folder, "model"), { recursive: true });
    const told = await shownBy(server.url, 1), words = [`${server.url}model/config.json`, `built by ${tool}.`, "docs/build-tools.md", "[config/missing]"];
    assert.deepEqual(words.filter((word) => !told.includes(word)), [], told);
  } finally {
    server.close();
  }
}
