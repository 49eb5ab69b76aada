/**
 * What the queue costs: one worker through a Redis of its own, beside `indexImages` of the same photos in this process; the same model
 * on as many threads. The producer and the broker run on the same machine.
 */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as Collections from "../../ts-api/src/collections/index.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import type * as Queues from "../../ts-api/src/queue/index.js";
import { absent, command, installPackage, packageModule, Redis } from "../../tests/queue/servers.js";
import { median } from "../support/measure.js";
import { recipeFolder, type ModelName } from "../support/models.js";
import { digits, table } from "../support/table.js";

export interface QueueBenchOptions {
  rounds: number;
  model: ModelName;
  dtype: Dtype;
  threads: number;
}

const PHOTOS = 128;
/** The worker has a job of these, and looks for the next, before anything is timed. */
const WARM_UP = 32;

export async function benchQueue({ rounds, model, dtype, threads }: QueueBenchOptions): Promise<void> {
  if (absent !== false) throw new Error(absent);
  installPackage();
  const folder = mkdtempSync(join(tmpdir(), "ijepa-queue-")), photos = makePhotos(folder), path = await recipeFolder(model);
  mkdirSync(join(folder, "redis"));
  const redis = await Redis.start(join(folder, "redis"));
  const worker = command(["worker", "--queue", redis.url, "--model", path, "--dtype", dtype, "--device", "wasm", "--threads", String(threads), "--json"], [process.execPath, ...process.execArgv]);
  try {
    const { Collection, DecodePool, FeatureEncoder, indexImages } = (await packageModule("collections")) as typeof Collections;
    const { indexThroughQueue, openBroker, ownerOf } = (await packageModule("queue")) as typeof Queues;
    const encoder = await FeatureEncoder.open(path, { dtype, device: "wasm", threads }), decoders = new DecodePool(), broker = await openBroker(redis.url);
    await once(worker.stdout!, "data");
    let made = 0;
    const ways = {
      alone: async (collection: Collections.Collection, sources: readonly string[]) => indexImages(collection, encoder, sources, { decoders }),
      queue: async (collection: Collections.Collection, sources: readonly string[]) => indexThroughQueue(collection, broker, sources, { owner: await ownerOf(collection.name) }),
    };
    const timed = async (way: keyof typeof ways, sources: readonly string[]): Promise<{ rate: number; root: string }> => {
      const collection = await Collection.openOrCreate(join(folder, `collection-${made++}`), encoder.encoding), start = performance.now();
      const { added } = await ways[way](collection, sources), seconds = (performance.now() - start) / 1000;
      if (added !== sources.length) throw new Error(`${added} of ${sources.length} photos were added; nothing was timed.`);
      return { rate: sources.length / seconds, root: await collection.rootDigest() };
    };
    const rates: Record<keyof typeof ways, number[]> = { alone: [], queue: [] }, ratios: number[] = [];
    for (const way of ["alone", "queue"] as const) await timed(way, photos.slice(0, WARM_UP));
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? (["alone", "queue"] as const) : (["queue", "alone"] as const), roots = new Set<string>();
      for (const way of order) {
        const { rate, root } = await timed(way, photos);
        rates[way].push(rate);
        roots.add(root);
      }
      if (roots.size > 1) throw new Error("The root digests differ; nothing was timed.");
      ratios.push(rates.queue.at(-1)! / rates.alone.at(-1)!);
    }
    const row = (name: string, values: readonly number[]) => [name, digits(Math.min(...values)), digits(median(values)), digits(Math.max(...values))];
    console.log(`\n${PHOTOS} photos to pooled features of ${model} in ${dtype}, ${rounds} rounds; ${encoder.extractor.model.deviceDescription}\n`);
    console.log(table(["images a second", "least", "median", "most"], [row("index", rates.alone), row("one worker through the queue", rates.queue), row("the second of the first, by round", ratios)]));
    await broker.close();
    await decoders.close();
    await encoder.dispose();
  } finally {
    worker.kill("SIGKILL");
    await redis.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One photo, under as many names: bytes behind its end marker make each a file of its own. */
function makePhotos(folder: string): string[] {
  const photo = readFileSync("examples/photos/rocket.jpg");
  return Array.from({ length: PHOTOS }, (_, i) => {
    const file = join(folder, `${i}.jpg`);
    writeFileSync(file, Buffer.concat([photo, Buffer.from(String(i))]));
    return file;
  });
}
