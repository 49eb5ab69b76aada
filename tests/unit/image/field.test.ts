/** Files that people have (tests/goldens/field): what Pillow 12.3 gives for each. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { sha256 } from "../../support/sha256.js";
import { fails } from "./helpers.js";

const FIELD = "tests/goldens/field";

interface Golden {
  width: number;
  height: number;
  sha256: string;
}

const goldens = JSON.parse(readFileSync(`${FIELD}/images.json`, "utf8")) as Record<string, Golden>;
const read = (name: string) => new Uint8Array(readFileSync(`${FIELD}/${name}`));

/** Small files that ask for more work than a picture is worth. */
const REFUSED: Record<string, RegExp> = { "slow-scans-1000.jpg": /8000 x 6000 pixels in 1010 scans/, "slow-texts-300.png": /compressed comments/ };
const DAMAGED: Record<string, RegExp> = {
  "j-eoi-zeroed-2.jpg": /no end marker/,
  "p-garbage-after-idat.png": /bytes after its image data.*are not a chunk/,
  "p-idat-bad-crc.png": /checksum of the chunk IDAT/,
  "p-no-iend.png": /no end marker/,
  "p-palette-not-by-3.png": /599 bytes/,
};

for (const name of readdirSync(FIELD).filter((file) => file !== "images.json")) {
  const damage = DAMAGED[name];
  test(`${name}: ${name in REFUSED ? "too complex" : `Pillow's pixels${damage ? ", with a warning" : ""}`}`, async () => {
    if (name in REFUSED) return fails(() => decodeImage(read(name)), "image/too-complex", REFUSED[name]);
    const golden = goldens[name];
    const image = await decodeImage(read(name));
    assert.deepEqual([image.width, image.height, image.channels], [golden.width, golden.height, 3]);
    assert.equal(sha256(image.data), golden.sha256);
    if (damage === undefined) return void assert.deepEqual(image.warnings, []);
    assert.match(image.warnings.join("\n"), damage);
    return fails(() => decodeImage(read(name), { strict: true }), "image/corrupt", damage);
  });
}

test("every file of the list is there", () => {
  assert.deepEqual(readdirSync(FIELD).filter((file) => file !== "images.json").sort(), Object.keys(goldens).sort());
});
