/** The tarball: what package checkers say, how large the CPU entry is, and that the same input gives the same bytes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { after, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { packPackage } from "./packed.js";

const PACKAGES = "tests/package/node_modules";
const ATTW = `${PACKAGES}/@arethetypeswrong/cli/dist/index.js`;
/** What `ijepa/wasm` may bring with it, compressed; image codecs are fetched when an image needs them. */
const MAX_BYTES = 150_000;
/** What the build reads, node_modules apart. */
const INPUTS = ["assembly", "codecs", "gpu", "scripts", "ts-api", "weights-tools", "asconfig.json", "package.json", "rollup.config.js"];

const { folder, tarball } = packPackage();
after(() => rmSync(folder, { recursive: true }));

const CHECKERS = [
  { name: "publint", program: `${PACKAGES}/publint/src/cli.js`, args: [tarball, "--strict"], clean: /All good!/ },
  // Workers have no require.
  { name: "arethetypeswrong", program: ATTW, args: [tarball, "--profile", "strict", "--exclude-entrypoints", "worker", "--format", "ascii"], clean: /No problems found/ },
  { name: "arethetypeswrong, of ijepa/worker,", program: ATTW, args: [tarball, "--profile", "esm-only", "--entrypoints", "worker", "--format", "ascii"], clean: /node16 \(from ESM\): 🟢/ },
];
for (const { name, program, args, clean } of CHECKERS) {
  test(`${name} finds nothing`, { skip: existsSync(program) ? false : `NOT RUN: no ${program}` }, () => {
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

function hashesOf(root: string): Map<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
  return new Map(paths.map((path) => [relative(root, path), createHash("sha256").update(readFileSync(path)).digest("hex")]));
}
