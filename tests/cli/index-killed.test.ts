/** A run of index that is killed at random moments, and begun again, ends with the digest of one that was left alone. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { encodePng } from "../../ts-api/src/image/png-writer.js";
import { numbers, temporaryFolder } from "../unit/collections/helpers.js";
import { finish, ijepa, start, TINY } from "./helpers.js";

/** As many as `IJEPA_TEST_PICTURES` says: the published runs have 2000. */
const PICTURES = Number(process.env["IJEPA_TEST_PICTURES"] ?? 400), KILLS = 20, SIDE = 32, BAD_EVERY = 29;

const root = temporaryFolder(), photos = join(root, "photos");

async function makePictures(): Promise<void> {
  for (let i = 0; i < PICTURES; i++) {
    const next = numbers(i + 1), folder = join(photos, String(i % 7)), data = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => 128 + 127 * next());
    mkdirSync(folder, { recursive: true });
    const png = await encodePng({ data, width: SIDE, height: SIDE, channels: 3 });
    // Some are cut, and some are copies of the first.
    writeFileSync(join(folder, `${i}.png`), i % BAD_EVERY === 5 ? png.subarray(0, png.length / 2) : i % BAD_EVERY === 6 ? await first() : png);
  }
}

const first = async () => encodePng({ data: new Uint8Array(SIDE * SIDE * 3).fill(7), width: SIDE, height: SIDE, channels: 3 });

test(`${PICTURES} pictures, killed ${KILLS} times, and with 1, 2 and 3 threads`, async (t) => {
  await makePictures();
  const command = (folder: string, threads: number) => ["index", photos, "--collection", folder, "--model", TINY, "--dtype", "fp32", "--threads", String(threads), "--json"];
  const whole: { root: string; places: number; images: number }[] = [];
  for (const threads of [1, 2, 3]) {
    const { code, stdout } = await ijepa(command(join(root, `whole-${threads}`), threads));
    assert.equal(code, 3);
    const { root: digest, places, images } = JSON.parse(stdout) as (typeof whole)[number];
    whole.push({ root: digest, places, images });
  }
  assert.deepEqual(whole[1], whole[0]);
  assert.deepEqual(whole[2], whole[0]);
  const bad = Math.floor((PICTURES - 6) / BAD_EVERY) + 1;
  assert.equal(whole[0].places, PICTURES - bad);

  const folder = join(root, "killed"), next = numbers(Date.now()), reached: number[] = [];
  t.diagnostic("moments are random");
  for (let kill = 0; kill < KILLS; kill++) {
    const child = start(command(folder, 1 + (kill % 3)), { stdio: "ignore" }), after = 300 + 1500 * (1 + next());
    const timer = setTimeout(() => child.kill("SIGKILL"), after);
    await finish(child);
    clearTimeout(timer);
    const places = await Collection.open(folder).then((collection) => collection.size.places, () => 0);
    reached.push(places);
  }
  t.diagnostic(`places after each kill: ${reached.join(", ")}`);
  assert.deepEqual([...reached].sort((a, b) => a - b), reached, "nothing that was stored is lost");
  const { code, stdout } = await ijepa(command(folder, 2));
  assert.equal(code, 3);
  const { root: digest, places, images } = JSON.parse(stdout) as (typeof whole)[number];
  assert.deepEqual({ root: digest, places, images }, whole[0]);
  const collection = await Collection.open(folder), sources = new Set<string>();
  for await (const { source } of collection.rows()) assert.ok(!sources.has(source) && sources.add(source), `${source} is there once`);
  assert.deepEqual((await collection.verify()).bad, []);
});
