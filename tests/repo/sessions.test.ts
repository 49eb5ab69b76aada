/** Shell sessions of the documents that need photos of the reader's: run one line after the other on crops of the sample photos. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, test } from "node:test";
import { encodePng, loadImage } from "../../ts-api/src/index.js";
import { codeBlocks } from "./tree.js";

const PHOTOS = { cat: "examples/photos/chelsea.png", rocket: "examples/photos/rocket.jpg" };
const CROPS = 6, SIDE = 160;
/** A model that has to be downloaded; the package's own stands in for it. */
const PUBLISHED = / --model facebook\/\S+ --dtype \S+/;

const folder = mkdtempSync(join(tmpdir(), "ijepa-sessions-"));
after(() => rmSync(folder, { recursive: true }));
for (const [label, path] of Object.entries(PHOTOS)) await writeCrops(path, label);
for (const name of ["new.jpg", "query.jpg"]) copyFileSync(PHOTOS.rocket, join(folder, name));

for (const path of ["docs/guides/photo-classifier.md", "docs/collections.md"]) {
  const lines = codeBlocks(path, "text").flatMap((block) => [...block.matchAll(/^\$ ijepa (.*)$/gm)].map(([, line]) => line.replace(PUBLISHED, "")));
  test(`${path}: its session runs`, async (t) => {
    assert.ok(lines.length >= 3, `${lines.length} lines`);
    for (const line of lines) {
      await t.test(line, () => {
        const { status, stdout, stderr } = spawnSync(process.execPath, [resolve("dist/cli.js"), ...line.split(/\s+/)], { cwd: folder, encoding: "utf8" });
        assert.equal(status, 0, stderr);
        if (line.startsWith("classify")) assert.match(stdout.split("\n")[1], /rocket/, stdout);
      });
    }
    for (const name of ["my-classifier", "my.collection", "photos.collection"]) rmSync(join(folder, name), { recursive: true, force: true });
  });
}

/** Writes squares cut out of a photo as photos/LABEL/N.png. */
async function writeCrops(path: string, label: string): Promise<void> {
  const { data, width, height, channels } = await loadImage(path);
  for (let i = 0; i < CROPS; i++) {
    const left = Math.floor((i * (width - SIDE)) / CROPS), top = Math.floor((i * (height - SIDE)) / CROPS);
    const pixels = new Uint8Array(SIDE * SIDE * channels);
    for (let y = 0; y < SIDE; y++) pixels.set(data.subarray(((top + y) * width + left) * channels).subarray(0, SIDE * channels), y * SIDE * channels);
    const file = join(folder, "photos", label, `${i + 1}.png`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, await encodePng({ data: pixels, width: SIDE, height: SIDE, channels }));
  }
}
