import { runtime } from "#runtime";
import { chunksOfFile, IJepaError, linesOf, type BulkFailure, type BulkProgress } from "../index.js";
import type { Collection, IndexReport } from "../collections/index.js";
import type { QueueIndexReport } from "../queue/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, modelOptions, type Command, type Settings } from "./args.js";
import { LAYERS, shareOf, textOf, wordOf } from "./collection-options.js";
import { reportFailure, UsageError } from "./exit.js";
import { imagesBelow } from "./folder-images.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { countOf } from "./text.js";

export const index: Command = {
  name: "index",
  usage: "IMAGE|FOLDER...|--from-file LIST --collection DIR [options]",
  summary: "Add the new images of files and folders to a collection",
  options: ["collection", "queue", "audit", "from-file", "layers", "tokens", "prune", ...SOURCE_OPTIONS, "dtype", "device", "threads", "revectorize", "decode-threads", "decode-timeout", "max-pixels", "json", "help"],
  optionHelp: { "from-file": "also images named by the lines of a file, - for standard input: paths or URLs" },
  images: [1, Infinity],
  notes: [
    "Folders are searched recursively for JPEG, PNG and WebP files. Images that cannot be read are reported on stderr, recorded in failures.jsonl and skipped; the exit code is that of the first one. Files whose size and time have not changed are not read again, and copies are not encoded again.",
    "Results are saved along the way: after Ctrl-C or a crash, run the same command again to resume. The root digest printed at the end is the same whatever the order, the interruptions, the device and the number of threads.",
    "A collection has one model, --dtype, --layers and --tokens; any other combination is refused. --threads defaults to auto here.",
    "With --queue, workers (\"ijepa worker\") that see the same paths compute the images; this command creates jobs and collects the results. After a kill, run it again to resume.",
  ],
  run: runIndex,
};

async function runIndex(settings: Settings, host: CliHost): Promise<number> {
  const { images, fromFile, json, given, maxPixels, decodeThreads, decodeTimeout } = settings, folder = textOf(given, "collection"), { signal } = host;
  const layers = wordOf(given, "layers", LAYERS);
  if (folder === undefined) throw new UsageError('"ijepa index" needs --collection DIR. See "ijepa index --help".');
  const { Collection, DecodePool, FeatureEncoder, indexImages } = await import("../collections/index.js");
  const url = textOf(given, "queue"), audit = shareOf(given, "audit");
  if (audit !== undefined && url === undefined) throw new UsageError("--audit needs --queue.");
  const queue = url === undefined ? undefined : await import("../queue/index.js");
  const broker = await queue?.openBroker(url!);
  const bar = new ProgressBar(host.stderr), started = performance.now();
  const encoder = await FeatureEncoder.open(settings.model, {
    ...modelOptions({ ...settings, threads: settings.threads ?? "auto" }), layers, tokens: given["tokens"] === true, signal, progress_callback: showDownloads(bar),
  });
  const decoders = new DecodePool({ threads: decodeThreads, timeout: decodeTimeout === undefined ? undefined : decodeTimeout * 1000 });
  let exitCode = 0;
  const unread: string[] = [];
  const fail = async (error: IJepaError, file: string): Promise<void> => {
    bar.clear();
    const code = await reportFailure(host, error, { json, file });
    exitCode ||= code;
    unread.push(file);
  };
  try {
    const collection = await Collection.openOrCreate(folder, encoder.encoding, { signal });
    const seen = new Set<string>();
    const sources = async function* (): AsyncGenerator<string> {
      for await (const path of imagesBelow(images, fail)) {
        if (given["prune"] === true) seen.add(path);
        yield path;
      }
      if (fromFile === undefined) return;
      for await (const line of linesOf(fromFile === "-" ? host.stdinChunks() : chunksOfFile(fromFile))) if (line.trim() !== "") yield line;
    };
    const onProgress = ({ done, rate, failed, source }: BulkProgress, workers = "") => bar.count(done, `${rate.toFixed(1)} a second${failed > 0 ? `, ${failed} failed` : ""}${workers}, ${source}`);
    const onFailure = ({ code, message, source }: BulkFailure) => fail(new IJepaError(code === "unexpected" ? "io/read" : code, message, { path: source }), source);
    const report = queue === undefined || broker === undefined
      ? await indexImages(collection, encoder, sources(), { signal, decoders, maxPixels, onProgress, onFailure })
      : await queue.indexThroughQueue(collection, broker, sources(), {
          signal,
          owner: await queue.ownerOf((await runtime.files?.realPath(folder)) ?? folder),
          audit,
          recompute: (job) => queue.runJob(encoder, job, { name: "index", signal, decoders, maxPixels }),
          onMismatch: async (mismatch) => {
            bar.clear();
            await reportFailure(host, queue.mismatchError(mismatch), { json, file: mismatch.source });
          },
          onProgress: (progress) => onProgress(progress, `, ${countOf(progress.workers, "worker")}`),
          onFailure,
        });
    bar.clear();
    const removed = given["prune"] === true ? await prune(collection, images, seen, unread) : 0;
    const { places, images: count } = collection.size, root = await collection.rootDigest(), seconds = (performance.now() - started) / 1000;
    const document = { collection: folder, ...report, removed, places, images: count, root, seconds: Number(seconds.toFixed(3)) };
    const { added, copies, unchanged, failed } = report;
    const audited = audit !== undefined && isAudited(report) ? `${countOf(report.audited, "image")} audited, ${countOf(report.mismatches.length, "worker")} wrong, ${report.recomputed} computed again\n` : "";
    const text = `${folder}: ${added} added, ${copies} copies, ${unchanged} unchanged, ${failed} failed${removed > 0 ? `, ${removed} gone` : ""}; ${count} images at ${places} places\n${audited}root digest ${root}\n`;
    await host.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : text);
    await collection.close();
    return exitCode;
  } finally {
    bar.clear();
    await broker?.close();
    await decoders.close();
    await encoder.dispose();
  }
}

function isAudited(report: IndexReport): report is QueueIndexReport {
  return "audited" in report;
}

/** Forgets places below the folders given that were not seen. What is below something that could not be read may still be there. */
async function prune(collection: Collection, folders: readonly string[], seen: ReadonlySet<string>, unread: readonly string[]): Promise<number> {
  const insideOf = (folder: string): string => `${folder.replace(/[/\\]+$/, "")}/`, below = folders.map(insideOf), hidden = unread.map(insideOf), gone: string[] = [];
  for (const { part, row } of collection.live.rows()) {
    const source = collection.live.parts[part].source(row);
    if (!seen.has(source) && below.some((folder) => source.startsWith(folder)) && !hidden.some((folder) => source.startsWith(folder))) gone.push(source);
  }
  if (gone.length > 0) await collection.remove(gone);
  return gone.length;
}
