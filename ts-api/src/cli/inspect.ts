/** `ijepa inspect`: a model in, a description of its files, memory and operations out. */
import { inspectModel, type InspectReport } from "../../../weights-tools/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { HUB_OPTIONS, sourceOptions, type Command, type Settings } from "./args.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { countOf, formatBytes, formatTable, printable } from "./text.js";

export const inspect: Command = {
  name: "inspect",
  usage: "MODEL [options]",
  summary: "Describe the files of a model, and estimate its memory and operations",
  options: ["dtype", "group-size", "image-size", "source", "tensors", ...HUB_OPTIONS, "json", "help"],
  images: [0, 0],
  models: 1,
  notes: [
    "Estimates are for one image in the format of --dtype. Memory covers weights and buffers, once with all layers loaded and once with two of them, as a streamed model has: the one that computes and the next. A multiply-add counts as two operations.",
    "--source reports, for each layer, the relative error of its matrices and the signal-to-noise ratio of all of them. The Hub options apply to both models.",
  ],
  run: runInspect,
};

async function runInspect(settings: Settings, host: CliHost): Promise<number> {
  const { models: [model], dtype, groupSize, imageSize, source, tensors, json } = settings, bar = new ProgressBar(host.stderr);
  const from = { ...sourceOptions(settings), progress_callback: showDownloads(bar), signal: host.signal };
  const report = await inspectModel(model, { ...from, dtype, groupSize, imageSize, source }).finally(() => bar.clear());
  await host.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : toText(report, tensors));
  return 0;
}

function toText({ tensors, packed, bytes, parameters, dtype, bitsPerWeight, imageSize, estimate, layers }: InspectReport, listed: boolean): string {
  const rows = tensors.map(({ name, dtype: stored, shape, bytes: size }) => [printable(name), stored, shape.join("x"), formatBytes(size)]);
  const facts = [
    ["files", packed === undefined ? "a checkpoint" : packedAs(packed)],
    ["tensors", `${tensors.length}, ${formatBytes(bytes)}`],
    ["parameters", `${(parameters / 1e6).toFixed(1)} million`],
    ["weights of the layers", `${bitsPerWeight.toFixed(3)} bits each as ${dtype}`],
    ["one image", `${imageSize.join("x")}, ${estimate.tokens} tokens, ${(estimate.flop / 1e9).toFixed(2)} GFLOP`],
    ["memory", `${formatBytes(estimate.resident)} resident, ${formatBytes(estimate.streamed)} streamed`],
  ];
  const errors = layers?.map(({ layer, sqnr, ...matrices }) => [String(layer + 1), ...Object.values(matrices).map((error) => error.toFixed(4)), sqnr.toFixed(2)]);
  const lines = formatTable(facts, []);
  if (listed) lines.push("", ...formatTable([["tensor", "dtype", "shape", "size"], ...rows], [2, 3]));
  if (errors !== undefined) lines.push("", ...formatTable([["layer", "qkv", "projection", "up", "down", "SQNR dB"], ...errors], [0, 1, 2, 3, 4, 5]));
  return `${lines.join("\n")}\n`;
}

function packedAs({ dtype, groupSize, calibration }: NonNullable<InspectReport["packed"]>): string {
  const group = groupSize === undefined ? "" : `, groups of ${groupSize}`;
  return `packed as ${dtype}${group}${calibration === undefined ? "" : `, calibrated with ${countOf(calibration.images, "image")}`}`;
}
