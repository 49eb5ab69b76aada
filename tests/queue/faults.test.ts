/** What can be wrong with a queue, and with what is in it: typed errors or lines in failures.jsonl, and no password. About 25 s. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { createServer as createWebServer } from "node:http";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { Collection } from "../../ts-api/src/collections/collection.js";
import type * as Collections from "../../ts-api/src/collections/index.js";
import type { Tensor } from "../../ts-api/src/core/tensor.js";
import { loadImage } from "../../ts-api/src/image/source.js";
import type * as Queues from "../../ts-api/src/queue/index.js";
import { finish, ijepa, TINY, type Finished } from "../cli/helpers.js";
import { freePort } from "../support/free-port.js";
import { Fixture, MODEL, reportOf } from "./fixture.js";
import { absent, command, noValkey, packageModule, PASSWORD, Redis } from "./servers.js";

describe("what is wrong", { skip: absent }, () => {
  const fixture = new Fixture(60);
  let redis: Redis;

  before(async () => {
    await fixture.prepare();
    mkdirSync(join(fixture.root, "redis"));
    redis = await Redis.start(join(fixture.root, "redis"));
  });
  // No worker of a test that fails takes the jobs of the next.
  afterEach(() => fixture.end());
  after(async () => {
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
    const done = finish(fixture.producer(redis.url, "other")), other = await finish(fixture.worker(redis.url, undefined, ["--model", TINY, "--dtype", "int4"]));
    assert.equal(other.code, 8);
    assert.match(other.stderr, /weight format int4, not fp32/);
    // The same producer once more.
    const twice = await finish(fixture.producer(redis.url, "other"));
    assert.deepEqual([twice.code, codeOf(twice.stderr).code], [8, "collection/locked"]);
    const right = fixture.worker(redis.url);
    // The queue is another's while this one is at work.
    await fixture.sameAsWhole("other", reportOf(await done));
    right.kill("SIGKILL");
  });

  test("the queue has jobs of another collection", async () => {
    const first = fixture.producer(redis.url, "first"), ended = finish(first);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const second = await finish(fixture.producer(redis.url, "second"));
    assert.deepEqual([second.code, codeOf(second.stderr).code], [9, "queue/owner"]);
    const right = fixture.worker(redis.url);
    await fixture.sameAsWhole("first", reportOf(await ended));
    right.kill("SIGKILL");
    const files = readdirSync(join(fixture.root, "first"), { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    assert.ok(files.length > 2 && files.every((file) => !readFileSync(join(file.parentPath, file.name)).includes(PASSWORD)), "no file holds the password");
  });

  test("a damaged picture is told as without a queue, and with --strict it is a failure", async () => {
    const folder = join(fixture.root, "damaged");
    mkdirSync(folder);
    for (const name of ["p-no-iend.png", "p-idat-bad-crc.png"]) cpSync(`tests/goldens/field/${name}`, join(folder, name));
    cpSync(join(fixture.photos, "1.png"), join(folder, "good.png"));
    const run = (collection: string, ...more: string[]) => ["index", folder, "--collection", join(fixture.root, collection), ...MODEL, "--json", ...more];
    const outcome = ({ code, stdout, stderr }: Finished) => ({ code, root: (JSON.parse(stdout) as { root: string }).root, told: stderr.split("\n").filter((line) => !line.startsWith('{"progress"')).sort() });
    const child = fixture.worker(redis.url);
    for (const strict of [[], ["--strict"]]) {
      const alone = outcome(await ijepa(run(`damaged-alone${strict.join("")}`, ...strict))), queued = outcome(await finish(command(run(`damaged-queued${strict.join("")}`, "--queue", redis.url, ...strict))));
      assert.deepEqual(queued, alone);
      assert.equal(alone.code, strict.length === 0 ? 0 : 3);
      assert.equal(alone.told.filter((line) => /no end marker|checksum of the chunk IDAT/.test(line)).length, 2, alone.told.join("\n"));
    }
    child.kill("SIGKILL");
  });

  test("a picture of which every worker fails is a line in failures.jsonl, and the others are computed", async () => {
    const { FeatureEncoder } = (await packageModule("collections")) as typeof Collections, { openBroker, work } = (await packageModule("queue")) as typeof Queues;
    const done = finish(fixture.producer(redis.url, "failing")), encoder = await FeatureEncoder.open(TINY, { dtype: "fp32", threads: 1 }), broker = await openBroker(redis.url), stop = new AbortController();
    const { model } = encoder.extractor, forward = model.forward.bind(model), { pixelValues: bad } = encoder.extractor.processor.preprocess(await loadImage(join(fixture.photos, "3.png")));
    const isBad = ({ data, dims: [images] }: Tensor<"float32">) => Array.from({ length: images }, (_, i) => data.subarray(i * bad.size, (i + 1) * bad.size)).some((pixels) => pixels.every((value, at) => value === bad.data[at]));
    model.forward = async (inputs, options) => {
      if (isBad(inputs.pixelValues)) throw new RangeError("Array buffer allocation failed");
      return forward(inputs, options);
    };
    let failed = 0;
    const working = (async () => {
      while (!stop.signal.aborted) {
        await work(broker, encoder, { name: `poor-${failed}`, signal: stop.signal }).catch((error: unknown) => {
          assert.ok(error instanceof RangeError, String(error));
          failed++;
        });
      }
    })();
    const { code, stdout } = await done;
    stop.abort();
    await working;
    await broker.close();
    await encoder.dispose();
    const collection = await Collection.open(join(fixture.root, "failing")), failures = new Map((await collection.failures()).map(({ source, message }) => [source, message]));
    assert.deepEqual([code !== 0, collection.size.places, [...failures.keys()].sort()], [true, 58, ["3.png", "7.png"].map((name) => join(fixture.photos, name))]);
    assert.match(failures.get(join(fixture.photos, "3.png"))!, /No worker could compute .*3\.png: Array buffer allocation failed/);
    // The job, and then the picture alone, at six workers each.
    assert.deepEqual([failed, (JSON.parse(stdout) as { repeated: number }).repeated], [12, 10]);
  });

  test("over Valkey", { skip: noValkey }, async (t) => {
    mkdirSync(join(fixture.root, "valkey"));
    const valkey = await Redis.startValkey(join(fixture.root, "valkey"));
    t.after(() => valkey.kill());
    const children = [fixture.worker(valkey.url), fixture.worker(valkey.url)];
    await fixture.sameAsWhole("over-valkey", reportOf(await finish(fixture.producer(valkey.url, "over-valkey", "--audit", "10%"))));
    for (const child of children) child.kill("SIGKILL");
  });

  test("a URL that is gone, and one that may not be fetched, are failures and tried once", async () => {
    let asked = 0;
    const server = createWebServer((_, response) => {
      asked++;
      response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gone.png`, list = join(fixture.root, "list.txt");
    writeFileSync(list, `${url}\n${join(fixture.photos, "1.png")}\n`);
    try {
      for (const [folder, more] of [["public", []], ["private", ["--allow-private"]]] as const) {
        const child = fixture.keep(command(["worker", "--queue", redis.url, ...MODEL, "--json", ...more]));
        const { code, stdout } = await finish(command(["index", "--from-file", list, "--collection", join(fixture.root, folder), "--queue", redis.url, ...MODEL, "--json"]));
        child.kill("SIGKILL");
        assert.equal(code, 6);
        assert.equal((JSON.parse(stdout) as { failed: number }).failed, 1);
        const [failure, ...others] = await (await Collection.open(join(fixture.root, folder))).failures();
        assert.deepEqual([failure.source, failure.code, others.length], [url, "io/read", 0]);
        assert.equal(asked, more.length);
      }
    } finally {
      server.close();
    }
  });

  test("clocks that are an hour wrong", async () => {
    const clocks = ["3600000", "-3600000"].map((wrong) => [process.execPath, "--import", `data:text/javascript,const now=Date.now;Date.now=()=>now()+(${wrong})`]);
    const workers = clocks.map((engine) => fixture.worker(redis.url, engine)), ended = finish(workers[0]);
    const done = finish(fixture.producer(redis.url, "clocks"));
    await new Promise((resolve) => workers[0].stdout!.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 500));
    workers[0].kill("SIGKILL");
    await ended;
    await fixture.sameAsWhole("clocks", reportOf(await done));
    workers[1].kill("SIGKILL");
  });
});
