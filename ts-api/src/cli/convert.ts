import { convertModel, type ConvertReport } from "../../../weights-tools/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { Command, Settings } from "./args.js";
import { ProgressBar } from "./progress.js";
import { formatBytes, printable } from "./text.js";

export const convert: Command = {
  name: "convert",
  usage: "SOURCE TARGET [options]",
  summary: "Pack a model into a folder of safetensors that loads without computing, and in parts if asked",
  options: ["dtype", "group-size", "shard-size", "threads", "json", "help"],
  images: [0, 0],
  models: 2,
  notes: [
    "SOURCE is a MODEL; TARGET is a folder that is not there yet, or is empty. It appears when everything is written, and not at all " +
      "on failure. Without --dtype the matrices become int4, or stay what they are where they are in four bits; packed files keep their format and can be cut into other shards. The bits " +
      "of the features are those of SOURCE loaded with the same --dtype.",
    "Configuration, licence and model card come along; the licence and the SHA-256 of each layer and of SOURCE are also in the files.",
  ],
  run: runConvert,
};

async function runConvert({ models: [source, target], dtype, groupSize, shardSize, threads, json }: Settings, host: CliHost): Promise<number> {
  const bar = new ProgressBar(host.stderr);
  try {
    const report = await convertModel(source, target, {
      dtype,
      groupSize,
      threads,
      shardSize,
      signal: host.signal,
      onProgress: ({ tensors, totalTensors, bytes, totalBytes }) =>
        bar.show(tensors, totalTensors, `tensors, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`),
    });
    bar.clear();
    await host.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : toText(report, target));
    return 0;
  } finally {
    bar.clear();
  }
}

function toText({ dtype, files, bytes, sourceBytes }: ConvertReport, target: string): string {
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  return `${printable(target)}: ${dtype}, ${count}, ${formatBytes(bytes)} from ${formatBytes(sourceBytes)}\n`;
}
