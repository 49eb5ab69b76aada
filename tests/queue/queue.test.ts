/** Many workers and a real broker: the root digest is that of one process, whoever is killed meanwhile. About 40 s. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { encodePng } from "../../ts-api/src/image/png-writer.js";
import { finish, ijepa, TINY, type Finished } from "../cli/helpers.js";
import { numbers, temporaryFolder } from "../unit/collections/helpers.js";
import { absent, command, ENGINES, freePort, installPackage, PASSWORD, program, Redis } from "./servers.js";

/** As many as `IJEPA_TEST_PICTURES` says: the published runs have 3000. */
const PICTURES = Number(process.env["IJEPA_TEST_PICTURES"] ?? 300), SIDE = 32, BAD = 7;
const MODEL = ["--model", TINY, "--dtype", "fp32", "--threads", "1"];

describe("many machines", { skip: absent }, () => {
  const root = temporaryFolder(), photos = join(root, "photos"), children = new Set<ChildProcess>();
  let redis: Redis, whole: Report;

  before(async () => {
    installPackage();
    mkdirSync(photos, { recursive: true });
    for (let i = 0; i < PICTURES; i++) {
      const next = numbers(i + 1), data = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => 128 + 127 * next());
      const png = await encodePng({ data, width: SIDE, height: SIDE, channels: 3 });
      writeFileSync(join(photos, `${i}.png`), i === BAD ? png.subarray(0, png.length / 2) : png);
    }
    mkdirSync(join(root, "redis"));
    redis = await Redis.start(join(root, "redis"));
    whole = reportOf(await ijepa(["index", photos, "--collection", join(root, "whole"), ...MODEL, "--json"]));
    assert.equal(whole.images, PICTURES - 1);
  });
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await redis.kill();
  });

  const started = (args: readonly string[], engine?: readonly string[]): ChildProcess => {
    const child = command(args, engine);
    children.add(child);
    child.on("exit", () => children.delete(child));
    return child;
  };
  const worker = (engine?: readonly string[], model = MODEL) => started(["worker", "--queue", redis.url, ...model, "--json"], engine);
  const producer = (folder: string, ...more: string[]) => started(["index", photos, "--collection", join(root, folder), "--queue", redis.url, ...MODEL, "--json", ...more]);
  const sameAsWhole = async (folder: string, { root: digest, places, images }: Report) => {
    assert.deepEqual({ digest, places, images }, { digest: whole.root, places: whole.places, images: whole.images });
    const collection = await Collection.open(join(root, folder)), sources = new Set<string>();
    for await (const { source } of collection.rows()) assert.ok(!sources.has(source) && sources.add(source), `${source} is there once`);
    assert.deepEqual((await collection.failures()).map(({ source }) => source), [join(photos, `${BAD}.png`)]);
  };

  test(`${PICTURES} pictures by workers in ${ENGINES.length} engines`, async () => {
    const workers = ENGINES.map((engine) => ({ child: worker(engine), ended: undefined as Promise<Finished> | undefined }));
    for (const one of workers) one.ended = finish(one.child);
    await sameAsWhole("queued", reportOf(await finish(producer("queued"))));
    let images = 0;
    for (const { child, ended } of workers) {
      child.kill("SIGTERM");
      const { code, stdout, stderr } = await ended!;
      assert.deepEqual([code, stderr], [0, ""]);
      images += (JSON.parse(stdout.trim().split("\n").at(-1)!) as { images: number }).images;
    }
    assert.equal(images, PICTURES);
  });

  test("workers, the broker and the producer are killed", async (t) => {
    const next = numbers(Date.now()), pause = (most: number) => new Promise((done) => setTimeout(done, most * (0.5 + 0.25 * (1 + next()))));
    let over = false, kills = 0;
    const keep = async (): Promise<void> => {
      while (!over) {
        const child = worker(), ended = finish(child);
        await Promise.race([ended, pause(3000)]);
        if (!over) kills++;
        child.kill("SIGKILL");
        await ended;
      }
    };
    const workers = [keep(), keep()];
    const first = producer("killed"), ended = finish(first);
    await pause(2500);
    await redis.kill();
    await pause(500);
    await redis.start();
    await pause(1500);
    first.kill("SIGKILL");
    await ended;
    const report = reportOf(await finish(producer("killed")));
    over = true;
    await Promise.all(workers);
    t.diagnostic(`${kills} workers were killed`);
    await sameAsWhole("killed", report);
  });

  test("a worker that begins to compute wrongly is found, and its rows are replaced", async (t) => {
    const wrong = program("tests/queue/wrong-worker.mjs", redis.url, TINY), ended = finish(wrong);
    children.add(wrong);
    await Promise.race([once(wrong.stdout!, "data"), ended]);
    const good = [worker(), worker(), worker()];
    const done = await finish(producer("audited", "--audit", "5%"));
    const report = reportOf(done) as Report & { audited: number; recomputed: number; mismatches: { worker: { name: string; machine: string; device: string }; source: string; actual: string; expected: string }[] };
    await sameAsWhole("audited", report);
    assert.equal(report.mismatches.length, 1);
    const [{ worker: { name, machine, device }, source, actual, expected }] = report.mismatches;
    assert.deepEqual([name, machine], ["planted", hostname()]);
    assert.match(device, /^node .*SIMD/);
    const line = done.stderr.split("\n").find((text) => text.includes("queue/audit"))!;
    for (const text of [name, machine, device, source, actual, expected]) assert.ok(line.includes(text), line);
    assert.ok(report.audited >= 0.03 * PICTURES && report.audited <= 0.1 * PICTURES + 8, `${report.audited} audited`);
    t.diagnostic(`${report.audited} audited, ${report.recomputed} computed again`);
    const { code, stderr } = await ended;
    assert.deepEqual([code, /^queue\/audit .*planted/.test(stderr)], [9, true], stderr);
    for (const child of good) child.kill("SIGKILL");
  });

  test("a worker of another encoding gives the job back, and says why", async () => {
    const done = finish(producer("other")), other = await finish(worker(undefined, ["--model", TINY, "--dtype", "int4"]));
    assert.equal(other.code, 8);
    assert.match(other.stderr, /weight format int4, not fp32/);
    const right = worker();
    await sameAsWhole("other", reportOf(await done));
    right.kill("SIGKILL");
  });

  test("what is wrong with the queue is told, without the password", async () => {
    const fails = async (url: string, code: string) => {
      const { code: exit, stderr } = await finish(command(["worker", "--queue", url, ...MODEL, "--json"]));
      assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, code, stderr);
      assert.doesNotMatch(stderr, /wrong-word|s3cret/);
      return exit;
    };
    assert.equal(await fails(`redis://:wrong-word@127.0.0.1:${redis.port}`, "queue/unavailable"), 9);
    assert.equal(await fails(`redis://:${PASSWORD}@127.0.0.1:${await freePort()}`, "queue/unavailable"), 9);
    assert.equal(await fails(`rediss://:${PASSWORD}@127.0.0.1:${redis.port}`, "queue/unavailable"), 9);
    assert.equal(await fails(`amqp://:${PASSWORD}@127.0.0.1`, "input/value"), 7);
    const { code, stderr } = await ijepa(["worker", "--queue", redis.url, ...MODEL]);
    assert.equal(code, 9);
    assert.match(stderr, /npm install bullmq@6 ioredis/);
  });
});

interface Report {
  readonly root: string;
  readonly places: number;
  readonly images: number;
}

/** Of a run with one image that cannot be read. */
function reportOf({ code, stdout, stderr }: Finished): Report {
  assert.equal(code, 3, stderr);
  return JSON.parse(stdout) as Report;
}
