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
  requests: { path: string; method?: string; /** A file. */ body?: string }[];
}

export interface WorkerAnswer {
  status: number;
  json: Record<string, unknown>;
}

interface Miniflare {
  dispatchFetch(url: string, init: object): Promise<Response>;
  getR2Bucket(binding: string): Promise<{ put(key: string, value: Uint8Array): Promise<unknown> }>;
  dispose(): Promise<void>;
}

const [jobFile] = process.argv.slice(2);
if (jobFile !== undefined) {
  const { Miniflare } = require("miniflare") as { Miniflare: new (options: object) => Miniflare };
  const job = JSON.parse(readFileSync(jobFile, "utf8")) as WorkerJob;
  const { entry, model, assets, bucket, vars = {} } = job;
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
    ...(bucket === undefined ? {} : { r2Buckets: ["BUCKET"] }),
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
  await worker.dispose();
  console.log(JSON.stringify(answers));
}
