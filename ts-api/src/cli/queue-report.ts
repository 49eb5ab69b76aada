/** Reports the progress of an index through a queue, and of a worker: as lines of JSON for logs, and as metrics for Prometheus. */
import type { CliHost, TextOutput } from "../runtime/cli-host.js";
import type { QueueProgress } from "../queue/index.js";
import { MAX_PORT, type Settings } from "./args.js";
import { wholeOf } from "./collection-options.js";

/** Milliseconds between two lines. */
const LINE_EVERY = 10_000;
/** Milliseconds. */
const METRICS_TIMEOUT = 10_000;

/** Lines of JSON, the first at once and then one every ten seconds. */
export class ProgressLines {
  #last = -Infinity;

  constructor(private readonly output: TextOutput) {}

  show(progress: object): void {
    const now = performance.now();
    if (now - this.#last < LINE_EVERY) return;
    this.#last = now;
    void this.output.write(`${JSON.stringify({ progress })}\n`);
  }
}

/** One metric: its type, what it is, and its values by label. */
type Metric = readonly [name: string, type: "counter" | "gauge", help: string, values: Readonly<Record<string, number>>];

/** Images by outcome, their rate, and workers. */
export type QueueCounts = Pick<QueueProgress, "computed" | "skipped" | "failed" | "rate" | "workers" | "audited">;

/** What `index --queue` tells. */
export function producerMetrics({ computed, skipped, failed, rate, workers, audited }: QueueCounts): Metric[] {
  return [
    ["ijepa_index_images_total", "counter", "Images that are done, by outcome.", { 'outcome="computed"': computed, 'outcome="unchanged"': skipped, 'outcome="failed"': failed }],
    ["ijepa_index_audited_images_total", "counter", "Images that were computed a second time.", { "": audited }],
    ["ijepa_index_images_per_second", "gauge", "Computed images a second, over the last half minute.", { "": rate }],
    ["ijepa_index_workers", "gauge", "Workers that are connected to the queue.", { "": workers }],
  ];
}

/** What a worker tells. */
export function workerMetrics({ jobs, images, failures }: { readonly jobs: number; readonly images: number; readonly failures: number }): Metric[] {
  return [
    ["ijepa_worker_jobs_total", "counter", "Jobs that are done.", { "": jobs }],
    ["ijepa_worker_images_total", "counter", "Images of these jobs.", { "": images }],
    ["ijepa_worker_failures_total", "counter", "Images of these that could not be read.", { "": failures }],
  ];
}

/** Prometheus' text format, version 0.0.4. */
export function metricsText(metrics: readonly Metric[]): string {
  const lines = metrics.flatMap(([name, type, help, values]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...Object.entries(values).map(([labels, value]) => `${name}${labels === "" ? "" : `{${labels}}`} ${value}`),
  ]);
  return `${lines.join("\n")}\n`;
}

/**
 * Answers GET /metrics on --metrics-port, if given; returns a function that stops it.
 * @throws UsageError, IJepaError `io/listen`
 */
export async function serveMetrics({ given, host = "127.0.0.1", json }: Settings, output: CliHost["stderr"], metrics: () => readonly Metric[]): Promise<() => Promise<void>> {
  const port = wholeOf(given, "metrics-port", 0, MAX_PORT);
  if (port === undefined) return async () => undefined;
  const { listen } = await import("../runtime/http-host.js");
  const answer = async ({ url }: Request): Promise<Response> =>
    new URL(url).pathname === "/metrics"
      ? new Response(metricsText(metrics()), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } })
      : new Response("Not found\n", { status: 404 });
  const refusal = (_status: number, code: string, message: string): object => ({ error: { code, message } });
  const listening = await listen(answer, { host, port, timeout: METRICS_TIMEOUT, refusal });
  await output.write(json ? `${JSON.stringify({ metrics: `${listening.url}/metrics` })}\n` : `Metrics at ${listening.url}/metrics\n`);
  return () => listening.close();
}
