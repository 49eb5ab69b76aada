/**
 * A program for Node 22 and newer, which miniflare needs: bundles a Worker as wrangler does, runs it in workerd and sends it
 * requests. Arguments: a JSON file with a WorkerJob. Prints the answers as JSON.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bundleWorker, require } from "./bundle.js";

export interface WorkerJob {
  /** The Worker's file. */
  entry: string;
  /** Folders: of the binding MODEL, a service without knowledge of ranges; of static assets; of an R2 bucket. */
  model?: string;
  assets?: string;
  bucket?: string;
  vars?: Record<string, string>;
  /** Files by the keys that they get in the bucket PHOTOS; the queue's consumer makes rows of them. */
  photos?: Record<string, string>;
  requests: { path: string; method?: string; /** A file. */ body?: string }[];
}

export interface WorkerAnswer {
  status: number;
  json: Record<string, unknown>;
}

interface Bucket {
  put(key: string, value: Uint8Array): Promise<unknown>;
  get(key: string): Promise<{ json(): Promise<unknown> } | null>;
  delete(key: string): Promise<void>;
}

interface Miniflare {
  dispatchFetch(url: string, init: object): Promise<Response>;
  getR2Bucket(binding: string): Promise<Bucket>;
  getQueueProducer(binding: string): Promise<{ send(body: unknown): Promise<unknown> }>;
  dispose(): Promise<void>;
}

const [jobFile] = process.argv.slice(2);
if (jobFile !== undefined) {
  const { Miniflare } = require("miniflare") as { Miniflare: new (options: object) => Miniflare };
  const job = JSON.parse(readFileSync(jobFile, "utf8")) as WorkerJob;
  const { entry, model, assets, bucket, photos, vars = {} } = job;
  const MODEL = (request: Request) => {
    const file = join(model!, new URL(request.url).pathname);
    return existsSync(file) ? new Response(readFileSync(file)) : new Response("", { status: 404 });
  };
  const worker = new Miniflare({
    modules: await bundleWorker(entry),
    compatibilityDate: "2026-07-01",
    bindings: vars,
    ...(model === undefined ? {} : { serviceBindings: { MODEL } }),
    ...(assets === undefined ? {} : { assets: { directory: assets, binding: "ASSETS", routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: true } } }),
    r2Buckets: [...(bucket === undefined ? [] : ["BUCKET"]), ...(photos === undefined ? [] : ["PHOTOS", "ROWS"])],
    ...(photos === undefined ? {} : { queueProducers: { EVENTS: "events" }, queueConsumers: { events: { maxBatchSize: 4, maxBatchTimeout: 1 } } }),
  });
  if (bucket !== undefined) {
    const target = await worker.getR2Bucket("BUCKET");
    for (const name of readdirSync(bucket)) await target.put(name, readFileSync(join(bucket, name)));
  }
  const answers: WorkerAnswer[] = [];
  for (const { path, method = "POST", body } of job.requests) {
    const response = await worker.dispatchFetch(`http://worker${path}`, body === undefined ? { method } : { method, body: readFileSync(body) });
    answers.push({ status: response.status, json: (await response.json()) as Record<string, unknown> });
  }
  for (const json of await rowsOf(photos ?? {}, worker)) answers.push({ status: 200, json });
  await worker.dispose();
  console.log(JSON.stringify(answers));
}

/** The rows that the consumer makes; then the first photo is deleted, and so must its row be. */
async function rowsOf(photos: Record<string, string>, worker: Miniflare): Promise<Record<string, unknown>[]> {
  const keys = Object.keys(photos);
  if (keys.length === 0) return [];
  const [from, to, events] = [await worker.getR2Bucket("PHOTOS"), await worker.getR2Bucket("ROWS"), await worker.getQueueProducer("EVENTS")];
  const tell = (action: string, key: string) => events.send({ account: "a", bucket: "photos", eventTime: new Date().toISOString(), action, object: { key } });
  for (const key of keys) {
    await from.put(key, readFileSync(photos[key]));
    // At least once, says the queue.
    for (let i = 0; i < 2; i++) await tell("PutObject", key);
  }
  const rows: Record<string, unknown>[] = [];
  for (const key of keys) {
    let row = await to.get(`${key}.json`);
    for (; row === null; row = await to.get(`${key}.json`)) await new Promise((resolve) => setTimeout(resolve, 100));
    rows.push((await row.json()) as Record<string, unknown>);
  }
  await from.delete(keys[0]);
  await tell("DeleteObject", keys[0]);
  while ((await to.get(`${keys[0]}.json`)) !== null) await new Promise((resolve) => setTimeout(resolve, 100));
  return rows;
}
