/** What can be wrong with a queue, and with what is in it: typed errors or lines in failures.jsonl, and no password. About 25 s. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { createServer as createWebServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { finish, ijepa, TINY } from "../cli/helpers.js";
import { Bench, MODEL, reportOf } from "./bench.js";
import { absent, command, freePort, PASSWORD, Redis } from "./servers.js";

describe("what is wrong", { skip: absent }, () => {
  const bench = new Bench(60);
  let redis: Redis;

  before(async () => {
    await bench.prepare();
    mkdirSync(join(bench.root, "redis"));
    redis = await Redis.start(join(bench.root, "redis"));
  });
  after(async () => {
    bench.end();
    await redis.kill();
  });

  const codeOf = (stderr: string) => (JSON.parse(stderr.trim().split("\n").at(-1)!) as { error: { code: string; message: string } }).error;

  test("with the broker, told without the password", async () => {
    const fails = async (url: string, code: string) => {
      const { code: exit, stderr } = await finish(command(["worker", "--queue", url, ...MODEL, "--json"]));
      assert.equal(codeOf(stderr).code, code, stderr);
      assert.ok(!stderr.includes("wrong-word") && !stderr.includes(PASSWORD), stderr);
      return exit;
    };
    assert.equal(await fails(`redis://:wrong-word@127.0.0.1:${redis.port}`, "queue/unavailable"), 9);
    assert.equal(await fails(`redis://:${PASSWORD}@127.0.0.1:${await freePort()}`, "queue/unavailable"), 9);
    assert.equal(await fails(`rediss://:${PASSWORD}@127.0.0.1:${redis.port}`, "queue/unavailable"), 9);
    assert.equal(await fails(`amqp://:${PASSWORD}@127.0.0.1`, "input/value"), 7);
    for (const [url, packages] of [[redis.url, "bullmq@6 ioredis"], ["postgres://ijepa@127.0.0.1/db", "bullmq@6 pg"]]) {
      const { code, stderr } = await ijepa(["worker", "--queue", url, ...MODEL]);
      assert.equal(code, 9);
      assert.ok(stderr.includes(`npm install ${packages}`), stderr);
    }
  });

  test("an old server", async () => {
    const port = await freePort(), proxy = createServer((socket) => {
      const server = connect(redis.port, "127.0.0.1");
      socket.pipe(server).on("error", () => undefined);
      // The answer to INFO, with a version of the same length.
      server.on("data", (data: Buffer) => socket.write(data.toString("latin1").replace(/redis_version:\d/, "redis_version:4"), "latin1")).on("error", () => undefined);
      socket.on("error", () => undefined).on("close", () => server.destroy());
    });
    await new Promise<void>((done) => proxy.listen(port, "127.0.0.1", done));
    try {
      const { code, stderr } = await finish(command(["worker", "--queue", redis.url.replace(String(redis.port), String(port)), ...MODEL, "--json"]));
      assert.deepEqual([code, codeOf(stderr).code], [9, "queue/unavailable"]);
      assert.match(codeOf(stderr).message, /version/i);
    } finally {
      proxy.close();
    }
  });

  test("a worker of another encoding gives the job back, and says why", async () => {
    const done = finish(bench.producer(redis.url, "other")), other = await finish(bench.worker(redis.url, undefined, ["--model", TINY, "--dtype", "int4"]));
    assert.equal(other.code, 8);
    assert.match(other.stderr, /weight format int4, not fp32/);
    // The same producer once more.
    const twice = await finish(bench.producer(redis.url, "other"));
    assert.deepEqual([twice.code, codeOf(twice.stderr).code], [8, "collection/locked"]);
    const right = bench.worker(redis.url);
    // The queue is another's while this one is at work.
    await bench.sameAsWhole("other", reportOf(await done));
    right.kill("SIGKILL");
  });

  test("the queue has jobs of another collection", async () => {
    const first = bench.producer(redis.url, "first"), ended = finish(first);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const second = await finish(bench.producer(redis.url, "second"));
    assert.deepEqual([second.code, codeOf(second.stderr).code], [9, "queue/owner"]);
    const right = bench.worker(redis.url);
    await bench.sameAsWhole("first", reportOf(await ended));
    right.kill("SIGKILL");
  });

  test("a URL that is gone, and one that may not be fetched, are failures and tried once", async () => {
    let asked = 0;
    const server = createWebServer((_, response) => {
      asked++;
      response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gone.png`, list = join(bench.root, "list.txt");
    writeFileSync(list, `${url}\n${join(bench.photos, "1.png")}\n`);
    try {
      for (const [folder, more] of [["public", []], ["private", ["--allow-private"]]] as const) {
        const child = bench.keep(command(["worker", "--queue", redis.url, ...MODEL, "--json", ...more]));
        const { code, stdout } = await finish(command(["index", "--from-file", list, "--collection", join(bench.root, folder), "--queue", redis.url, ...MODEL, "--json"]));
        child.kill("SIGKILL");
        assert.equal(code, 6);
        assert.equal((JSON.parse(stdout) as { failed: number }).failed, 1);
        const [failure, ...others] = await (await Collection.open(join(bench.root, folder))).failures();
        assert.deepEqual([failure.source, failure.code, others.length], [url, "io/read", 0]);
        assert.equal(asked, more.length);
      }
    } finally {
      server.close();
    }
  });

  test("clocks that are an hour wrong", async () => {
    const clocks = ["3600000", "-3600000"].map((wrong) => [process.execPath, "--import", `data:text/javascript,const now=Date.now;Date.now=()=>now()+(${wrong})`]);
    const workers = clocks.map((engine) => bench.worker(redis.url, engine)), ended = finish(workers[0]);
    const done = finish(bench.producer(redis.url, "clocks"));
    await new Promise((resolve) => workers[0].stdout!.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 500));
    workers[0].kill("SIGKILL");
    await ended;
    await bench.sameAsWhole("clocks", reportOf(await done));
    workers[1].kill("SIGKILL");
  });
});
