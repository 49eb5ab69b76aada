import { isIJepaError, pipeline, type Classification } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { modelOptions, SOURCE_OPTIONS, type Command, type Settings } from "./args.js";
import { textOf, wholeOf } from "./collection-options.js";
import { reportFailure } from "./exit.js";
import { formatTable, printable } from "./text.js";

const MOST_LABELS = 100_000;

export const classify: Command = {
  name: "classify",
  usage: "IMAGE... --model DIR [options]",
  summary: "Print the most likely labels of images",
  options: ["top-k", ...SOURCE_OPTIONS, "encoder", "dtype", "device", "threads", "revectorize", "max-pixels", "json", "help"],
  optionHelp: {
    model: "folder or URL of the classifier, or a Hub model as OWNER/NAME",
    encoder: "encoder to use: a folder, a URL or a Hub model (default: the one that the classifier names)",
  },
  images: [1, Infinity],
  notes: [
    "The model is a classifier made by \"ijepa fit\", or any I-JEPA checkpoint with a classification head.",
    "Images that cannot be read are reported on stderr and skipped; the exit code is that of the first one.",
  ],
  run: runClassify,
};

async function runClassify(settings: Settings, host: CliHost): Promise<number> {
  const { images, model, json, maxPixels, given } = settings, { signal } = host, top = wholeOf(given, "top-k", 1, MOST_LABELS) ?? 5;
  const run = await pipeline("image-classification", model, { ...modelOptions(settings), signal, encoder: textOf(given, "encoder") });
  const results: { file: string; labels: Classification[] }[] = [];
  let exitCode = 0;
  try {
    for (const file of images) {
      try {
        const image = file === "-" ? await host.readStdin() : file;
        results.push({ file, labels: await run(image, { top_k: top, signal, maxPixels }) });
      } catch (error) {
        if (!isIJepaError(error) || error.code === "aborted") throw error;
        exitCode ||= await reportFailure(host, error, { json, file });
      }
    }
  } finally {
    await run.dispose();
  }
  if (results.length === 0) return exitCode;
  const rows = results.flatMap(({ file, labels }) => labels.map(({ label, score }, i) => [i === 0 ? printable(file) : "", score.toFixed(4), printable(label)]));
  await host.stdout.write(json ? `${JSON.stringify({ images: results }, null, 2)}\n` : `${formatTable([["file", "score", "label"], ...rows], [1]).join("\n")}\n`);
  return exitCode;
}
