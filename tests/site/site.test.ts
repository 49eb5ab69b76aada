/** `npm run site`: everything public has a description, and no link leads nowhere. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { before, test } from "node:test";

const SITE = resolve("build/site"), TYPEDOC = "docs/site/node_modules/typedoc";
const skip = existsSync(TYPEDOC) ? false : `not run: no ${TYPEDOC}`;
let said = "";

before(() => {
  if (skip !== false) return;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/site.mjs"], { encoding: "utf8", maxBuffer: 2 ** 26 });
  said = `${stdout}${stderr}`.replaceAll(/\x1b\[\d+m/g, "");
  assert.equal(status, 0, said);
});

test("every exported name has a description, and TypeDoc has no other complaint", { skip }, () => {
  assert.deepEqual(said.split("\n").filter((line) => line.includes("[warning]") || line.includes("[error]")), []);
});

test("each entry of the package has a page, under the name that programs import", { skip }, () => {
  const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, unknown> };
  // Of "." with fewer devices, or without types of their own.
  const others = ["./wasm", "./webgpu", "./worker", "./wasm/*.wasm", "./models/demo/*", "./package.json"];
  const names = Object.keys(exports).filter((name) => !others.includes(name)).map((name) => name.replace(/^\./, "ijepa"));
  const titles = readdirSync(join(SITE, "modules")).map((name) => /<title>(.*?) \|/.exec(readFileSync(join(SITE, "modules", name), "utf8"))?.[1]);
  assert.deepEqual(titles.sort(), names.sort());
});

test("links and pictures of every page lead to files of the site", { skip }, () => {
  const pages = (readdirSync(SITE, { recursive: true }) as string[]).filter((name) => name.endsWith(".html") && !name.startsWith("try"));
  assert.ok(pages.length > 80, `${pages.length} pages`);
  const broken = pages.flatMap((page) => {
    const text = readFileSync(join(SITE, page), "utf8");
    const targets = [...text.matchAll(/\s(?:href|src)="([^"#]+)(?:#[^"]*)?"/g)].map(([, target]) => decodeURI(target.replaceAll("&amp;", "&")));
    return targets.filter((target) => !/^(https?|data|mailto):/.test(target) && !exists(join(SITE, dirname(page), target))).map((target) => `${page}: ${target}`);
  });
  assert.deepEqual([...new Set(broken)], []);
});

test("links to a place in a page lead to a place", { skip }, () => {
  const pages = (readdirSync(SITE, { recursive: true }) as string[]).filter((name) => name.endsWith(".html"));
  const texts = new Map(pages.map((page) => [join(page), readFileSync(join(SITE, page), "utf8")]));
  const ids = new Map([...texts].map(([page, text]) => [page, new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id))]));
  const broken = [...texts].flatMap(([page, text]) => {
    const links = [...text.matchAll(/\shref="([^":#]*)#([^"]+)"/g)].map(([, file, id]) => ({ target: file === "" ? page : join(dirname(page), file), id: decodeURIComponent(id) }));
    return links.filter(({ target, id }) => ids.has(target) && !ids.get(target)!.has(id)).map(({ target, id }) => `${page}: ${target}#${id}`);
  });
  assert.deepEqual([...new Set(broken)], []);
});

test("every page has its title once, and the way to the page to try", { skip }, () => {
  for (const [page, title] of [["index.html", "ijepa - v"], ["documents/Architecture.html", "Architecture"], ["documents/Getting_started.html", "Getting started"]]) {
    const text = readFileSync(join(SITE, page), "utf8"), titles = [...text.matchAll(/<h1[^>]*>(.*?)<\/h1>/g)].map(([, html]) => html.replace(/<[^>]*>/g, ""));
    assert.ok(titles.length === 1 && titles[0].startsWith(title), `${page}: ${titles.join(", ")}`);
    assert.match(text, /<a class="try-it" href="[^"]*try\/examples\/browser\/index.html">/, page);
  }
});

test("the page and all that it loads are there", { skip }, () => {
  for (const file of ["try/examples/browser/index.html", "try/dist/browser/index.js", "try/models/demo/config.json", "_headers"]) assert.ok(exists(join(SITE, file)), file);
});

function exists(path: string): boolean {
  return existsSync(path) && (statSync(path).isFile() || existsSync(join(path, "index.html")));
}
