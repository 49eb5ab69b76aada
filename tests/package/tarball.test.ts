/** The tarball: what package checkers say, how large the CPU entry is, and that the same input gives the same bytes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { after, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { WASM_MODULES } from "../../ts-api/src/runtime/env.js";
import { sha256 } from "../support/sha256.js";
import { packPackage } from "./packed.js";

const PACKAGES = "tests/package/node_modules";
const ATTW = `${PACKAGES}/@arethetypeswrong/cli/dist/index.js`;
/** What `ijepa/wasm` may bring with it, compressed; image codecs are fetched when an image needs them. */
const MAX_BYTES = 150_000;
/** What the build reads, node_modules apart. */
const INPUTS = ["assembly", "codecs", "gpu", "scripts", "ts-api", "weights-tools", "asconfig.json", "package.json", "rollup.config.js"];

const { folder, tarball } = await packPackage();
after(() => rmSync(folder, { recursive: true }));

/** docs/decisions/0032-the-demo-model-in-bf16.md says what they are made of. */
const MAX_PACKED = 7_400_000, MAX_INSTALLED = 12_100_000;

test(`the package has at most ${MAX_PACKED / 1e6} MB packed, ${MAX_INSTALLED / 1e6} MB installed`, (t) => {
  const paths = filesOf(join(folder, "ijepa"));
  for (const kind of new Set(paths.map(kindOf))) {
    const bytes = Buffer.concat(paths.filter((path) => kindOf(path) === kind).map((path) => readFileSync(path)));
    t.diagnostic(`${kind}: ${bytes.length} bytes, gzip ${gzipSync(bytes).length}`);
  }
  const packed = statSync(tarball).size, installed = paths.reduce((sum, path) => sum + statSync(path).size, 0);
  t.diagnostic(`in all: ${packed} bytes packed, ${installed} installed`);
  assert.ok(packed <= MAX_PACKED, `${packed} bytes packed`);
  assert.ok(installed <= MAX_INSTALLED, `${installed} bytes installed`);
});

test("every file that published code names by its address is in the package", () => {
  const root = join(folder, "ijepa"), scripts = filesOf(root).filter((path) => /\.c?js$/.test(path));
  const named = scripts.flatMap((path) => {
    const address = /new URL\(\s*(["'`])((?:(?!\1).)*)\1\s*,\s*(?:import\.meta\.url|require\("node:url"\)\.pathToFileURL\(__filename\)\.href)/g;
    return [...readFileSync(path, "utf8").matchAll(address)].map(([, , target]) => ({ path: relative(root, path), target }));
  });
  // At least in the builds for Node, for browsers and for CommonJS.
  assert.ok(named.length >= 3 * WASM_MODULES.length, `${named.length} addresses`);
  assert.deepEqual(named.filter(({ path, target }) => !existsSync(join(root, dirname(path), target))), []);
  // Bundlers look for what stands in any other form, too.
  assert.deepEqual(scripts.filter((path) => /new URL\((?!\s*["'`])[^,()]*,\s*import\.meta\.url/.test(readFileSync(path, "utf8"))), []);
});

test("no page of the package has a link, or a picture, that leads nowhere", () => {
  const pages = filesOf(join(folder, "ijepa")).filter((path) => path.endsWith(".md"));
  assert.ok(pages.length >= 18, pages.join());
  const links = pages.flatMap((page) => [...readFileSync(page, "utf8").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => ({ page: relative(folder, page), target })));
  assert.ok(links.length > 50);
  const dead = links.filter(({ page, target }) => {
    if (/^(https?:|mailto:)/.test(target)) return false;
    const [path, anchor] = target.split("#"), file = path === "" ? join(folder, page) : join(folder, dirname(page), path);
    return !existsSync(file) || (anchor !== undefined && !anchorsOf(file).includes(anchor));
  });
  assert.deepEqual(dead, []);
  const readme = readFileSync(join(folder, "ijepa/README.md"), "utf8");
  for (const words of ["npm install ijepa", "docs/build-tools.md", "docs/guides/getting-started.md", "ijepa-demo"]) assert.ok(readme.includes(words), words);
});

test("the manifest of the package has nothing of the repository", () => {
  const manifest = JSON.parse(readFileSync(join(folder, "ijepa/package.json"), "utf8")) as Record<string, unknown>;
  assert.deepEqual(["scripts", "publishConfig", "devDependencies", "overrides", "imports", "files"].filter((field) => field in manifest), []);
  assert.equal((JSON.parse(readFileSync(join(folder, "ijepa-demo/package.json"), "utf8")) as { version: string }).version, manifest["version"]);
});

const CHECKERS = [
  { name: "publint", program: `${PACKAGES}/publint/src/cli.js`, args: [tarball, "--strict"], clean: /All good!/ },
  // Workers have no require.
  { name: "arethetypeswrong", program: ATTW, args: [tarball, "--profile", "strict", "--exclude-entrypoints", "worker", "--format", "ascii"], clean: /No problems found/ },
  { name: "arethetypeswrong, of ijepa/worker,", program: ATTW, args: [tarball, "--profile", "esm-only", "--entrypoints", "worker", "--format", "ascii"], clean: /node16 \(from ESM\): 🟢/ },
];
for (const { name, program, args, clean } of CHECKERS) {
  test(`${name} finds nothing`, { skip: existsSync(program) ? false : `not run: no ${program}` }, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, clean);
  });
}

test(`ijepa/wasm needs at most ${MAX_BYTES} bytes, compressed`, (t) => {
  const scripts = [...closureOf("dist/browser/wasm.js"), ...closureOf("dist/browser/thread.js")];
  const kernels = readdirSync("dist/wasm").filter((name) => name.startsWith("kernels-")).map((name) => `dist/wasm/${name}`);
  assert.ok(scripts.length >= 3 && kernels.length >= 4);
  const sizes = [...new Set([...scripts, ...kernels])].map((path) => {
    const bytes = readFileSync(path);
    return { path, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length };
  });
  for (const { path, gzip, brotli } of sizes) t.diagnostic(`${path}: gzip ${gzip}, brotli ${brotli}`);
  const total = (kind: "gzip" | "brotli") => sizes.reduce((sum, size) => sum + size[kind], 0);
  t.diagnostic(`in all: gzip ${total("gzip")}, brotli ${total("brotli")}`);
  assert.ok(total("gzip") <= MAX_BYTES, `gzip makes ${total("gzip")} bytes of it`);
});

test("the same input gives the same bytes, in another folder too", () => {
  const copy = mkdtempSync(join(tmpdir(), "ijepa-rebuilt-"));
  for (const input of INPUTS) cpSync(input, join(copy, input), { recursive: true });
  // Tests and benches are no part of the package.
  const config = JSON.parse(readFileSync("tsconfig.json", "utf8")) as object;
  writeFileSync(join(copy, "tsconfig.json"), JSON.stringify({ ...config, include: ["ts-api", "weights-tools"] }));
  symlinkSync(resolve("node_modules"), join(copy, "node_modules"));
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(copy, "scripts/build.mjs")], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  const [here, there] = ["dist", join(copy, "dist")].map(hashesOf);
  rmSync(copy, { recursive: true });
  assert.ok(here.size > 50);
  assert.deepEqual(there, here);
});

/** A script and everything that it imports before it runs. */
function closureOf(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, specifier] of readFileSync(path, "utf8").matchAll(/\b(?:from|import)\s*["'](\.[^"']+)["']/g)) closureOf(join(dirname(path), specifier), found);
  return found;
}

/** The folder of a file in the package, two deep; the types of CommonJS apart. */
function kindOf(path: string): string {
  const parts = relative(join(folder, "ijepa"), dirname(path)).split(sep);
  return parts.slice(0, parts[2] === "types" ? 3 : 2).join("/");
}

/** As viewers make them of headings. */
function anchorsOf(page: string): string[] {
  const headings = [...readFileSync(page, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading);
  return headings.map((heading) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"));
}

function filesOf(root: string): string[] {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
}

function hashesOf(root: string): Map<string, string> {
  return new Map(filesOf(root).map((path) => [relative(root, path), sha256(readFileSync(path))]));
}
