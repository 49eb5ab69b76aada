/** `ijepa worker`: does jobs of a queue until it is stopped. */
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, modelOptions, type Command, type Settings } from "./args.js";
import { LAYERS, textOf, wordOf } from "./collection-options.js";
import { UsageError } from "./exit.js";
import { openDecoders } from "./image-sources.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { ProgressLines, serveMetrics, workerMetrics } from "./queue-report.js";
import { downloadTime } from "./read-image.js";
import { countOf } from "./text.js";

export const worker: Command = {
  name: "worker",
  usage: "--queue URL [options]",
  summary: 'Compute the features that "ijepa index --queue" asks for, until it is stopped; as many workers as wanted, on any machines',
  options: ["queue", "layers", "tokens", "allow-private", "metrics-port", "host", ...SOURCE_OPTIONS, "dtype", "device", "threads", "revectorize", "timeout", "decode-threads", "decode-timeout", "max-pixels", "json", "help"],
  images: [0, 0],
  notes: [
    "It needs the packages bullmq 6 and ioredis (or pg, for PostgreSQL) beside ijepa. Model, --dtype, --layers and --tokens must be those of the collection: jobs of " +
      "another encoding are given back, and the worker ends and says what differs.",
    "Paths are those of a file system that the machines share. URLs are fetched from public addresses only, unless --allow-private is given.",
    "SIGINT or SIGTERM stops it: the jobs under way are given back to the queue, and the exit code is 0. A worker that is killed or cut off " +
      "loses its jobs to another.",
  ],
  run: runWorker,
};

async function runWorker(settings: Settings, host: CliHost): Promise<number> {
  const { json, given, maxPixels } = settings, url = textOf(given, "queue"), { signal } = host;
  const layers = wordOf(given, "layers", LAYERS);
  if (url === undefined) throw new UsageError('"ijepa worker" needs --queue URL. See "ijepa worker --help".');
  const [{ FeatureEncoder }, { openBroker, work }, { fetchPublic }] = await Promise.all([
    import("../collections/index.js"), import("../queue/index.js"), import("../runtime/public-fetch.js"),
  ]);
  const broker = await openBroker(url), bar = new ProgressBar(host.stderr);
  const encoder = await FeatureEncoder.open(settings.model, {
    ...modelOptions(settings), layers, tokens: given["tokens"] === true, signal, progress_callback: showDownloads(bar),
  }).finally(() => bar.clear());
  const decoders = openDecoders(settings);
  const name = `ijepa-${globalThis.crypto.randomUUID().slice(0, 8)}`, { deviceDescription } = encoder.extractor.model;
  const done = { jobs: 0, images: 0, failures: 0 }, lines = new ProgressLines(host.stdout);
  let closeMetrics = async (): Promise<void> => undefined;
  try {
    // From here on a signal ends the worker normally.
    void host.untilStopped();
    await host.stdout.write(json ? `${JSON.stringify({ queue: broker.address, worker: name, deviceDescription })}\n` : `${name} works for ${broker.address} (${deviceDescription})\n`);
    closeMetrics = await serveMetrics(settings, host.stdout, () => workerMetrics(done));
    await work(broker, encoder, {
      name,
      signal,
      decoders,
      maxPixels,
      timeout: downloadTime(settings),
      fetchImage: given["allow-private"] === true ? undefined : fetchPublic,
      onJob: ({ rows, failures }) => {
        done.jobs++;
        done.images += rows.length + failures.length;
        done.failures += failures.length;
        bar.count(done.images, `images in ${countOf(done.jobs, "job")}`);
        if (json) lines.show(done);
      },
    });
    bar.clear();
    await host.stdout.write(json ? `${JSON.stringify(done)}\n` : `Stopped; ${countOf(done.images, "image")} in ${countOf(done.jobs, "job")}.\n`);
    return 0;
  } finally {
    bar.clear();
    await closeMetrics();
    await broker.close();
    await decoders.close();
    await encoder.dispose();
  }
}
