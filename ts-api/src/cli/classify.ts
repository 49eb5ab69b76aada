/** `ijepa classify`: images and a model with a head in, labels with their scores out. */
import { classifyImages, pipeline, type BulkLabels } from "../index.js";
import type { CliHost, TextOutput } from "../runtime/cli-host.js";
import { modelOptions, SOURCE_OPTIONS, type Command, type Settings } from "./args.js";
import { textOf, wholeOf } from "./collection-options.js";
import { report, UsageError } from "./exit.js";
import { checkImages, countOfImages, imagesOf, MANY_OPTIONS, openDecoders } from "./image-sources.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { downloadTime, warnOfDamage } from "./read-image.js";
import { printable } from "./text.js";
import { warnOfUnused } from "./unused-tensors.js";

const MOST_LABELS = 100_000;
/** Width of the column of labels, unless a label is longer. */
const LABEL_COLUMNS = 40;

export const classify: Command = {
  name: "classify",
  usage: "IMAGE|FOLDER|PATTERN... --model DIR [options]",
  summary: "Print the most likely labels of images",
  options: ["top-k", ...MANY_OPTIONS, ...SOURCE_OPTIONS, "encoder", "dtype", "device", "threads", "revectorize", "json", "help"],
  optionHelp: {
    model: "folder or URL of the classifier, or a Hub model as OWNER/NAME",
    encoder: "encoder to use: a folder, a URL or a Hub model (default: the one that the classifier names)",
  },
  images: [1, Infinity],
  notes: [
    "The model is a classifier made by \"ijepa fit\", or any I-JEPA checkpoint with a classification head.",
    "Labels are printed as soon as they are computed, in input order. Images that cannot be read are reported on stderr and skipped; the exit code is that of the first one.",
  ],
  run: runClassify,
};

async function runClassify(settings: Settings, host: CliHost): Promise<number> {
  const { model, json, maxPixels, strict, given } = settings, { signal, stdout } = host, top = wholeOf(given, "top-k", 1, MOST_LABELS) ?? 5;
  if (model === undefined) throw new UsageError('"ijepa classify" needs --model DIR, a classifier made by "ijepa fit". See "ijepa classify --help".');
  await checkImages(settings);
  const bar = new ProgressBar(host.stderr), loading = { ...modelOptions(settings), signal, encoder: textOf(given, "encoder"), progress_callback: showDownloads(bar) };
  const classifier = await pipeline("image-classification", model, loading).finally(() => bar.clear()), decoders = openDecoders(settings);
  let exitCode = 0;
  try {
    await warnOfUnused(classifier.model, host);
    const { id2label = {} } = classifier.model.config.toJSON(), output = json ? new JsonOutput(stdout) : new TableOutput(stdout, Object.values(id2label as object));
    const options = { top_k: top, signal, decoders, maxPixels, strict, timeout: downloadTime(settings), total: countOfImages(settings), onProgress: bar.showBulk.bind(bar) };
    for await (const result of classifyImages(classifier, imagesOf(settings, host), options)) {
      bar.clear();
      if (result.kind === "row") {
        await warnOfDamage(result, host);
        await output.write(result);
      }
      if (result.kind === "failure") {
        const code = await report(host, result, { json, file: result.source });
        exitCode ||= code;
      }
      if (stdout.gone) break;
    }
    bar.clear();
    await output.end();
    return exitCode;
  } finally {
    bar.clear();
    await decoders.close();
    await classifier.dispose();
  }
}

/** Prints one JSON document, image by image; nothing without images. */
class JsonOutput {
  #begun = false;

  constructor(private readonly output: TextOutput) {}

  async write({ source: file, labels, digest, warnings }: BulkLabels): Promise<void> {
    const damage = warnings.length === 0 ? {} : { warnings };
    await this.output.write(`${this.#begun ? "," : '{\n  "images": ['}\n    ${JSON.stringify({ file, labels, digest, ...damage })}`);
    this.#begun = true;
  }

  async end(): Promise<void> {
    if (this.#begun) await this.output.write("\n  ]\n}\n");
  }
}

/** A table whose column widths are known before its first row. */
class TableOutput {
  #begun = false;
  readonly #width: number;

  constructor(private readonly output: TextOutput, labels: readonly unknown[]) {
    this.#width = Math.min(LABEL_COLUMNS, Math.max("label".length, ...labels.map((label) => printable(String(label)).length)));
  }

  async write({ source, labels }: BulkLabels): Promise<void> {
    const lines = labels.map(({ label, score }, i) => `${score.toFixed(4).padStart(6)}  ${printable(label).padEnd(this.#width)}  ${i === 0 ? printable(source) : ""}`.trimEnd());
    const heading = this.#begun ? [] : [` score  ${"label".padEnd(this.#width)}  file`];
    await this.output.write(`${[...heading, ...lines].join("\n")}\n`);
    this.#begun = true;
  }

  async end(): Promise<void> {}
}
