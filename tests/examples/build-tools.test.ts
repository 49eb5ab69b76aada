/** Every build tool of docs/build-tools.md builds and runs its example with the packed package: one digest, that of `ijepa embed`. */
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { pipeline } from "../../ts-api/src/index.js";
import { noChromium } from "../support/chromium.js";
import { addFiles, BUN, closeBrowser, DIGEST, installProject, NODE24, PHOTO, removeTarball, serveFolder, shownBy, startServer, type Project } from "./projects.js";

const node22 = Number(process.versions.node.split(".")[0]) >= 22 ? process.execPath : NODE24;
const unless = (...reasons: (string | undefined)[]) => ({ skip: reasons.find((reason) => reason !== undefined) ?? false });
const absent = (binary: string) => (existsSync(binary) ? undefined : `NOT RUN: no ${binary} for ${process.platform}-${process.arch}`);
const chromium = unless(noChromium);

after(async () => {
  await closeBrowser();
  removeTarball();
});

/** The project, or undefined and a test that says why it is not run. */
async function projectFor(t: TestContext, name: string, tools?: Record<string, string>): Promise<Project | undefined> {
  const project = await installProject(name, tools);
  if (typeof project !== "string") return project;
  t.skip(project);
  return undefined;
}

async function assertShown(url: string): Promise<void> {
  for (const threads of [1, 2]) assert.equal(await shownBy(url, threads), DIGEST, `${threads} threads`);
}

async function assertBuilt(folder: string, options?: { spa?: boolean }): Promise<void> {
  const server = await serveFolder(folder, options);
  try {
    await assertShown(server.url);
  } finally {
    server.close();
  }
}

const VITE = ["5.4.21", "6.4.6", "7.3.8", "8.4.0"];
for (const vite of VITE) {
  test(`examples/vite, Vite ${vite}: dev server, build, preview`, chromium, async (t) => {
    const project = await projectFor(t, "vite", { vite });
    if (project === undefined) return;
    rmSync(join(project.folder, "node_modules/.vite"), { recursive: true, force: true });
    addFiles(project, "public");
    project.script("build");
    const port = 20_000 + Number(vite[0]) * 10;
    for (const command of [[], ["preview"]]) {
      const server = await startServer(project, ["vite", ...command, "--host", "localhost", "--port", String(port + command.length), "--strictPort"]);
      try {
        await assertShown(`${server.url}/`);
      } finally {
        await server.stop();
      }
    }
  });
}

test("examples/webpack: a page", chromium, async (t) => {
  const project = await projectFor(t, "webpack");
  if (project === undefined) return;
  const printed = project.script("build");
  assert.doesNotMatch(printed, /WARNING in (?!asset size|entrypoint size|webpack performance)/);
  addFiles(project, "public");
  await assertBuilt(join(project.folder, "public"));
});

test("examples/rollup: a page, from a server that answers every request with it", chromium, async (t) => {
  const project = await projectFor(t, "rollup");
  if (project === undefined) return;
  project.script("build");
  addFiles(project, "public");
  await assertBuilt(join(project.folder, "public"), { spa: true });
});

test("examples/parcel: a page", chromium, async (t) => {
  const project = await projectFor(t, "parcel");
  if (project === undefined) return;
  project.script("build");
  addFiles(project, "dist");
  await assertBuilt(join(project.folder, "dist"));
});

test("examples/esbuild: a page", chromium, async (t) => {
  const project = await projectFor(t, "esbuild");
  if (project === undefined) return;
  project.script("build");
  addFiles(project, "public");
  await assertBuilt(join(project.folder, "public"));
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
  cpSync(join(project.folder, "node_modules/ijepa/models/demo"), join(upload, "model"), { recursive: true });
  rmSync(join(project.folder, "node_modules/ijepa"), { recursive: true });
  rmSync(join(project.folder, "node_modules/.installed"));
  const { handler } = (await import(pathToFileURL(join(upload, "index.mjs")).href)) as { handler(event: object): Promise<{ statusCode: number; body: string }> };
  const answer = await handler({ body: readFileSync(PHOTO).toString("base64"), isBase64Encoded: true });
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal((JSON.parse(answer.body) as { numerics: { digest: string } }).numerics.digest, DIGEST);
  assert.equal((await handler({ body: "bm90aGluZw==", isBase64Encoded: true })).statusCode, 422);
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

for (const bundler of ["turbopack", "webpack"]) {
  test(`examples/next, ${bundler}: a client component and a route handler, standalone`, chromium, async (t) => {
    const project = await projectFor(t, "next");
    if (project === undefined) return;
    addFiles(project, "public");
    project.run("next", ["build", `--${bundler}`]);
    const standalone = join(project.folder, ".next/standalone");
    cpSync(join(project.folder, ".next/static"), join(standalone, ".next/static"), { recursive: true });
    cpSync(join(project.folder, "public"), join(standalone, "public"), { recursive: true });
    const moved = join(project.folder, "..", `standalone-${process.pid}`);
    cpSync(standalone, moved, { recursive: true, verbatimSymlinks: true });
    const server = await startServer({ ...project, folder: moved }, [process.execPath, "server.js"], { env: { PORT: "20300", HOSTNAME: "localhost" } });
    try {
      assert.equal(await shownBy(`${server.url}/`, 1), DIGEST);
      const answer = await fetch(`${server.url}/api/embed?threads=2`, { method: "POST", body: readFileSync(PHOTO) });
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      assert.equal((JSON.parse(text) as { numerics: { digest: string } }).numerics.digest, DIGEST);
    } finally {
      await server.stop();
      rmSync(moved, { recursive: true });
    }
  });
}

test("examples/worker: wrangler", unless(absent(node22)), async (t) => {
  const project = await projectFor(t, "worker");
  if (project === undefined) return;
  project.script("model");
  const server = await startServer(project, ["wrangler", "dev", "--port", "20400", "--var", "DTYPE:bf16"], { node: node22 });
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

test("examples/vitest", unless(absent(node22)), async (t) => {
  (await projectFor(t, "vitest"))?.script("test", { env: { PHOTO, DIGEST }, node: node22 });
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
