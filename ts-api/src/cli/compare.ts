/** `ijepa compare`: two models and some images in, the distance between their features out. */
import { compareModels, type CompareReport } from "../../../weights-tools/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { HUB_OPTIONS, sourceOptions, type Command, type Settings } from "./args.js";
import { UsageError } from "./exit.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { formatTable } from "./text.js";

export const compare: Command = {
  name: "compare",
  usage: "A B --image IMAGE [options]",
  summary: "Measure how far model B is from model A, layer by layer and token by token",
  options: ["image", "dtype", ...HUB_OPTIONS, "device", "threads", "revectorize", "json", "help"],
  optionHelp: { image: "path or URL of an image to compare on (required; can be repeated)" },
  images: [0, 0],
  models: 2,
  notes: [
    "A is the reference. It runs in fp32, or in its own format if it is packed or stored in 4 bits. --dtype sets the format of B. A and B may be the same model. The Hub options apply to both.",
    "The report gives the signal-to-noise ratio of every layer's hidden states (SQNR, in dB) and the cosine similarities of the output, per token and pooled.",
  ],
  run: runCompare,
};

async function runCompare(settings: Settings, host: CliHost): Promise<number> {
  const { models: [a, b], imageOptions, dtype, device, threads = "auto", revectorize, json } = settings, bar = new ProgressBar(host.stderr);
  if (imageOptions.length === 0) throw new UsageError(`"ijepa compare" needs --image. See "ijepa compare --help".`);
  const report = await compareModels(a, b, imageOptions, {
    ...sourceOptions(settings),
    progress_callback: showDownloads(bar),
    dtypeB: dtype,
    signal: host.signal,
    device,
    threads,
    revectorize,
  }).finally(() => bar.clear());
  await host.stdout.write(json ? toJson(report) : toText(report));
  return 0;
}

/** JSON has no infinity: null where nothing differs. */
function toJson(report: CompareReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

function toText({ a, b, images, sqnr, tokens, pooled }: CompareReport): string {
  const states = sqnr.map((value, i) => [i === 0 ? "embedding" : i === sqnr.length - 1 ? "output" : `layer ${i}`, value === Infinity ? "same" : value.toFixed(2)]);
  const cosines = [
    ["tokens", tokens.mean, tokens.percentile1, tokens.minimum],
    ["pooled", pooled.mean, undefined, pooled.minimum],
  ].map((row) => row.map((cell) => (typeof cell === "number" ? cell.toFixed(6) : (cell ?? ""))));
  const lines = [
    `${b.dtype} beside ${a.dtype}, ${images === 1 ? "1 image" : `${images} images`}`,
    "",
    ...formatTable([["hidden state", "SQNR dB"], ...states], [1]),
    "",
    ...formatTable([["cosine", "mean", "1st percentile", "minimum"], ...cosines], [1, 2, 3]),
  ];
  return `${lines.join("\n")}\n`;
}
