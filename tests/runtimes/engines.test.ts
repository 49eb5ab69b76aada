/** The same bits in engines beside those of Node 20 and 24: every kernel where node:test runs, the demo model's digests elsewhere. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, resolve, sep } from "node:path";
import { test } from "node:test";
import { DTYPES } from "../../ts-api/src/core/numerics.js";
import { absentBrowser, reportOf, type BrowserName } from "../support/browsers.js";
import type { Answer } from "../support/chromium.js";
import { PHOTOS } from "./digests.js";

const PLACE = resolve("tests/runtimes");
const ENGINES = `${PLACE}/engines/node_modules`;
const CONFORMANCE = "build/tests/conformance/wasm.test.js";
/** Engine, binary, how it runs a file of tests, and what it must print of a run without failures. */
const RUNNERS: readonly (readonly [name: string, binary: string, args: readonly string[], passed: RegExp, failed: RegExp])[] = [
  ["Node 22", `${ENGINES}/node22/bin/node`, ["--test", "--test-reporter=tap"], /^# pass (\d+)$/m, /^# fail 0$/m],
  ["Node 26", `${ENGINES}/node26/bin/node`, ["--test", "--test-reporter=tap"], /^# pass (\d+)$/m, /^# fail 0$/m],
  ["Bun", `${PLACE}/bun/node_modules/@oven/bun-linux-x64/bin/bun`, ["test"], /^ (\d+) pass$/m, /^ 0 fail$/m],
];
const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const cases = readFileSync("tests/conformance/digests.txt", "utf8").trim().split("\n").length;

for (const [name, binary, args, passed, failed] of RUNNERS) {
  test(`every kernel gives the oracle's words on ${name}`, { skip: without(binary) }, () => {
    const { stdout, stderr, status } = spawnSync(binary, [...args, CONFORMANCE], { encoding: "utf8", env: plainEnv(), maxBuffer: 2 ** 26 });
    const said = `${stdout}${stderr}`;
    assert.equal(status, 0, said.split("\n").filter((line) => /^not ok|error:|\(fail\)/.test(line)).join("\n"));
    assert.match(said, failed);
    assert.ok(Number(passed.exec(said)?.[1]) > cases, said.slice(-500));
  });
}

test("the command computes on Node 22 and Node 26 what it computes here", { skip: without(RUNNERS[0][1]) || without(RUNNERS[1][1]) }, () => {
  for (const [, binary] of RUNNERS.slice(0, 2)) {
    for (const dtype of DTYPES) {
      const args = ["dist/cli.js", "embed", ...PHOTOS.map((photo) => `examples/photos/${photo}`), "--dtype", dtype, "--device", "wasm", "--json"];
      assert.deepEqual(digestsOf(spawnSync(binary, args, { encoding: "utf8", env: plainEnv() })), PHOTOS.map((photo) => stored[`${dtype} ${photo}`]));
    }
  }
});

const PAGE = `<!doctype html><title>ijepa</title><script type="module">
  const report = (value) => fetch("/report/" + encodeURIComponent(JSON.stringify(value)));
  try {
    const { pipeline } = await import("/dist/browser/index.js"), digests = {};
    for (const dtype of ${JSON.stringify(DTYPES)}) {
      const extract = await pipeline("image-feature-extraction", new URL("/models/demo/", location.href).href, { dtype, threads: "auto", device: "wasm" });
      for (const photo of ${JSON.stringify(PHOTOS)}) {
        const bytes = new Uint8Array(await (await fetch("/examples/photos/" + photo)).arrayBuffer());
        digests[dtype + " " + photo] = (await extract(bytes)).numerics.digest;
      }
      await extract.dispose();
    }
    report(digests);
  } catch (error) {
    report({ error: String(error), stack: error.stack });
  }
</script>`;

for (const name of ["Firefox", "WebKit"] satisfies BrowserName[]) {
  test(`digests of the demo model in ${name}`, { skip: absentBrowser(name) ?? false }, async () => {
    assert.deepEqual(await reportOf(name, fileOf), stored);
  });
}

const QEMU = "/usr/bin/qemu-aarch64-static", ARM64 = `${ENGINES}/.arm64`;

test("digests of the demo model on ARM64, emulated", { skip: without(QEMU) || without(`${ARM64}/node/bin/node`) }, () => {
  const args = ["-L", `${ARM64}/sysroot`, `${ARM64}/node/bin/node`, "build/tests/runtimes/print-digests.js"];
  const { stdout, stderr, status } = spawnSync(QEMU, args, { encoding: "utf8", env: plainEnv() });
  assert.equal(status, 0, stderr);
  const { arch, digests } = JSON.parse(stdout) as { arch: string; digests: Record<string, string> };
  assert.equal(arch, "arm64");
  assert.deepEqual(digests, Object.fromEntries(Object.entries(stored).filter(([key]) => key.endsWith(` ${PHOTOS[0]}`))));
});

function without(binary: string): string | false {
  return existsSync(binary) ? false : `NOT RUN: no ${binary} for ${process.platform}-${process.arch}`;
}

/** A process of node:test tells its children to report to it. */
function plainEnv(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  delete env.NODE_TEST_CONTEXT;
  return env;
}

function digestsOf({ stdout, stderr, status }: { stdout: string; stderr: string; status: number | null }): string[] {
  assert.equal(status, 0, stderr);
  return (JSON.parse(stdout) as { images: { numerics: { digest: string } }[] }).images.map(({ numerics }) => numerics.digest);
}

/** The page, and files of the repository. */
async function fileOf(path: string): Promise<Answer> {
  if (path === "") return { status: 200, type: "text/html", body: PAGE };
  const root = resolve("."), file = resolve(root, path);
  if (!file.startsWith(root + sep)) return { status: 403, type: "text/plain", body: "" };
  const type = { ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" }[extname(file)] ?? "application/octet-stream";
  return { status: 200, type, body: await readFile(file) };
}
