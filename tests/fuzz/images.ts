/** Damaged image files: `decodeImage` gives pixels or an error of its own, and the next good file decodes as ever. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { isIJepaError } from "../../ts-api/src/core/errors.js";
import { decodeImage } from "../../ts-api/src/image/decode.js";
import { GOLDENS, readBytes } from "../unit/image/helpers.js";
import { sha256 } from "../support/sha256.js";
import type { FuzzPart } from "./frame.js";
import { damageJpeg, damagePng, damageWebp } from "./image-parts.js";
import { mutate } from "./mutate.js";
import type { Random } from "./random.js";

const MAX_FILE_BYTES = 40_000;
const MAX_PIXELS = 4_000_000;
const GOOD = ["files/jpeg-420.jpg", "files/png-rgba.png", "files/webp-lossy.webp", "files/webp-alpha.webp", "extra/colour6-16bit-interlaced.png"];
const EXPECTED = ["image/corrupt", "image/unsupported", "image/empty", "image/too-large"];
/** What a message shows when a value is missing from it. */
const HOLES = /undefined|NaN|\[object/;

export const images: FuzzPart = {
  async open() {
    const names = ["files", "extra"].flatMap((folder) => readdirSync(`${GOLDENS}/${folder}`).map((name) => `${folder}/${name}`));
    const files = names.map((name) => ({ name, bytes: readBytes(name) })).filter(({ bytes }) => bytes.length <= MAX_FILE_BYTES);
    const others = files.map(({ bytes }) => bytes);
    const good = await Promise.all(GOOD.map(async (name) => ({ name, bytes: readBytes(name), pixels: sha256((await decodeImage(readBytes(name))).data) })));
    let tried = 0;
    return {
      async run(random) {
        const { name, bytes } = random.pick(files);
        const outcome = await decode(damage(random, name, bytes, others));
        const again = good[tried++ % good.length];
        assert.equal(sha256((await decodeImage(again.bytes)).data), again.pixels, `${again.name} has other pixels after a damaged ${name}`);
        return outcome;
      },
    };
  },
};

function damage(random: Random, name: string, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  if (random.chance(0.3)) return mutate(random, bytes, others);
  if (name.endsWith(".png")) return damagePng(random, bytes, others);
  if (name.endsWith(".jpg")) return damageJpeg(random, bytes, others);
  return name.endsWith(".webp") ? damageWebp(random, bytes, others) : mutate(random, bytes, others);
}

async function decode(bytes: Uint8Array): Promise<string> {
  try {
    const { data, width, height, channels } = await decodeImage(bytes, { maxPixels: MAX_PIXELS });
    assert.ok(width > 0 && height > 0 && channels === 3, `${width} x ${height} x ${channels}`);
    assert.equal(data.length, width * height * 3);
    return "ok";
  } catch (error) {
    if (!isIJepaError(error) || !EXPECTED.includes(error.code)) throw error;
    assert.doesNotMatch(error.message, HOLES);
    return error.code;
  }
}
