/** What `npm pack` would ship, and what may be in no file of the repository. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { WASM_MODULES } from "../../ts-api/src/runtime/env.js";
import { sha256 } from "../support/sha256.js";
import { filesBelow, textOf } from "./tree.js";

interface Manifest {
  version: string;
  bin: Record<string, string>;
  exports: Record<string, Target>;
  main: string;
  module: string;
  types: string;
  typesVersions: { "*": Record<string, string[]> };
  files: string[];
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

type Target = string | { [condition: string]: Target };

interface Packed {
  unpackedSize: number;
  files: { path: string }[];
}

const manifest = JSON.parse(textOf("package.json")) as Manifest;
const packed = pack();
const shipped = new Set(packed.files.map(({ path }) => path));

test("the package has what it needs", () => {
  const { main, module, types, typesVersions } = manifest;
  const entries = [...Object.values(manifest.exports).flatMap(filesOf), main, module, types, ...Object.values(typesVersions["*"]).flat()];
  const needed = [...Object.values(manifest.bin), ...entries.filter((path) => !path.includes("*"))].map((path) => posix.normalize(path));
  const models = ["config.json", "preprocessor_config.json", "model.safetensors"].map((name) => `models/demo/${name}`);
  const documents = ["package.json", "README.md", "LICENSE", "CHANGELOG.md"];
  const modules = WASM_MODULES.map((name) => `dist/wasm/${name}.wasm`);
  assert.deepEqual([...needed, ...models, ...documents, ...modules].filter((path) => !shipped.has(path)), []);
});

test("the .wasm files of the package are the modules that runtimes ask for", () => {
  const files = [...shipped].filter((path) => path.endsWith(".wasm"));
  assert.deepEqual(files.sort(), WASM_MODULES.map((name) => `dist/wasm/${name}.wasm`).sort());
});

test("the builds for browsers and Workers import nothing by a bare name", () => {
  const scripts = [...shipped].filter((path) => /^dist\/(browser|workerd|vendor)\/.*\.js$/.test(path));
  assert.ok(scripts.length >= 10, scripts.join(", "));
  const bare = scripts.flatMap((path) => importsOf(textOf(path)).filter((specifier) => !specifier.startsWith(".")).map((specifier) => `${path} imports ${specifier}`));
  assert.deepEqual(bare, []);
});

test("the package has nothing else: no tests, no sources, no tools, and it stays small", () => {
  const rooms = new Set([...shipped].map((path) => path.split("/")[0]));
  assert.deepEqual([...rooms].sort(), ["CHANGELOG.md", "LICENSE", "README.md", "dist", "models", "package.json"]);
  // With the whole demo model; tests/package/tarball.test.ts has the limits of what is published.
  assert.ok(packed.unpackedSize < 20 * 2 ** 20, `${packed.unpackedSize} bytes`);
});

test("everything that the built files import is in the package or is a dependency", () => {
  const scripts = [...shipped].filter((path) => path.endsWith(".js"));
  assert.ok(scripts.length >= 3);
  const optional = Object.keys(manifest.peerDependencies ?? {});
  for (const path of scripts) {
    for (const specifier of importsOf(textOf(path))) {
      if (specifier.startsWith("node:")) continue;
      if (specifier.startsWith(".")) assert.ok(shipped.has(posix.join(posix.dirname(path), specifier)), `${path} imports ${specifier}`);
      else assert.ok([...Object.keys(manifest.dependencies), ...optional].some((name) => specifier === name || specifier.startsWith(`${name}/`)), `${path} imports ${specifier}`);
    }
  }
});

test("the package can be imported by its name, and the command runs", async () => {
  const name: string = "ijepa"; // Its types are made after the tests are compiled.
  const library = (await import(name)) as Record<string, unknown>;
  for (const part of ["IJepaConfig", "IJepaModel", "IJepaImageProcessor", "Tensor", "pipeline", "cosineSimilarity", "IJepaError"]) {
    assert.equal(typeof library[part], "function", part);
  }
  assert.ok(textOf(manifest.bin.ijepa).startsWith("#!/usr/bin/env node\n"));
  const { status, stdout } = spawnSync(process.execPath, [manifest.bin.ijepa, "--version"], { encoding: "utf8" });
  assert.deepEqual([status, stdout], [0, `${manifest.version}\n`]);
});

test("versions are pinned, and the lock has no address of a machine", () => {
  const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([, version]) => !/^(npm:\S+@)?\d+\.\d+\.\d+$/.test(version));
  assert.deepEqual(ranges, []);
  const locks = filesBelow("").filter((path) => path.endsWith("package-lock.json"));
  assert.ok(locks.length >= 1);
  const hosts = locks.flatMap((path) => [...textOf(path).matchAll(/"resolved": "https?:\/\/([^/"]+)/g)].map(([, host]) => host));
  assert.deepEqual(hosts.filter((host) => host !== "registry.npmjs.org"), []);
});

test("no file names a folder of somebody's machine", () => {
  const homes = ["work", "root", "home", "tmp", "Users"].join("|");
  const pattern = new RegExp(`(?<![\\w.:/>*)-])/(?:${homes})/[\\w.]+`);
  const texts = filesBelow("").filter((path) => /\.(ts|js|mjs|json|md|wgsl|py|txt|sh)$|^\.ci\/|^\.\w+$/.test(path));
  assert.ok(texts.length > 100);
  const found = texts.flatMap((path) => {
    const match = pattern.exec(textOf(path));
    return match === null ? [] : [`${path}: ${match[0]}`];
  });
  assert.deepEqual(found, []);
});

test("files are short enough to be read at once", () => {
  const rooms = ["ts-api", "assembly", "gpu", "weights-tools", "scripts", "tests", "bench"];
  const paths = rooms.flatMap((room) => filesBelow(room)).filter((path) => /\.(ts|mjs|wgsl)$/.test(path));
  assert.ok(paths.length > 80);
  const long = paths.map((path) => ({ path, lines: textOf(path).split("\n").length })).filter(({ lines }) => lines > 350);
  assert.deepEqual(long, []);
});

test("the copies of the photos are the ones that tests know", () => {
  for (const name of ["chelsea.png", "rocket.jpg"]) {
    assert.ok(readFileSync(`examples/photos/${name}`).equals(readFileSync(`tests/goldens/images/files/${name}`)), name);
  }
});

function filesOf(target: Target): string[] {
  return typeof target === "string" ? [target] : Object.values(target).flatMap(filesOf);
}

function importsOf(code: string): string[] {
  return [...code.matchAll(/(?:^|\b)(?:from|import)\s*\(?\s*["']([^"'\n]+)["']/gm)].map(([, specifier]) => specifier);
}

/** npm prints a list of packages, or an object of them by name. */
function pack(): Packed {
  const shell = process.platform === "win32";
  const { status, stdout, stderr } = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { encoding: "utf8", shell, maxBuffer: 2 ** 26 });
  assert.equal(status, 0, stderr);
  return Object.values(JSON.parse(stdout) as Packed[] | Record<string, Packed>)[0];
}

test("the image codecs are those whose digests codecs/SHA256SUMS has", () => {
  const lines = textOf("codecs/SHA256SUMS").trim().split("\n").map((line) => line.split(/\s+/));
  assert.deepEqual(lines.map(([, path]) => path), ["codecs/jpeg-decoder.wasm", "codecs/webp-decoder.wasm"]);
  for (const [digest, path] of lines) assert.equal(sha256(readFileSync(path)), digest, path);
});

test("the notices name everything that is compiled or bundled in", () => {
  const notices = textOf("dist/THIRD-PARTY-LICENSES.txt");
  for (const words of ["libjpeg-turbo 3.1.3", "Independent JPEG Group", "libwebp 1.6.0", "wasi-libc", "hono", "pako", "@noble/hashes"]) {
    assert.ok(notices.includes(words), words);
  }
});
