/** Many workers and a real broker: the root digest is that of one process. About 30 s. */
import assert from "node:assert/strict";
import { on, once } from "node:events";
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { finish, TINY, type Finished } from "../cli/helpers.js";
import { Fixture, MODEL, reportOf, type Report } from "./fixture.js";
import { absent, command, KINDS, program, Redis } from "./servers.js";

/** As many as `IJEPA_TEST_PICTURES` says: the published runs have 3000. */
const PICTURES = Number(process.env["IJEPA_TEST_PICTURES"] ?? 300);

describe("many machines", { skip: absent }, () => {
  const fixture = new Fixture(PICTURES);
  let redis: Redis;

  before(async () => {
    await fixture.prepare();
    mkdirSync(join(fixture.root, "redis"));
    redis = await Redis.start(join(fixture.root, "redis"));
  });
  after(async () => {
    fixture.end();
    await redis.kill();
  });

  const worker = (engine?: readonly string[], model = MODEL) => fixture.worker(redis.url, engine, model);
  const producer = (folder: string, ...more: string[]) => fixture.producer(redis.url, folder, ...more);
  const sameAsWhole = (folder: string, report: Report) => fixture.sameAsWhole(folder, report);

  test(`${PICTURES} pictures by workers of ${KINDS.length} kinds: ${KINDS.map(({ name }) => name).join(", ")}`, async (t) => {
    const workers: Promise<Finished>[] = [], children = KINDS.map(({ engine, args }) => fixture.worker(redis.url, engine, [...MODEL, ...args]));
    for (const child of children) workers.push(finish(child));
    // Each is there before there is work, so that each does some.
    await Promise.all(children.map((child) => Promise.race([once(child.stdout!, "data"), once(child, "exit")])));
    await sameAsWhole("queued", reportOf(await finish(producer("queued"))));
    let images = 0;
    for (const [i, child] of children.entries()) {
      child.kill("SIGTERM");
      const { code, stdout, stderr } = await workers[i], own = (JSON.parse(stdout.trim().split("\n").at(-1)!) as { images: number }).images;
      assert.deepEqual([code, stderr], [0, ""]);
      t.diagnostic(`${KINDS[i].name}: ${own} images, ${/"deviceDescription":"([^"]*)"/.exec(stdout)?.[1]}`);
      images += own;
    }
    assert.equal(images, PICTURES);
  });

  test("a worker that begins to compute wrongly is found, and its rows are replaced", async (t) => {
    const wrong = program("tests/queue/wrong-worker.mjs", redis.url, TINY), ended = finish(wrong);
    fixture.keep(wrong);
    await Promise.race([once(wrong.stdout!, "data"), ended]);
    const good = [worker(), worker(), worker()];
    const done = await finish(producer("audited", "--audit", "5%"));
    const report = reportOf<Report & { audited: number; recomputed: number; mismatches: { worker: { name: string; machine: string; device: string }; source: string; actual: string; expected: string }[] }>(done);
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

  test("progress as lines of JSON, and metrics for Prometheus", async () => {
    const child = fixture.keep(command(["worker", "--queue", redis.url, ...MODEL, "--json", "--metrics-port", "0"])), ended = finish(child);
    const url = await lineOf(child.stdout!, "metrics"), index = producer("measured", "--metrics-port", "0"), done = finish(index);
    const text = await (await fetch(await lineOf(index.stderr!, "metrics"))).text();
    for (const name of ['images_total{outcome="computed"}', 'images_total{outcome="failed"}', "workers", "images_per_second", "audited_images_total"]) assert.match(text, new RegExp(`^ijepa_index_${escape(name)} [\\d.]+$`, "m"));
    const indexed = await done, progress = indexed.stderr.split("\n").filter((line) => line.startsWith('{"progress"'));
    await sameAsWhole("measured", reportOf(indexed));
    assert.ok(progress.length > 0);
    for (const key of ["done", "computed", "failed", "rate", "workers"]) assert.equal(typeof (JSON.parse(progress[0]) as { progress: Record<string, unknown> }).progress[key], "number", key);
    const own = await (await fetch(url)).text();
    assert.match(own, new RegExp(`^ijepa_worker_images_total ${PICTURES}$`, "m"));
    assert.match(own, /^ijepa_worker_failures_total 1$/m);
    assert.equal((await fetch(url.replace("/metrics", "/"))).status, 404);
    child.kill("SIGTERM");
    const { code, stdout } = await ended;
    assert.equal(code, 0);
    assert.match(stdout, /^\{"progress":\{"jobs":1,/m);
  });
});

/** The text that the first line of JSON with this key has there. */
async function lineOf(stream: NodeJS.ReadableStream, key: string): Promise<string> {
  let text = "";
  for await (const [chunk] of on(stream, "data")) {
    text += String(chunk);
    for (const line of text.split("\n").slice(0, -1)) if (line.startsWith(`{"${key}"`)) return (JSON.parse(line) as Record<string, string>)[key];
  }
  throw new Error(`no ${key}`);
}

function escape(text: string): string {
  return text.replace(/[{}]/g, "\\$&");
}
