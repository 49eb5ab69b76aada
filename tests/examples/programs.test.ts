/** The tools of docs/build-tools.md that make or run programs: each with its example and the packed package prints the digest of `ijepa embed`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { pipeline } from "../../ts-api/src/index.js";
import { noChromium } from "../support/chromium.js";
import { absent, BUN, DENO, newNode, NODE24, unless } from "../support/engines.js";
import { addFiles, assertBuilt, closeBrowser, DIGEST, PHOTO, projectFor, removeTarball, serveFolder, startServer, type Project } from "./projects.js";

after(async () => {
  await closeBrowser();
  removeTarball();
});

test("examples/esbuild: one file for Node, as an ES module and as CommonJS", async (t) => {
  const project = await projectFor(t, "esbuild");
  if (project === undefined) return;
  for (const [script, file] of [["build:esm", "embed.mjs"], ["build:cjs", "embed.cjs"]]) {
    project.script(script);
    assertAlone(project, `dist/${file}`, (moved) => [process.execPath, moved]);
  }
});

test("examples/esbuild: the handler of AWS Lambda, as the bundle that is uploaded", async (t) => {
  const project = await projectFor(t, "esbuild");
  if (project === undefined) return;
  project.script("build:lambda");
  const upload = join(project.folder, "upload");
  cpSync(join(project.folder, "dist/lambda"), upload, { recursive: true });
  const { handler } = (await import(pathToFileURL(join(upload, "index.mjs")).href)) as { handler(event: object): Promise<{ statusCode: number; body: string }> };
  const call = () => handler({ body: readFileSync(PHOTO).toString("base64"), isBase64Encoded: true });
  // What could not be loaded is looked for again at the next call.
  const failed = await call();
  assert.equal(failed.statusCode, 500, failed.body);
  assert.equal((JSON.parse(failed.body) as { code: string }).code, "config/missing");
  cpSync(join(project.folder, "node_modules/ijepa/models/demo"), join(upload, "model"), { recursive: true });
  rmSync(join(project.folder, "node_modules/ijepa"), { recursive: true });
  rmSync(join(project.folder, "node_modules/.installed"));
  const answer = await call();
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal((JSON.parse(answer.body) as { numerics: { digest: string } }).numerics.digest, DIGEST);
  assert.equal((await handler({ body: "bm90aGluZw==", isBase64Encoded: true })).statusCode, 422);
});

test("examples/esbuild: one file for Deno's edge, which may reach nothing but the network", unless(absent(DENO)), async (t) => {
  const project = await projectFor(t, "esbuild");
  if (project === undefined) return;
  project.script("build:edge");
  addFiles(project, "served");
  const server = await serveFolder(join(project.folder, "served"));
  try {
    const deno = spawn(DENO, ["run", "--no-prompt", "--no-lock", `--allow-net=${new URL(server.url).host}`, "dist/edge.mjs", `${server.url}model`, "1", `${server.url}rocket.jpg`], { cwd: project.folder });
    const [stdout, stderr] = await Promise.all([textOf(deno.stdout), textOf(deno.stderr)]);
    assert.equal(stdout, `${DIGEST}\n`, stderr);
  } finally {
    server.close();
  }
});

test("examples/bun: one file, an executable, and a page", unless(absent(BUN), noChromium), async (t) => {
  const project = await projectFor(t, "bun");
  if (project === undefined) return;
  project.script("build");
  assertAlone(project, "dist/embed.js", (moved) => [BUN, moved]);
  project.script("compile");
  assertAlone(project, "dist/embed", (moved) => [moved]);
  project.script("build:page");
  addFiles(project, "public");
  await assertBuilt(join(project.folder, "public"));
});

/** What was built is moved to a folder without the package, and computes there, on one thread and on two. */
function assertAlone(project: Project, built: string, command: (moved: string) => string[]): void {
  const folder = join(project.folder, "..", `alone-${process.pid}`), moved = join(folder, built.split("/").at(-1)!);
  try {
    cpSync(join(project.folder, built), moved);
    cpSync(join(project.folder, "node_modules/ijepa/models/demo"), join(folder, "model"), { recursive: true });
    for (const threads of ["1", "2"]) {
      const [program, ...args] = command(moved);
      assert.equal(project.run(program, [...args, join(folder, "model"), threads, PHOTO]), `${DIGEST}\n`, `${built}, ${threads} threads`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("examples/worker: wrangler", unless(absent(newNode)), async (t) => {
  const project = await projectFor(t, "worker");
  if (project === undefined) return;
  project.script("model");
  const server = await startServer(project, ["wrangler", "dev", "--port", "20400", "--var", "DTYPE:bf16"], { node: newNode });
  try {
    const answer = await fetch(`${server.url}/embed`, { method: "POST", body: readFileSync(PHOTO) });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    const extract = await pipeline("image-feature-extraction");
    const { numerics } = await extract(PHOTO, { pool: "mean", normalize: true });
    await extract.dispose();
    assert.equal((JSON.parse(text) as { numerics: { digest: string } }).numerics.digest, numerics.digest);
  } finally {
    await server.stop();
  }
});

test("examples/commonjs: require, in Node 20 and newer, with and without require of ES modules", async (t) => {
  const project = await projectFor(t, "commonjs");
  if (project === undefined) return;
  const model = "node_modules/ijepa/models/demo";
  const nodes = [process.execPath, NODE24].filter((node) => existsSync(node));
  for (const node of nodes) {
    for (const flags of [[], ["--no-experimental-require-module"]]) {
      for (const threads of ["1", "2"]) assert.equal(project.run(node, [...flags, "embed.js", model, threads, PHOTO]), `${DIGEST}\n`, `${node} ${flags.join()}`);
    }
  }
});

test("examples/jest", async (t) => {
  (await projectFor(t, "jest"))?.script("test", { env: { PHOTO, DIGEST } });
});

test("examples/vitest", unless(absent(newNode)), async (t) => {
  (await projectFor(t, "vitest"))?.script("test", { env: { PHOTO, DIGEST }, node: newNode });
});

for (const typescript of ["5.7.3", "5.9.3", "6.0.3", "7.0.2"]) {
  test(`examples/typescript, TypeScript ${typescript}: with and without the DOM, every file of types checked`, async (t) => {
    const project = await projectFor(t, "typescript", { typescript });
    if (project === undefined) return;
    for (const lib of ["es2022", "es2022,dom", "esnext,webworker"]) {
      for (const module of [["nodenext", "nodenext"], ["preserve", "bundler"]]) project.run("tsc", ["--noEmit", "--lib", lib, "--module", module[0], "--moduleResolution", module[1]]);
    }
    project.script("build");
    const program = `import { digestOf } from "./dist/embed.js"; console.log(await digestOf(${JSON.stringify(PHOTO)}));`;
    assert.equal(project.run(process.execPath, ["--input-type=module", "--eval", program]), `${DIGEST}\n`);
  });
}
