/**
 * Workers, brokers and the producer are killed or cut off: the root digest is that of one process. About 60 s, most of them spent
 * waiting for locks to run out; the tests run side by side.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { finish } from "../cli/helpers.js";
import { freePort } from "../support/free-port.js";
import { Fixture, MODEL, reportOf, type Report } from "./fixture.js";
import { Machine, noNamespaces } from "./namespaces.js";
import { absent, CLI, command, noPostgres, PASSWORD, Postgres, Redis } from "./servers.js";

/** As many as `IJEPA_TEST_PICTURES` says: the published runs have 3000. */
const PICTURES = Number(process.env["IJEPA_TEST_PICTURES"] ?? 300);
const CUT_OFF = 20_000;

describe("killed and cut off", { skip: absent, concurrency: 4 }, () => {
  const fixture = new Fixture(PICTURES);
  const folder = (name: string) => {
    mkdirSync(join(fixture.root, name));
    return join(fixture.root, name);
  };

  before(() => fixture.prepare());
  after(() => fixture.end());

  test("over Redis: workers, the broker and the producer are killed", async (t) => {
    const redis = await Redis.start(folder("redis"));
    t.after(() => redis.kill());
    const kills = await fixture.killAll(redis.url, "redis-killed", async () => {
      await redis.kill();
      await redis.start();
    });
    t.diagnostic(`${kills} workers were killed`);
  });

  test("over PostgreSQL: the same, and what is wrong with the server is told without the password", { skip: noPostgres }, async (t) => {
    const postgres = await Postgres.start();
    t.after(() => postgres.end());
    const kills = await fixture.killAll(postgres.url, "postgres-killed", async () => {
      await postgres.stop();
      await postgres.run();
    });
    t.diagnostic(`${kills} workers were killed`);
    for (const url of [`postgres://ijepa:wrong-word@127.0.0.1:${postgres.port}/postgres`, postgres.url.replace(String(postgres.port), String(await freePort())), `${postgres.url}?sslmode=require`]) {
      const { code, stderr } = await finish(command(["worker", "--queue", url, ...MODEL, "--json"]));
      assert.equal((JSON.parse(stderr.trim().split("\n").at(-1)!) as { error: { code: string } }).error.code, "queue/unavailable", stderr);
      assert.equal(code, 9);
      assert.ok(!stderr.includes("wrong-word") && !stderr.includes(PASSWORD), stderr);
    }
  });

  test("a worker runs out of memory in the middle of a job", async (t) => {
    const redis = await Redis.start(folder("memory"));
    t.after(() => redis.kill());
    // It takes all that the engine gives it once a job is done and the next is under way.
    const leak = 'const write = process.stdout.write; process.stdout.write = function (...args) { if (String(args[0]).includes(\'"progress"\')) setInterval(() => (globalThis.held ??= []).push(new Array(2 ** 20).fill(Math.random())), 1); return write.apply(this, args); }';
    const poor = fixture.worker(redis.url, [process.execPath, "--max-old-space-size=128", "--import", `data:text/javascript,${encodeURIComponent(leak)}`]), ended = finish(poor);
    const done = finish(fixture.producer(redis.url, "out-of-memory")), { code, signal, stderr } = await ended;
    assert.ok(code !== 0 && /heap out of memory/.test(stderr), `${code} ${signal} ${stderr}`);
    const good = fixture.worker(redis.url), report = reportOf<Report & { repeated: number }>(await done);
    await fixture.sameAsWhole("out-of-memory", report);
    assert.ok(report.repeated >= 1, "its job was begun again, and the report says so");
    good.kill("SIGKILL");
  });

  test(`in network namespaces: a worker is cut off for ${CUT_OFF / 1000} s`, { skip: noNamespaces }, async (t) => {
    const { machines: [broker, producer, first, second], end } = Machine.network(["broker", "producer", "first", "second"]);
    t.after(end);
    const redis = await Redis.start(folder("cut-off"), { address: broker.address, spawn: (program, args) => broker.run(program, args) });
    t.after(() => redis.kill());
    const run = (machine: Machine, args: readonly string[]) => fixture.keep(machine.run(process.execPath, [CLI, ...args, "--queue", redis.url, ...MODEL, "--json"]));
    const workers = [run(first, ["worker"]), run(second, ["worker"])], ended = workers.map(finish);
    const done = finish(run(producer, ["index", fixture.photos, "--collection", join(fixture.root, "networked")]));
    // The first has begun, and most is still to do.
    await Promise.race([new Promise((resolve) => workers[0].stdout!.on("data", (text: string) => text.includes('"progress"') && resolve(undefined))), done]);
    first.unplug();
    await sleep(CUT_OFF);
    first.plugIn();
    await fixture.sameAsWhole("networked", reportOf(await done));
    for (const child of workers) child.kill("SIGTERM");
    for (const { code } of await Promise.all(ended)) assert.equal(code, 0);
  });
});
