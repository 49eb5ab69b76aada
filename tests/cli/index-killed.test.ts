/** A run of index that is killed at random moments, and begun again, ends with the digest of one that was left alone. About 70 s. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { KINDS, makePicture } from "../support/pictures.js";
import { gpuHere } from "../support/webgpu.js";
import { numbers, temporaryFolder } from "../unit/collections/helpers.js";
import { finish, ijepa, start, TINY, type Finished } from "./helpers.js";

/** As many as `IJEPA_TEST_PICTURES` says: the published runs have 2000. */
const PICTURES = Number(process.env["IJEPA_TEST_PICTURES"] ?? 400), KILLS = 20, SIDE = 32, FOLDERS = 7, DAMAGED_EVERY = 29;
/** Milliseconds of a run at least and at most, before it is killed. */
const SOONEST = 300, LATEST = 3300;

interface Report {
  readonly root: string;
  readonly places: number;
  readonly images: number;
}

const root = temporaryFolder(), photos = join(root, "photos"), next = numbers(Date.now()), { gpu, reason } = await gpuHere();
const command = (sources: string, folder: string, options: readonly string[]) => ["index", sources, "--collection", folder, "--model", TINY, "--dtype", "fp32", "--json", ...options];
const onCpu = (threads: number) => ["--device", "wasm", "--threads", String(threads)];
let whole: Report;

function reportOf({ code, stdout, stderr }: Finished): Report {
  assert.equal(code, 3, stderr);
  const { root: digest, places, images } = JSON.parse(stdout) as Report;
  return { root: digest, places, images };
}

/** Kills a run some time after its start, and gives the number of places that are stored then. */
async function killed(args: readonly string[], folder: string): Promise<number> {
  const child = start(args, { stdio: "ignore" }), ended = finish(child);
  const timer = setTimeout(() => child.kill("SIGKILL"), SOONEST + ((LATEST - SOONEST) * (1 + next())) / 2);
  await ended;
  clearTimeout(timer);
  return placesIn(folder);
}

/** Kills a run as soon as it has stored something: it is in the middle of its work then. */
async function killedAtWork(args: readonly string[], folder: string, flags: readonly string[]): Promise<number> {
  const child = start(args, { stdio: "ignore" }, flags), ended = finish(child), parts = join(folder, "parts");
  while (child.exitCode === null && (!existsSync(parts) || readdirSync(parts).every((name) => !name.endsWith(".parquet")))) await sleep(5);
  child.kill("SIGKILL");
  await ended;
  return placesIn(folder);
}

function placesIn(folder: string): Promise<number> {
  return Collection.open(folder).then((collection) => collection.size.places, () => 0);
}

async function assertWhole(folder: string): Promise<void> {
  const collection = await Collection.open(folder), sources = new Set<string>();
  for await (const { source } of collection.rows()) assert.ok(!sources.has(source) && sources.add(source), `${source} is there once`);
  assert.deepEqual((await collection.verify()).bad, []);
  assert.equal((await collection.failures()).length, PICTURES - whole.places);
}

before(async () => {
  const copied = await makePicture("png", PICTURES, SIDE);
  for (let i = 0; i < PICTURES; i++) {
    const kind = KINDS[i % 3], folder = join(photos, String(i % FOLDERS)), bytes = await makePicture(kind, i, SIDE);
    mkdirSync(folder, { recursive: true });
    // Some are cut, and some are one picture at many places.
    writeFileSync(join(folder, `${i}.${kind}`), i % DAMAGED_EVERY === 5 ? bytes.subarray(0, bytes.length / 2) : i % DAMAGED_EVERY === 6 ? copied : bytes);
  }
});

test(`${PICTURES} pictures with 1, 2 and 3 threads`, async (t) => {
  const reports: Report[] = [];
  for (const threads of [1, 2, 3]) reports.push(reportOf(await ijepa(command(photos, join(root, `whole-${threads}`), onCpu(threads)))));
  [whole] = reports;
  for (const other of reports) assert.deepEqual(other, whole);
  const damaged = Math.floor((PICTURES - 6) / DAMAGED_EVERY) + 1, copies = Math.floor((PICTURES - 7) / DAMAGED_EVERY) + 1;
  assert.deepEqual([whole.places, whole.images], [PICTURES - damaged, PICTURES - damaged - copies + 1]);
  t.diagnostic(`root digest ${whole.root}`);
});

test(`killed ${KILLS} times, with 1, 2 and 3 threads in turn`, async (t) => {
  // Where all is done before a kill, another collection is begun.
  const collections: number[][] = [[]], folderOf = (number: number) => join(root, `killed-${number}`);
  for (let kill = 0; kill < KILLS; kill++) {
    const folder = folderOf(collections.length - 1), reached = collections.at(-1)!;
    reached.push(await killed(command(photos, folder, onCpu(1 + (kill % 3))), folder));
    if (reached.at(-1) === whole.places && kill + 1 < KILLS) collections.push([]);
  }
  t.diagnostic(`places after each kill: ${collections.map((reached) => reached.join(", ")).join("; ")}`);
  for (const [number, reached] of collections.entries()) {
    assert.deepEqual([...reached].sort((a, b) => a - b), reached, "nothing that was stored is lost");
    assert.deepEqual(reportOf(await ijepa(command(photos, folderOf(number), onCpu(2)))), whole);
    await assertWhole(folderOf(number));
  }
});

test("a part of it on WebGPU, killed too", { skip: gpu === undefined ? `not run: ${reason}` : false }, async (t) => {
  const folder = join(root, "gpu"), part = command(join(photos, "0"), folder, ["--device", "webgpu"]), flags = ["--import", "./build/tests/support/webgpu-global.js"];
  t.diagnostic(`${await killedAtWork(part, folder, flags)} places after a kill`);
  const { stdout } = await finish(start(part, {}, flags)), { places } = JSON.parse(stdout) as Report;
  assert.ok(places > 0 && places < whole.places);
  assert.deepEqual(reportOf(await ijepa(command(photos, folder, onCpu(2)))), whole);
  await assertWhole(folder);
});
