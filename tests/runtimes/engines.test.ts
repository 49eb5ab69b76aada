/** The same bits in engines beside those of Node 20 and 24: every kernel where node:test runs, the demo model's digests elsewhere. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, resolve, sep } from "node:path";
import { test } from "node:test";
import { DTYPES } from "../../ts-api/src/core/numerics.js";
import { loadImage } from "../../ts-api/src/image/source.js";
import { absentBrowser, reportOf, type BrowserName } from "../support/browsers.js";
import type { Answer } from "../support/chromium.js";
import { absent, BUN, NODE22, NODE26, plainEnv, unless } from "../support/engines.js";
import { sha256 } from "../support/sha256.js";
import { PHOTOS } from "./digests.js";

const CONFORMANCE = "build/tests/conformance/wasm.test.js";
/** Engine, binary, how it runs a file of tests, and what it must print of a run without failures. */
const RUNNERS: readonly (readonly [name: string, binary: string, args: readonly string[], passed: RegExp, failed: RegExp])[] = [
  ["Node 22", NODE22, ["--test", "--test-reporter=tap"], /^# pass (\d+)$/m, /^# fail 0$/m],
  ["Node 26", NODE26, ["--test", "--test-reporter=tap"], /^# pass (\d+)$/m, /^# fail 0$/m],
  ["Bun", BUN, ["test"], /^ (\d+) pass$/m, /^ 0 fail$/m],
];
const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const cases = readFileSync("tests/conformance/digests.txt", "utf8").trim().split("\n").length;

for (const [name, binary, args, passed, failed] of RUNNERS) {
  test(`every kernel gives the oracle's words on ${name}`, unless(absent(binary)), () => {
    const { stdout, stderr, status } = spawnSync(binary, [...args, CONFORMANCE], { encoding: "utf8", env: plainEnv(), maxBuffer: 2 ** 26 });
    const said = `${stdout}${stderr}`;
    assert.equal(status, 0, said.split("\n").filter((line) => /^not ok|error:|\(fail\)/.test(line)).join("\n"));
    assert.match(said, failed);
    assert.ok(Number(passed.exec(said)?.[1]) > cases, said.slice(-500));
  });
}

test("the command computes on Node 22 and Node 26 what it computes here", unless(absent(NODE22), absent(NODE26)), () => {
  for (const binary of [NODE22, NODE26]) {
    for (const dtype of DTYPES) {
      const args = ["dist/cli.js", "embed", ...PHOTOS.map((photo) => `examples/photos/${photo}`), "--dtype", dtype, "--device", "wasm", "--json"];
      assert.deepEqual(digestsOf(spawnSync(binary, args, { encoding: "utf8", env: plainEnv() })), PHOTOS.map((photo) => stored[`${dtype} ${photo}`]));
    }
  }
});

interface PageReport {
  readonly digests: Record<string, string>;
  /** Digests of a photo's pixels, by what carried its bytes. */
  readonly carried: Record<string, string>;
  /** How many different pictures came out of one that was drawn in several ways. */
  readonly drawn: number;
  readonly isolated: boolean;
  /** The device where there is no shared memory. */
  readonly threads: string;
}

const PAGE = `<!doctype html><title>ijepa</title><script type="module">
  const report = (value) => fetch("/report/" + encodeURIComponent(JSON.stringify(value)));
  try {
    // The second time the page is as WebKit has it: isolated, and without shared memory.
    if (sessionStorage.found !== undefined) delete globalThis.SharedArrayBuffer;
    const { loadImage, pipeline } = await import("/dist/browser/index.js"), digests = {}, carried = {}, drawn = {};
    if (sessionStorage.found !== undefined) {
      const { model } = await pipeline("image-feature-extraction", "models/demo/", { dtype: "int4", threads: "auto", device: "wasm" });
      report({ ...JSON.parse(sessionStorage.found), isolated: crossOriginIsolated, threads: model.deviceDescription });
      throw "reported";
    }
    for (const dtype of ${JSON.stringify(DTYPES)}) {
      const extract = await pipeline("image-feature-extraction", new URL("/models/demo/", location.href).href, { dtype, threads: "auto", device: "wasm" });
      for (const photo of ${JSON.stringify(PHOTOS)}) {
        const bytes = new Uint8Array(await (await fetch("/examples/photos/" + photo)).arrayBuffer());
        digests[dtype + " " + photo] = (await extract(bytes)).numerics.digest;
      }
      await extract.dispose();
    }
    const digest = async ({ data }) => Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", data)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const photo = "examples/photos/${PHOTOS[0]}", response = () => fetch(photo), bytes = await (await response()).arrayBuffer(), blob = new Blob([bytes]);
    const carriers = { blob, file: new File([bytes], "photo"), response: await response(), body: (await response()).body, stream: blob.stream(), view: new DataView(bytes), url: URL.createObjectURL(blob), relative: photo, absolute: "/" + photo };
    for (const [name, source] of Object.entries(carriers)) carried[name] = await digest(await loadImage(source));
    const [width, height] = [33, 17], pixels = new ImageData(width, height), canvas = Object.assign(document.createElement("canvas"), { width, height });
    pixels.data.forEach((_, i) => (pixels.data[i] = i % 4 === 3 ? 255 : (i * 7919) >> 3));
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    const element = new Image();
    element.src = canvas.toDataURL();
    const sources = { pixels, canvas, element, bitmap: await createImageBitmap(pixels), file: await new Promise((resolve) => canvas.toBlob(resolve)) };
    for (const [name, source] of Object.entries(sources)) drawn[name] = await digest(await loadImage(source));
    sessionStorage.found = JSON.stringify({ digests, carried, drawn: new Set(Object.values(drawn)).size });
    location.reload();
  } catch (error) {
    if (error !== "reported") report({ error: String(error), stack: error.stack });
  }
</script>`;

for (const name of ["Firefox", "WebKit"] satisfies BrowserName[]) {
  test(`digests of the demo model in ${name}, and what its pages hold of images`, unless(absentBrowser(name)), async () => {
    const { digests, carried, drawn, isolated, threads, ...error } = await reportOf<PageReport>(name, fileOf);
    assert.deepEqual(error, {});
    assert.deepEqual(digests, stored);
    const expected = sha256((await loadImage(`examples/photos/${PHOTOS[0]}`)).data);
    assert.deepEqual(Object.entries(carried).filter(([, digest]) => digest !== expected), []);
    assert.deepEqual([drawn, isolated], [1, true], "ImageData, canvas, image, bitmap and file have the same pixels");
    assert.match(threads, /1 thread \(this browser gives pages no SharedArrayBuffer\)$/);
  });
}

const QEMU = "/usr/bin/qemu-aarch64-static", ARM64 = resolve("tests/runtimes/engines/node_modules/.arm64");

test("digests of the demo model on ARM64, emulated", unless(absent(QEMU), absent(`${ARM64}/node/bin/node`)), () => {
  const args = ["-L", `${ARM64}/sysroot`, `${ARM64}/node/bin/node`, "build/tests/runtimes/print-digests.js"];
  const { stdout, stderr, status } = spawnSync(QEMU, args, { encoding: "utf8", env: plainEnv() });
  assert.equal(status, 0, stderr);
  const { arch, digests } = JSON.parse(stdout) as { arch: string; digests: Record<string, string> };
  assert.equal(arch, "arm64");
  assert.deepEqual(digests, Object.fromEntries(Object.entries(stored).filter(([key]) => key.endsWith(` ${PHOTOS[0]}`))));
});

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
