import { inspectModel, type InspectReport } from "../../../weights-tools/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { Command, Settings } from "./args.js";
import { formatBytes, formatTable, printable } from "./text.js";

export const inspect: Command = {
  name: "inspect",
  usage: "MODEL [options]",
  summary: "Show what the files of a model hold, and estimate the memory and work that it needs",
  options: ["dtype", "group-size", "image-size", "source", "json", "help"],
  images: [0, 0],
  models: 1,
  notes: [
    "Estimates are for one image and the format of --dtype. Memory is that of weights and buffers, with all layers resident and with two " +
      "at a time; one multiply and one add are two operations.",
    "With --source, each layer's matrices are compared with the original's: the norm of the difference over the norm, and the signal to " +
      "quantization noise of all of them.",
  ],
  run: runInspect,
};

async function runInspect({ models: [model], dtype, groupSize, imageSize, source, json }: Settings, host: CliHost): Promise<number> {
  const report = await inspectModel(model, { dtype, groupSize, imageSize, source, signal: host.signal });
  await host.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : toText(report));
  return 0;
}

function toText({ tensors, packed, bytes, parameters, dtype, bitsPerWeight, imageSize, estimate, layers }: InspectReport): string {
  const rows = tensors.map(({ name, dtype: stored, shape, bytes: size }) => [printable(name), stored, shape.join("x"), formatBytes(size)]);
  const facts = [
    ["files", packed === undefined ? "a checkpoint" : `packed as ${packed.dtype}${packed.groupSize === undefined ? "" : `, groups of ${packed.groupSize}`}`],
    ["tensors", `${tensors.length}, ${formatBytes(bytes)}`],
    ["parameters", `${(parameters / 1e6).toFixed(1)} million`],
    ["weights of the layers", `${bitsPerWeight.toFixed(3)} bits each as ${dtype}`],
    ["one image", `${imageSize.join("x")}, ${estimate.tokens} tokens, ${(estimate.flop / 1e9).toFixed(2)} GFLOP`],
    ["memory", `${formatBytes(estimate.resident)} resident, ${formatBytes(estimate.streamed)} streamed`],
  ];
  const errors = layers?.map(({ layer, sqnr, ...matrices }) => [String(layer), ...Object.values(matrices).map((error) => error.toFixed(4)), sqnr.toFixed(2)]);
  const lines = [...formatTable([["tensor", "dtype", "shape", "size"], ...rows], [2, 3]), "", ...formatTable(facts, [])];
  if (errors !== undefined) lines.push("", ...formatTable([["layer", "qkv", "projection", "up", "down", "SQNR dB"], ...errors], [0, 1, 2, 3, 4, 5]));
  return `${lines.join("\n")}\n`;
}
