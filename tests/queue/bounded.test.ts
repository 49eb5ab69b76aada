/** What the queue takes in the broker, with a producer that is much faster than the workers. About 15 s. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type * as Collections from "../../ts-api/src/collections/index.js";
import type * as Queues from "../../ts-api/src/queue/index.js";
import { ENCODING, numbers, temporaryFolder } from "../unit/collections/helpers.js";
import { sha256 } from "../support/sha256.js";
import { absent, installPackage, packageModule, Redis, redisClient } from "./servers.js";

/** As a ViT-H has them. */
const WIDTH = 1280, IMAGES = 1600, JOB_SIZE = 16, MAX_JOBS = 16;
/** Milliseconds of a job: on an idle machine the producer makes ten in that time. */
const SLOWLY = 120;

test("the memory of the queue in Redis is that of so many jobs, however many images there are", { skip: absent }, async (t) => {
  installPackage();
  const folder = temporaryFolder(), encoding = { ...ENCODING, width: WIDTH };
  mkdirSync(join(folder, "redis"));
  const redis = await Redis.start(join(folder, "redis")), client = await redisClient(redis.url);
  t.after(async () => {
    client.disconnect();
    await redis.kill();
  });
  const { openBroker, indexThroughQueue, ownerOf } = (await packageModule("queue")) as typeof Queues;
  const { Collection } = (await packageModule("collections")) as typeof Collections;
  const used = async () => Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))![1]);
  const broker = await openBroker(redis.url), before = await used();
  let most = 0, jobs = 0, asked = 0, answered = 0, over = false;
  const worker = await broker.openWorker(async ({ data: { version, sources } }) => {
    await sleep(SLOWLY);
    answered += sources.length;
    return { version, rows: sources.map(rowOf), failures: [], worker: { name: "slow", machine: "here", device: "none" } };
  }, { concurrency: 1 });
  const watching = (async () => {
    for (; !over; await sleep(10)) [most, jobs] = [Math.max(most, (await used()) - before), Math.max(jobs, (await client.keys("bull:ijepa:????????????????????????????????")).length)];
  })();
  const started = performance.now();
  let firstJobs = 0;
  const sources = function* (): Generator<string> {
    for (; asked < IMAGES; asked++) {
      if (asked === MAX_JOBS * JOB_SIZE) firstJobs = performance.now() - started;
      yield `nowhere/${asked}.png`;
    }
  };
  const collection = await Collection.openOrCreate(join(folder, "c"), encoding);
  const { added } = await indexThroughQueue(collection, broker, sources(), { owner: await ownerOf(folder), jobSize: JOB_SIZE, maxJobs: MAX_JOBS });
  over = true;
  await watching;
  await worker.close();
  await broker.close();
  assert.deepEqual([added, answered], [IMAGES, IMAGES]);
  const pace = (MAX_JOBS * SLOWLY) / firstJobs, row = JSON.stringify(rowOf("nowhere/1000.png")).length, all = IMAGES * row, bound = 3 * MAX_JOBS * JOB_SIZE * row;
  t.diagnostic(`${jobs} jobs and ${(most / 1e6).toFixed(1)} MB at most, of results of ${(all / 1e6).toFixed(1)} MB; the producer made jobs ${pace.toFixed(0)} times as fast as the worker could do them`);
  // The producer was held up, and by the bound.
  assert.equal(jobs, MAX_JOBS);
  assert.ok(most < bound && bound < all / 2, `${most} of ${bound} bytes`);
});

/** Made-up, the same for a place every time. */
function rowOf(source: string): Queues.RowMessage {
  const next = numbers(Number(/\d+/.exec(source))), feature = Float32Array.from({ length: WIDTH }, next), bytes = new Uint8Array(feature.buffer);
  return { source, id: sha256(source), bytes: 1000, modified: null, width: 32, height: 32, digest: sha256(bytes), feature: Buffer.from(bytes).toString("base64"), tokens: null };
}
