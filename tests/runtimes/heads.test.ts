/** A head has the same bits on every engine: its sums have a fixed order, and exp and log are its own. Collections are the same in browsers. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { after, before, describe, test } from "node:test";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { launchChromium, noChromium, openPage, servePages, type Browser, type Page, type PageServer } from "../support/chromium.js";
import { absent, ENGINES, unless, type Engine } from "../support/engines.js";
import { ENCODING, rows } from "../unit/collections/helpers.js";
import { HEAD_FOLDER } from "./heads.js";

const DIGEST = "d569cd886c924cac732dce7e20193f6b45d3ead320fff9b869b204715d7ddd53";

for (const [name, binary, ...args] of [["this Node", process.execPath], ...ENGINES] satisfies Engine[]) {
  test(`heads on ${name}`, unless(absent(binary)), () => {
    const { status, stdout, stderr } = spawnSync(binary, [...args, "build/tests/runtimes/print-heads.js"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.equal(stdout.trim(), DIGEST);
  });
}

describe("in Chromium", { skip: noChromium ?? false }, () => {
  let server: PageServer, browser: Browser, page: Page;
  before(async () => {
    server = await servePages(async (path) => {
      if (path === "") return { status: 200, type: "text/html", body: "<!doctype html><title>ijepa</title>" };
      const file = resolve(path);
      if (!file.startsWith(resolve() + sep)) throw new Error("outside of the repository");
      return { status: 200, type: path.endsWith(".js") ? "text/javascript" : "application/octet-stream", body: await readFile(file) };
    });
    browser = await launchChromium();
    page = await openPage(browser, server.url);
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  test("heads", async () => {
    const names = JSON.stringify(readdirSync(HEAD_FOLDER).sort());
    const digest = await page.evaluate<string>(`(async () => {
      const { headDigest } = await import("/build/tests/runtimes/heads.js");
      const files = await Promise.all(${names}.map(async (name) => new Uint8Array(await (await fetch("/${HEAD_FOLDER}/" + name)).arrayBuffer())));
      return headDigest(files);
    })()`);
    assert.equal(digest, DIGEST);
  });

  test("a collection in the origin's private file system is that of Node: written, reopened, searched, by one writer at a time", async () => {
    const all = await rows(300), given = JSON.stringify(all.map((row) => ({ ...row, feature: [...row.feature] })));
    const here = await Collection.inMemory(ENCODING), query = all[7].feature;
    await here.add(all);
    const expected = (await here.search(query, { k: 20 })).map(({ id, score, sources }) => ({ id, score, sources }));
    const found = await page.evaluate<{ root: string; size: object; results: object[]; locked: string[]; afterRemoval: object; again: string }>(`(async () => {
      const { Collection } = await import("/dist/browser/collections.js"), encoding = ${JSON.stringify(ENCODING)};
      const rows = ${given}.map((row) => ({ ...row, feature: Float32Array.from(row.feature) }));
      const first = await Collection.openOrCreate("photos.collection", encoding);
      for (let from = 0; from < 300; from += 100) await first.add(rows.slice(from, from + 100));
      const opened = await Collection.open("photos.collection"), results = await opened.search(rows[7].feature, { k: 20 });
      const root = await opened.rootDigest(), size = opened.size, locked = [];
      await first.write(async () => opened.add(rows).catch((error) => locked.push(error.code)));
      await opened.compact();
      await opened.remove([rows[0].source]);
      const afterRemoval = opened.size;
      await opened.add([rows[0]]);
      const again = await (await Collection.open("photos.collection")).rootDigest();
      return { root, size, results: results.map(({ id, score, sources }) => ({ id, score, sources })), locked, afterRemoval, again };
    })()`);
    assert.deepEqual(found, { root: await here.rootDigest(), size: { places: 300, images: 300 }, results: expected, locked: ["collection/locked"], afterRemoval: { places: 299, images: 299 }, again: await here.rootDigest() });
  });
});
