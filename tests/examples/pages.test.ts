/** The build tools of docs/build-tools.md that make pages: each builds its example with the packed package, and its page shows the digest of `ijepa embed`. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { noChromium } from "../support/chromium.js";
import { absent, newNode, unless } from "../support/engines.js";
import { addFiles, assertBuilt, assertShown, chromium, closeBrowser, DIGEST, PHOTO, projectFor, removeTarball, shownBy, startServer } from "./projects.js";

after(async () => {
  await closeBrowser();
  removeTarball();
});

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
  await assertBuilt(join(project.folder, "public"), { tool: "webpack" });
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

for (const [bundler, basePath] of [["turbopack", "/photos"], ["webpack", ""]]) {
  test(`examples/next, ${bundler}: a client component and a route handler, standalone, below "${basePath}/"`, chromium, async (t) => {
    const project = await projectFor(t, "next");
    if (project === undefined) return;
    addFiles(project, "public");
    project.run("next", ["build", `--${bundler}`], { env: { BASE_PATH: basePath } });
    const standalone = join(project.folder, ".next/standalone");
    cpSync(join(project.folder, ".next/static"), join(standalone, ".next/static"), { recursive: true });
    cpSync(join(project.folder, "public"), join(standalone, "public"), { recursive: true });
    const moved = join(project.folder, "..", `standalone-${process.pid}`);
    cpSync(standalone, moved, { recursive: true, verbatimSymlinks: true });
    const server = await startServer({ ...project, folder: moved }, [process.execPath, "server.js"], { env: { PORT: "20300", HOSTNAME: "localhost" } });
    try {
      assert.equal(await shownBy(`${server.url}${basePath || "/"}`, 1), DIGEST);
      const post = () => fetch(`${server.url}${basePath}/api/embed?threads=2`, { method: "POST", body: readFileSync(PHOTO) });
      // What could not be loaded is looked for again at the next request.
      renameSync(join(moved, "public/model"), join(moved, "public/away"));
      assert.equal(((await (await post()).json()) as { code: string }).code, "config/missing");
      renameSync(join(moved, "public/away"), join(moved, "public/model"));
      const answer = await post(), text = await answer.text();
      assert.equal(answer.status, 200, text);
      assert.equal((JSON.parse(text) as { numerics: { digest: string } }).numerics.digest, DIGEST);
    } finally {
      await server.stop();
      rmSync(moved, { recursive: true });
    }
  });
}

const FRAMEWORKS = [
  { name: "sveltekit", files: "static", node: process.execPath, server: ["node", "build"], threads: [1, 2], env: { HOST: "localhost", PORT: "20310" } },
  // Its pages are static: their headers are those of the host.
  { name: "astro", files: "public", node: newNode, server: ["node", "dist/server/entry.mjs"], threads: [1], env: { HOST: "localhost", PORT: "20320", ASTRO_TELEMETRY_DISABLED: "1" } },
];
for (const { name, files, node, server: command, threads, env } of FRAMEWORKS) {
  test(`examples/${name}: a page and a server route`, unless(noChromium, absent(node)), async (t) => {
    const project = await projectFor(t, name);
    if (project === undefined) return;
    addFiles(project, files);
    project.script("build", { node, env });
    const server = await startServer(project, command, { node, env });
    try {
      for (const count of threads) assert.equal(await shownBy(`${server.url}/`, count), DIGEST, `${count} threads`);
      const answer = await fetch(`${server.url}/api/embed?threads=2`, { method: "POST", body: readFileSync(PHOTO), headers: { "Content-Type": "image/jpeg", Origin: server.url } }), text = await answer.text();
      assert.equal(answer.status, 200, text);
      assert.equal((JSON.parse(text) as { numerics: { digest: string } }).numerics.digest, DIGEST);
    } finally {
      await server.stop();
    }
  });
}
