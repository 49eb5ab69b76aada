/** `DecodePool`: the pixels of decoding in place, time limits, aborts, limits of the queue. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, test } from "node:test";
import { deflateSync } from "node:zlib";
import { isIJepaError, type IJepaError } from "../../../ts-api/src/core/errors.js";
import { packError, unpackError } from "../../../ts-api/src/decoding/errors.js";
import { DecodePool } from "../../../ts-api/src/decoding/pool.js";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { IJepaImageProcessor } from "../../../ts-api/src/image/processor.js";
import { fails, png } from "../image/helpers.js";

const FILES = ["rocket.jpg", "webp-lossy.webp", "png-palette.png", "jpeg-exif6.jpg"];
/** As many pixels as are allowed by default: seconds of work. */
const SLOW_SIDE = 13_000;
const slow = png(SLOW_SIDE, SLOW_SIDE, 1, 0, deflateSync(Buffer.alloc(SLOW_SIDE * (1 + SLOW_SIDE / 8))));

const file = (name: string) => new Uint8Array(readFileSync(`tests/goldens/images/files/${name}`));
const processor = new IJepaImageProcessor({ size: 32, resample: 3 });
const pool = new DecodePool({ threads: 2 });
after(() => pool.close());

for (const threads of [0, 2]) {
  test(`${threads} threads: the pixels and the model's inputs are those of decoding in place`, async () => {
    const some = threads === 2 ? pool : new DecodePool({ threads });
    await Promise.all(FILES.map(async (name) => {
      const image = await decodeImage(file(name)), { pixelValues } = processor.preprocess(image), { width, height, warnings } = image;
      assert.deepEqual(await some.decode(file(name)), image, name);
      assert.deepEqual(await some.prepare(file(name), processor), { width, height, warnings, pixelValues }, name);
    }));
  });
}

test("the bytes stay the caller's, whatever buffer they lie in", async () => {
  const whole = file("rocket.jpg"), part = new Uint8Array(whole.length + 8).subarray(8), shared = new Uint8Array(new SharedArrayBuffer(whole.length));
  part.set(whole);
  shared.set(whole);
  const images = await Promise.all([whole, part, shared, whole].map((bytes) => pool.decode(bytes)));
  for (const image of images) assert.deepEqual(image, images[0]);
  for (const bytes of [whole, part, shared]) assert.deepEqual(Buffer.from(bytes), Buffer.from(file("rocket.jpg")));
});

test("errors arrive as they were thrown: code, details, message, cause", async () => {
  for (const [bytes, options] of [[file("gif.gif"), { source: "x.gif" }], [file("rocket.jpg"), { maxPixels: 99, source: "y" }], [new Uint8Array(0), {}], [file("rocket.jpg").slice(0, 99), {}]] as const) {
    const expected = (await decodeImage(bytes, options).catch((error: unknown) => error)) as IJepaError;
    const { code, message, details } = (await pool.decode(bytes.slice(), options).catch((error: unknown) => error)) as IJepaError;
    assert.deepEqual({ code, message, details }, { code: expected.code, message: expected.message, details: expected.details });
  }
  const error = unpackError(structuredClone(packError(new TypeError("a", { cause: new RangeError("b") }))));
  assert.ok(error instanceof TypeError && error.cause instanceof Error && error.cause.message === "b");
  await assert.rejects(pool.decode("text" as unknown as Uint8Array), TypeError);
});

test("an image beyond the time limit is refused, its thread replaced, and the others go on", async () => {
  const hasty = new DecodePool({ threads: 1, timeout: 500 });
  try {
    const bad = hasty.decode(slow, { source: "slow.png" });
    const good = hasty.decode(file("png-1x1.png"));
    await assert.rejects(bad, (error) => isIJepaError(error, "image/timeout") && error.details.source === "slow.png" && error.details.milliseconds === 500);
    assert.equal((await good).width, 1);
  } finally {
    await hasty.close();
  }
});

test("an abort ends the waiting at once, before and while its turn comes", async () => {
  const one = new DecodePool({ threads: 1 });
  try {
    const running = new AbortController(), waiting = new AbortController();
    const calls = [one.decode(slow, { signal: running.signal }), one.decode(file("rocket.jpg"), { signal: waiting.signal }), one.decode(file("png-1x1.png"))];
    assert.deepEqual([one.running, one.waiting], [1, 2]);
    waiting.abort();
    running.abort();
    await fails(() => calls[0], "aborted");
    await fails(() => calls[1], "aborted");
    assert.equal((await calls[2]).width, 1);
    await fails(() => one.decode(file("png-1x1.png"), { signal: AbortSignal.abort() }), "aborted");
  } finally {
    await one.close();
  }
});

test("no more may wait than maxWaiting", async () => {
  const small = new DecodePool({ threads: 1, maxWaiting: 1 });
  const calls = [small.decode(slow), small.decode(file("png-1x1.png"))];
  await fails(() => small.decode(file("png-1x1.png")), "backend/busy");
  const ends = calls.map((call) => fails(() => call, "aborted"));
  await small.close();
  await Promise.all(ends);
  await fails(() => small.decode(file("png-1x1.png")), "aborted");
});

test("options of wrong types are TypeErrors", () => {
  for (const options of [{ threads: -1 }, { threads: 1.5 }, { threads: 1000 }, { timeout: 0 }, { timeout: NaN }, { maxWaiting: -1 }]) {
    assert.throws(() => new DecodePool(options), TypeError, JSON.stringify(options));
  }
});

test("a pool that is not closed lets the process end, once all images are decoded", () => {
  const code = `
    const { DecodePool } = await import(${JSON.stringify(resolve("build/ts-api/src/decoding/pool.js"))});
    const { readFileSync } = await import("node:fs");
    const { width } = await new DecodePool({ threads: 2 }).decode(new Uint8Array(readFileSync("tests/goldens/images/files/rocket.jpg")));
    console.log(width);`;
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" });
  assert.deepEqual([status, stdout], [0, "640\n"]);
});
