/** `ijepa convert`: a checkpoint in, a folder of packed files out. */
import { convertModel, type ConvertReport } from "../../../weights-tools/index.js";
import { isIJepaError } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { HUB_OPTIONS, sourceOptions, type Command, type Settings } from "./args.js";
import { UsageError } from "./exit.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { countOf, formatBytes, printable } from "./text.js";

export const convert: Command = {
  name: "convert",
  usage: "SOURCE TARGET [options]",
  summary: "Pack a model into files that load fast, in one file or in shards",
  options: ["dtype", "group-size", "calibrate", "shard-size", ...HUB_OPTIONS, "threads", "revectorize", "json", "help"],
  optionHelp: { dtype: "format of the matrices (default: int4; packed, nf4 and fp4 checkpoints keep their format)" },
  images: [0, 0],
  models: 2,
  notes: [
    "TARGET must be an empty folder, or not exist. It appears once everything is written, so a failure leaves nothing behind.",
    "The result has the same bits as loading SOURCE with the same --dtype. Packed files keep their format; convert can split them into other shards.",
    "--calibrate uses the PNG, JPEG and WebP files directly inside the folder, at most 32 of them, evenly spaced in name order. Files that are not images are reported on stderr and skipped. The number of images and their SHA-256 are recorded in the files.",
    "The configuration, licence and model card are copied. The files also record the licence and the SHA-256 of SOURCE and of each layer.",
  ],
  run: runConvert,
};

async function runConvert(settings: Settings, host: CliHost): Promise<number> {
  const { models: [source, target], dtype, groupSize, calibrate, shardSize, threads = "auto", revectorize, json } = settings, bar = new ProgressBar(host.stderr);
  try {
    const report = await convertModel(source, target, {
      ...sourceOptions(settings),
      progress_callback: showDownloads(bar),
      dtype,
      groupSize,
      threads,
      revectorize,
      calibrate,
      shardSize,
      signal: host.signal,
      onProgress: ({ tensors, totalTensors, bytes, totalBytes }) =>
        bar.show(tensors, totalTensors, `tensors, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`),
    });
    bar.clear();
    for (const reason of report.calibration?.leftOut ?? []) await host.stderr.write(`ijepa: left out: ${printable(reason)}\n`);
    await host.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : toText(report, target));
    return 0;
  } catch (error) {
    throw isIJepaError(error, "input/value") && error.details.name === "calibrate" ? new UsageError(error.message) : error;
  } finally {
    bar.clear();
  }
}

function toText({ dtype, files, bytes, sourceBytes, calibration }: ConvertReport, target: string): string {
  const calibrated = calibration === undefined ? "" : `, calibrated with ${countOf(calibration.images, "image")}`;
  return `${printable(target)}: ${dtype}${calibrated}, ${countOf(files.length, "file")}, ${formatBytes(bytes)} from ${formatBytes(sourceBytes)}\n`;
}
