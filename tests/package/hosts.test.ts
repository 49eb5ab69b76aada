/** The packed package in every host: the digests of the demo model, its types, and typed errors for what a host lacks. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { pipeline } from "../../ts-api/src/index.js";
import { launchChromium, noChromium, openPage, servePages, type Answer, type Browser } from "../support/chromium.js";
import { absent, ENGINES, newNode, unless, type Engine } from "../support/engines.js";
import { sha256 } from "../support/sha256.js";
import { entryFile, installPackage, PHOTOS, type Installed } from "./packed.js";
import type { WorkerAnswer, WorkerJob } from "./workerd.js";

const PROGRAMS: readonly Engine[] = [["this Node", process.execPath], ...ENGINES];
const MINIFLARE = "tests/package/node_modules/miniflare/package.json";
const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const dtypes = [...new Set(Object.keys(stored).map((key) => key.split(" ")[0]))];

const CONSUMER = `
  import { pipeline, setWasmModules, type LoadOptions } from "ijepa";
  import { IJepaModel } from "ijepa/wasm";
  import { IJepaModel as OnGpu } from "ijepa/webgpu";
  import { doctor } from "ijepa/worker";
  import { createServer } from "ijepa/server";
  import relaxed from "ijepa/wasm/kernels-relaxed.wasm";
  const options: LoadOptions = { device: "wasm", threads: "auto" };
  setWasmModules({ "kernels-relaxed": relaxed });
  export const all = [pipeline("image-feature-extraction", undefined, options), IJepaModel, OnGpu, doctor, createServer];
`;

const installed = await installPackage();
const notInstalled = typeof installed === "string" ? installed : undefined;
const { folder, exports, addDemo } = installed as Installed;
/** Of the dtype that the package itself has weights for. */
const own = Object.fromEntries(Object.entries(stored).filter(([key]) => key.startsWith("bf16 ")));
after(() => notInstalled ?? rmSync(folder, { recursive: true }));

function digestsOn(binary: string, args: readonly string[], threads: number, which: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync(binary, [...args, "digests.mjs", String(threads), which.join(), ...PHOTOS], { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

for (const [name, binary, ...args] of PROGRAMS) {
  test(`the packed package alone on ${name}`, unless(notInstalled, absent(binary)), () => {
    assert.deepEqual(digestsOn(binary, args, 1, ["bf16"]), own);
  });
}

const command = (...args: string[]) => spawnSync(process.execPath, ["node_modules/ijepa/dist/cli.js", ...args], { cwd: folder, encoding: "utf8" });

test("the package alone: bf16 without being asked, other dtypes refused with where they are", unless(notInstalled), () => {
  const { stdout } = command("embed", PHOTOS[1], "--device", "wasm");
  assert.ok(stdout.includes(stored[`bf16 ${PHOTOS[1]}`]), stdout);
  for (const dtype of dtypes.filter((name) => name !== "bf16")) {
    const { status, stderr } = command("embed", PHOTOS[1], "--dtype", dtype);
    assert.notEqual(status, 0);
    assert.match(stderr, /is packed as bf16 and cannot be loaded as .*load the original, which is "the npm package ijepa-demo"\. \[weights\/dtype\]/);
  }
  const verified = command("verify", "--json");
  assert.equal(verified.status, 0, verified.stderr);
  const { recorded } = JSON.parse(verified.stdout) as { recorded: { dtype: string; same: boolean }[] };
  assert.deepEqual(recorded.map(({ dtype, same }) => [dtype, same]), [["bf16", true]]);
});

test("ijepa-demo beside the package is found", unless(notInstalled), () => {
  addDemo();
  const { stdout, stderr } = command("embed", PHOTOS[1], "--dtype", "fp32", "--device", "wasm");
  assert.ok(stdout.includes(stored[`fp32 ${PHOTOS[1]}`]), stdout + stderr);
});

for (const [name, binary, ...args] of PROGRAMS) {
  for (const threads of [1, 2]) {
    test(`the packed packages on ${name}, ${threads} threads`, unless(notInstalled, absent(binary)), () => {
      assert.deepEqual(digestsOn(binary, args, threads, dtypes), stored);
    });
  }
}

test("every entry has the same names", unless(notInstalled), async () => {
  const names = await Promise.all(
    [".", "./wasm", "./webgpu"].flatMap((entry) =>
      ["node", "browser"].map(async (host) => Object.keys((await import(join(folder, "node_modules/ijepa", entryFile(exports, entry, host)))) as object).sort()),
    ),
  );
  assert.ok(names[0].includes("pipeline"));
  for (const other of names) assert.deepEqual(other, names[0]);
});

test("a program for Workers can be tried in Node", unless(notInstalled), () => {
  const program = `const { pipeline } = await import("ijepa/worker"), extract = await pipeline("image-feature-extraction"); console.log((await extract("${PHOTOS[1]}")).numerics.digest);`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: folder, encoding: "utf8" });
  assert.equal(stdout.trim(), stored[`bf16 ${PHOTOS[1]}`], stderr);
});

test("a strict TypeScript program finds the types of every entry", unless(notInstalled), () => {
  const compilerOptions = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, target: "es2022", lib: ["es2023", "dom"], types: [], module: "nodenext" };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
  writeFileSync(join(folder, "consumer.ts"), CONSUMER);
  const { status, stdout } = spawnSync(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", folder], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});

test("ijepa/wasm has no WebGPU, ijepa/webgpu no CPU", unless(notInstalled), () => {
  const program =
    `for (const [entry, device] of [["wasm", "webgpu"], ["webgpu", "wasm"]]) {` +
    `const { IJepaModel } = await import("ijepa/" + entry);` +
    `await IJepaModel.fromPretrained(undefined, { device }).catch(({ code, message }) => console.log(code, message)); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: folder, encoding: "utf8" });
  assert.match(stdout, /^backend\/unavailable ijepa\/wasm.*\nbackend\/unavailable ijepa\/webgpu.*\n$/, stderr);
});

const workerd = unless(notInstalled, absent(newNode), absent(MINIFLARE));
const light = () => join(folder, "node_modules/ijepa/models/demo"), whole = () => join(folder, "node_modules/ijepa-demo");

/** What a Worker answers, in workerd. */
function inWorkerd(job: WorkerJob): WorkerAnswer[] {
  const jobFile = join(folder, "job.json"), program = fileURLToPath(new URL("workerd.js", import.meta.url));
  writeFileSync(jobFile, JSON.stringify(job));
  const { status, stdout, stderr } = spawnSync(newNode, [program, jobFile], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as WorkerAnswer[];
}

test("the packed package in workerd", workerd, () => {
  const embed = dtypes.flatMap((dtype) => PHOTOS.map((photo) => ({ path: `/?dtype=${dtype}`, body: join(folder, photo), key: `${dtype} ${photo}` })));
  const body = join(folder, PHOTOS[0]);
  const refused = ["/?threads=2", "/?device=webgpu", "/path", "/nothing"].map((path) => ({ path, body }));
  const answers = inWorkerd({ entry: join(folder, "worker.mjs"), model: whole(), requests: [...embed, { path: "/?threads=auto", body }, ...refused] });
  assert.deepEqual(Object.fromEntries(embed.map(({ key }, i) => [key, answers[i].json.digest])), stored);
  const [auto, ...errors] = answers.slice(embed.length).map(({ json }) => json);
  assert.match(String(auto.device), /^workerd, .*, 1 thread \(Workers have no threads\)$/);
  const expected = [/^backend\/unavailable .*Workers have no threads/, /^backend\/unavailable .*on the CPU alone/, /^io\/read .*Workers have no files/, /^input\/missing .*carries no model/];
  errors.forEach(({ code, message }, i) => assert.match(`${String(code)} ${String(message)}`, expected[i]));
});

const STORES = [["assets", "int4", "resident"], ["bucket", "int4", "resident"], ["bucket", "bf16", "streamed"]] as const;
for (const [store, dtype, layers] of STORES) {
  test(`examples/worker, with the model from ${store}, ${layers}`, workerd, async () => {
    const damaged = join(folder, "damaged.jpg"), large = join(folder, "large.bin");
    writeFileSync(damaged, readFileSync("examples/photos/rocket.jpg").subarray(0, 5000));
    writeFileSync(large, new Uint8Array(8 * 2 ** 20 + 1));
    const photo = join(folder, "rocket.jpg"), path = "/embed";
    const requests = [{ path, body: photo }, { path, body: photo }, { path, body: damaged }, { path, body: join(folder, "job.json") }, { path, body: large }, { path, method: "GET" }, { path: "/" }];
    const answers = inWorkerd({ entry: join(folder, "worker/src/worker.js"), [store]: dtype === "bf16" ? light() : whole(), vars: { DTYPE: dtype, LAYERS: layers }, requests });
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 422, 415, 413, 405, 404]);

    const extract = await pipeline("image-feature-extraction", undefined, { dtype, device: "wasm" });
    const { data, dims, numerics } = await extract(photo, { pool: "mean", normalize: true });
    await extract.dispose();
    for (const { json } of answers.slice(0, 2)) assert.deepEqual(json, { embedding: [...data], dims: [...dims], numerics });
    assert.deepEqual(answers.slice(2).map(({ json }) => (json.error as { code: string }).code), ["image/corrupt", "image/unsupported", "request", "request", "request"]);
  });
}

test("examples/worker: photos that are put into a bucket become rows, and go with it", workerd, async () => {
  const damaged = join(folder, "damaged.jpg"), photo = join(folder, "rocket.jpg");
  writeFileSync(damaged, readFileSync("examples/photos/rocket.jpg").subarray(0, 5000));
  const answers = inWorkerd({ entry: join(folder, "worker/src/worker.js"), assets: light(), vars: { DTYPE: "bf16" }, photos: { "a/rocket.jpg": photo, "damaged.jpg": damaged }, requests: [] });
  const extract = await pipeline("image-feature-extraction", undefined, { dtype: "bf16", device: "wasm" });
  const { data, dims, numerics } = await extract(photo, { pool: "mean", normalize: true });
  await extract.dispose();
  const [row, failed] = answers.map(({ json }) => json), file = readFileSync(photo);
  assert.deepEqual(row, { source: "a/rocket.jpg", id: sha256(file), bytes: file.length, embedding: [...data], dims: [...dims], numerics });
  assert.deepEqual([failed.source, failed.bytes, (failed.error as { code: string }).code], ["damaged.jpg", 5000, "image/corrupt"]);
});

let browser: Promise<Browser> | undefined;
after(async () => (await browser)?.close());

interface PageOptions {
  isolated?: boolean;
  /** What the server does not have. */
  without?: RegExp | undefined;
  /** Content-Security-Policy of the page. */
  policy?: string;
  /** Address of the package, for another origin. Default: that of the page. */
  origin?: string;
}

/** Evaluates an expression of page.mjs's functions in a page of the installed package. */
async function inChromium<T>(expression: string, options: PageOptions = {}): Promise<T> {
  const server = await servePages((path) => (options.without?.test(path) ? Promise.reject(new Error("left out")) : answer(path, options)));
  const page = await openPage(await (browser ??= launchChromium()), server.url);
  try {
    return await page.evaluate<T>(`import("/page.mjs").then(({ digests, describe, decode }) => ${expression})`);
  } finally {
    await page.close();
    server.close();
  }
}

const TYPES: Record<string, string> = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

async function answer(path: string, { isolated = true, policy, origin = "/" }: PageOptions): Promise<Answer> {
  const headers: Record<string, string> = isolated ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" } : {};
  if (policy !== undefined) headers["Content-Security-Policy"] = policy;
  if (path === "") {
    const imports = { ijepa: origin + join("node_modules/ijepa", entryFile(exports, ".", "browser")) };
    return { status: 200, type: "text/html", headers, body: `<!doctype html><script type="importmap" nonce="map">${JSON.stringify({ imports })}</script>` };
  }
  const file = resolve(folder, path);
  assert.ok(file.startsWith(folder + sep));
  return { status: 200, type: TYPES[extname(file)] ?? "application/octet-stream", headers, body: await readFile(file) };
}

const chromium = unless(notInstalled, noChromium);

for (const threads of [1, 2]) {
  test(`the packed package in Chromium, ${threads} threads`, chromium, async () => {
    const digests = (which: readonly string[], model?: string) => inChromium(`digests(${[threads, which, PHOTOS, model].map((value) => JSON.stringify(value)).join()})`);
    assert.deepEqual(await digests(["bf16"]), own);
    assert.deepEqual(await digests(dtypes, "/node_modules/ijepa-demo"), stored);
  });
}

test("Chromium uses its processors where the page is isolated", chromium, async () => {
  const { value } = await inChromium<{ value: string }>('describe({ threads: "auto" })');
  assert.match(value, /^chrome \d+, relaxed SIMD, int4 \w+ loop, \d+ threads?$/);
});

test("without SharedArrayBuffer there is one thread, which says why, and no more when asked for", chromium, async () => {
  const apart = { isolated: false };
  const { value } = await inChromium<{ value: string }>('describe({ threads: "auto" })', apart);
  assert.match(value, /1 thread \(the page is not cross-origin isolated\)$/);
  const { code, message } = await inChromium<{ code: string; message: string }>("describe({ threads: 2 })", apart);
  assert.equal(code, "backend/unavailable");
  assert.match(message, /not cross-origin isolated/);
});

test("under a Content-Security-Policy a page needs 'wasm-unsafe-eval', and is told so", chromium, async () => {
  const policy = "default-src 'none'; connect-src 'self'; script-src 'self' 'nonce-map'";
  assert.deepEqual(await inChromium(`digests(2, ["bf16"], ${JSON.stringify(PHOTOS)})`, { policy: `${policy} 'wasm-unsafe-eval'` }), own);
  const { code, message } = await inChromium<{ code: string; message: string }>("describe({})", { policy });
  assert.equal(code, "backend/unavailable");
  assert.match(message, /Content Security Policy.*[^.]\. It needs WebAssembly SIMD; .*'wasm-unsafe-eval'\.$/);
});

test("a page takes the package, and its model, from another origin", chromium, async () => {
  const other = await servePages(async (path) => {
    const file = await answer(path, {});
    return { ...file, headers: { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin" } };
  });
  try {
    for (const threads of [1, 2]) assert.deepEqual(await inChromium(`digests(${threads}, ["bf16"], ${JSON.stringify(PHOTOS)})`, { origin: other.url }), own);
  } finally {
    other.close();
  }
});

test("a page reads a photo by its address relative to the page", chromium, async () => {
  assert.deepEqual(await inChromium('decode("rocket.jpg")'), { value: [640, 427] });
});

/** What a page has lost, what it then does, and the error. */
const LOSSES: readonly (readonly [what: string, without: RegExp | undefined, expression: string, error: RegExp])[] = [
  ["the kernels", /kernels-/, "describe({})", /^io\/read .*http:\S+kernels-relaxed\.wasm: the server answers 404.*docs\/build-tools\.md/],
  ["the thread's program", /thread\.js/, "describe({ threads: 2 })", /^backend\/unavailable .*2 threads: its program cannot be loaded \(thread\.js, beside http:\S+\/dist\/browser\/\S+\)\. .*docs\/build-tools\.md/],
  ["the decoder", /jpeg-decoder/, 'fetch("rocket.jpg").then((r) => r.arrayBuffer()).then(decode)', /^io\/read .*jpeg-decoder\.wasm: the server answers 404/],
  ["files", undefined, 'decode("file:///rocket.jpg")', /^io\/read .*Browsers have no files/],
  ["the model", /models/, "describe({})", /^config\/missing There is no http:\S+\/models\/demo\/config\.json/],
];
for (const [what, without, expression, error] of LOSSES) {
  test(`a page without ${what} gets a typed error`, chromium, async () => {
    const { code, message } = await inChromium<{ code: string; message: string }>(expression, { without });
    assert.match(`${code} ${message}`, error);
  });
}
