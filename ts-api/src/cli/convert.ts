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
  summary: "Pack a model into a folder of safetensors that loads without computing, and in parts if asked",
  options: ["dtype", "group-size", "calibrate", "shard-size", ...HUB_OPTIONS, "threads", "revectorize", "json", "help"],
  optionHelp: { dtype: "format of the matrices (default: int4; of packed files and of nf4 or fp4 checkpoints their own)" },
  images: [0, 0],
  models: 2,
  notes: [
    "SOURCE is a MODEL; TARGET is a folder that is not there yet, or is empty. It appears when everything is written, and not at all " +
      "on failure. Without --dtype the matrices become int4, or stay what they are where they are in four bits; packed files keep their format and can be cut into other shards. The bits " +
      "of the features are those of SOURCE loaded with the same --dtype.",
    "--calibrate takes the PNG, JPEG and WebP files of the folder itself, in order of their names, and of more than 32 some at equal distances; " +
      "files that are no image are named on stderr and left out. How many there were and their SHA-256 are written into the files.",
    "Configuration, licence and model card come along; the licence and the SHA-256 of each layer and of SOURCE are also in the files.",
  ],
  run: runConvert,
};

async function runConvert(settings: Settings, host: CliHost): Promise<number> {
  const { models: [source, target], dtype, groupSize, calibrate, shardSize, threads, revectorize, json } = settings, bar = new ProgressBar(host.stderr);
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
