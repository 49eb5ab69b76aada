/** `ijepa index`: images in, a collection of their features out. */
import { runtime } from "#runtime";
import type { BulkFailure, BulkProgress, BulkRow } from "../index.js";
import type { Collection, IndexReport } from "../collections/index.js";
import type { QueueIndexReport } from "../queue/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, modelOptions, type Command, type Settings } from "./args.js";
import { LAYERS, shareOf, textOf, wordOf } from "./collection-options.js";
import { report, reportFailure, UsageError } from "./exit.js";
import { checkImages, countOfImages, imagesOf, MANY_OPTIONS, openDecoders, placesOf } from "./image-sources.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { producerMetrics, ProgressLines, serveMetrics, type QueueCounts } from "./queue-report.js";
import { downloadTime, warnOfDamage } from "./read-image.js";
import { countOf, printable } from "./text.js";
import { warnOfUnused } from "./unused-tensors.js";

export const index: Command = {
  name: "index",
  usage: "IMAGE|FOLDER|PATTERN... --collection DIR [options]",
  summary: "Add the new images of files and folders to a collection",
  options: ["collection", "queue", "audit", "metrics-port", "host", "layers", "tokens", "prune", ...MANY_OPTIONS, ...SOURCE_OPTIONS, "dtype", "device", "threads", "revectorize", "json", "help"],
  optionHelp: { recursive: "include images in subfolders; always on here" },
  images: [1, Infinity],
  notes: [
    "Images that cannot be read are reported on stderr, recorded in failures.jsonl and skipped; the exit code is that of the first one. Files whose size and time have not changed are not read again, and copies are not encoded again.",
    "Results are saved along the way: after Ctrl-C or a crash, run the same command again to resume. The root digest printed at the end is the same whatever the order, the interruptions, the device and the number of threads.",
    "A collection has one model, --dtype, --layers and --tokens; any other combination is refused. An image without a path or URL (from standard input, base64 or a data URL) is named sha256:DIGEST.",
    "With --queue, workers (\"ijepa worker\") that see the same paths compute the images; this command creates jobs and collects the results. After a kill, run it again to resume. --strict holds for the workers; limits of time and pixels are each worker's own.",
  ],
  run: runIndex,
};

async function runIndex(given: Settings, host: CliHost): Promise<number> {
  const settings = { ...given, recursive: true }, { json, given: options, maxPixels, strict } = settings, folder = textOf(options, "collection"), { signal } = host;
  const layers = wordOf(options, "layers", LAYERS);
  if (folder === undefined) throw new UsageError('"ijepa index" needs --collection DIR. See "ijepa index --help".');
  await checkImages(settings);
  const { Collection, FeatureEncoder, indexImages } = await import("../collections/index.js");
  const url = textOf(options, "queue"), audit = shareOf(options, "audit");
  if (audit !== undefined && url === undefined) throw new UsageError("--audit needs --queue.");
  if (options["metrics-port"] !== undefined && url === undefined) throw new UsageError("--metrics-port needs --queue.");
  const queue = url === undefined ? undefined : await import("../queue/index.js");
  const broker = await queue?.openBroker(url!);
  const bar = new ProgressBar(host.stderr), started = performance.now();
  const encoder = await FeatureEncoder.open(settings.model, {
    ...modelOptions(settings), layers, tokens: options["tokens"] === true, signal, progress_callback: showDownloads(bar),
  }).finally(() => bar.clear());
  const decoders = openDecoders(settings), lines = new ProgressLines(host.stderr);
  let last: QueueCounts = { computed: 0, skipped: 0, failed: 0, rate: 0, workers: 0, audited: 0 }, closeMetrics = async (): Promise<void> => undefined;
  try {
    closeMetrics = await serveMetrics(settings, host.stderr, () => producerMetrics(last));
    await warnOfUnused(encoder.extractor.model, host);
    const collection = await Collection.openOrCreate(folder, encoder.encoding, { signal });
    let exitCode = 0;
    const onFailure = async (failure: BulkFailure): Promise<void> => {
      bar.clear();
      const code = await report(host, failure, { json, file: failure.source });
      exitCode ||= code;
      unread.push(failure.source);
    };
    const onWarning = async (image: Pick<BulkRow, "source" | "warnings">): Promise<void> => {
      bar.clear();
      await warnOfDamage(image, host);
    };
    const unread: string[] = [], seen = options["prune"] === true ? new Set<string>() : undefined;
    async function* sources() {
      for await (const source of broker === undefined ? placesOf(settings, host) : imagesOf(settings, host)) {
        seen?.add(source.name);
        yield source;
      }
    }
    const total = countOfImages(settings), onProgress = (progress: BulkProgress) => bar.showBulk(progress);
    const done = queue === undefined || broker === undefined
      ? await indexImages(collection, encoder, sources(), { signal, decoders, maxPixels, strict, timeout: downloadTime(settings), total, onProgress, onFailure, onWarning })
      : await queue.indexThroughQueue(collection, broker, sources(), {
          signal,
          owner: await queue.ownerOf((await runtime.files?.realPath(folder)) ?? folder),
          total,
          audit,
          recompute: (job) => queue.runJob(encoder, job, { name: "index", signal, decoders, maxPixels, timeout: downloadTime(settings) }),
          onMismatch: async (mismatch) => {
            bar.clear();
            await reportFailure(host, queue.mismatchError(mismatch), { json, file: mismatch.source });
          },
          onProgress: (progress) => {
            last = progress;
            bar.showBulk(progress, `, ${countOf(progress.workers, "worker")}`);
            if (json) lines.show(progress);
          },
          onFailure,
          onWarning,
          strict,
        });
    bar.clear();
    const removed = seen === undefined ? 0 : await prune(collection, settings.images, seen, unread);
    const { places, images } = collection.size, root = await collection.rootDigest(), seconds = (performance.now() - started) / 1000;
    const document = { collection: folder, ...done, removed, places, images, root, seconds: Number(seconds.toFixed(3)) };
    await host.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : toText(document, isQueued(done) ? done : undefined, audit !== undefined));
    await collection.close();
    return exitCode;
  } finally {
    bar.clear();
    await closeMetrics();
    await broker?.close();
    await decoders.close();
    await encoder.dispose();
  }
}

function isQueued(done: IndexReport): done is QueueIndexReport {
  return "audited" in done;
}

interface IndexDocument extends IndexReport, Record<"removed" | "images" | "places", number> {
  readonly collection: string;
  readonly root: string;
}

function toText({ collection, added, copies, unchanged, failed, removed, images, places, root }: IndexDocument, queued: QueueIndexReport | undefined, isAudited: boolean): string {
  const gone = removed > 0 ? `, ${removed} gone` : "", { audited: again = 0, mismatches = [], recomputed = 0, repeated = 0 } = queued ?? {};
  const audited = isAudited ? `${countOf(again, "image")} audited, ${countOf(mismatches.length, "worker")} wrong, ${recomputed} computed again\n` : "";
  const lost = repeated > 0 ? `${countOf(repeated, "job")} begun again after a worker was lost or failed\n` : "";
  return `${printable(collection)}: ${added} added, ${copies} copies, ${unchanged} unchanged, ${failed} failed${gone}; ${images} images at ${places} places\n${audited}${lost}root digest ${root}\n`;
}

/** Removes places below the given folders that no longer exist. Places below a folder that could not be read are kept. */
async function prune(collection: Collection, folders: readonly string[], seen: ReadonlySet<string>, unread: readonly string[]): Promise<number> {
  const isBelow = (source: string) => (folder: string) => {
    const name = folder.replace(/(?<=.)[/\\]+$/, "");
    return name === "." ? !/^(\/|\.\.\/|[a-z][a-z0-9+.-]+:)/i.test(source) : source.startsWith(name === "/" ? name : `${name}/`);
  };
  const gone: string[] = [];
  for (const { part, row } of collection.live.rows()) {
    const source = collection.live.parts[part].source(row);
    if (!seen.has(source) && folders.some(isBelow(source)) && !unread.some(isBelow(source))) gone.push(source);
  }
  if (gone.length > 0) await collection.remove(gone);
  return gone.length;
}
