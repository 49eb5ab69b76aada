/** What the command says of images that are damaged and read nevertheless. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pipeline } from "../../ts-api/src/index.js";
import { readBytes } from "../unit/image/helpers.js";
import { ijepa, TINY } from "./helpers.js";

const folder = mkdtempSync(join(tmpdir(), "ijepa-damaged-"));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, "cut.png"), bytes = readBytes("files/png-palette.png").subarray(0, -12);
writeFileSync(file, bytes);

test("embed warns on stderr and in its JSON", async () => {
  const { code, stdout, stderr } = await ijepa(["embed", file, "--model", TINY, "--json"]);
  assert.equal(code, 0);
  assert.match(stderr, /^ijepa: warning: .*cut\.png is damaged: it has no end marker\n$/);
  const [image] = (JSON.parse(stdout) as { images: { warnings?: string[] }[] }).images;
  assert.deepEqual(image.warnings, ["it has no end marker"]);
});

test("embed --strict refuses, with the exit code of images", async () => {
  const { code, stderr } = await ijepa(["embed", file, "--model", TINY, "--strict"]);
  assert.equal(code, 3);
  assert.match(stderr, /cut\.png is a broken PNG image: it has no end marker/);
});

test("features carry the warnings of their image", async () => {
  const extract = await pipeline("image-feature-extraction", TINY);
  try {
    assert.deepEqual((await extract(bytes)).warnings, ["it has no end marker"]);
    assert.deepEqual((await extract(readBytes("files/png-palette.png"))).warnings, []);
    await assert.rejects(() => extract(bytes, { strict: true }), { code: "image/corrupt" });
  } finally {
    await extract.dispose();
  }
});
