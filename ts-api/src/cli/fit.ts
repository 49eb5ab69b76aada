/** `ijepa fit`: a collection and labels in, a classifier and its accuracy out. */
import { runtime } from "#runtime";
import { IJepaError, IJepaForImageClassification, loadImage, type ModelSource } from "../index.js";
import type { ClassifierReport, Collection, FeatureEncoder, Labels } from "../collections/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { modelOptions, SOURCE_OPTIONS, type Command, type Settings } from "./args.js";
import { openEncoderOf } from "./collection-encoder.js";
import { numberOf, textOf, wholeOf, wordOf } from "./collection-options.js";
import { reportFailure, UsageError } from "./exit.js";
import { ProgressBar } from "./progress.js";
import { countOf, formatTable, printable } from "./text.js";

/** Tables with more classes are for the page and for --json. */
const MOST_CLASSES = 20;

export const fit: Command = {
  name: "fit",
  usage: "COLLECTION --labels folders|FILE --out DIR [options]",
  summary: "Train a classifier on the labelled images of a collection, and evaluate it on held-out images",
  options: ["labels", "out", "full", "strength", "seed", "hold-out", "views", "html", "encoder", ...SOURCE_OPTIONS.filter((name) => name !== "model"), "device", "threads", "revectorize", "json", "help"],
  optionHelp: { out: "folder to create for the classifier" },
  optionValues: { out: "DIR" },
  images: [1, 1],
  notes: [
    "The classifier is a linear layer on the pooled features, trained to convergence in double precision. The same images and labels give the same bits on every machine. Two baselines without training, class means and nearest neighbours, are evaluated as well.",
    "The output is a folder in Hugging Face's layout with the layer and a reference to its encoder; --full adds the encoder itself. \"ijepa classify\", \"ijepa serve\" and the image-classification pipeline load it.",
    "The first line of the CSV file names its columns, source and label; every other line labels one image. The report counts labels without an image and images without a label.",
  ],
  run: runFit,
};

async function runFit(settings: Settings, host: CliHost): Promise<number> {
  const { images: [folder], out, json, given } = settings, { signal } = host, bar = new ProgressBar(host.stderr);
  const labelsFrom = textOf(given, "labels"), C = numberOf(given, "strength", 1e-9, 1e9), html = textOf(given, "html");
  const seed = wholeOf(given, "seed", 0, Number.MAX_SAFE_INTEGER), holdOut = numberOf(given, "hold-out", 0, 0.9), flips = wordOf(given, "views", ["flip"]);
  if (labelsFrom === undefined) throw new UsageError('"ijepa fit" needs --labels folders or a CSV file. See "ijepa fit --help".');
  if (out === undefined) throw new UsageError('"ijepa fit" needs --out DIR. See "ijepa fit --help".');
  if (holdOut === 0 && C === undefined) throw new UsageError("With --hold-out 0 no images are left to choose the strength by: set --strength.");
  if (html !== undefined) await host.checkWritable(html);
  const tools = await import("../collections/index.js");
  const collection = await tools.Collection.open(folder, { signal });
  const table = labelsFrom === "folders" ? undefined : await readLabels(labelsFrom), labels: Labels = table === undefined ? tools.folderLabels : tools.tableLabels(table);
  const unused = table === undefined ? [] : sourcesWithoutImages(collection, table, tools.samePlace);
  if (table !== undefined && table.size > 0 && unused.length === table.size) throw noneLabelled(labelsFrom, collection, unused[0]);
  const encoder = await openEncoderOf(collection, settings, signal);
  let exitCode = 0;
  const views = async (source: string): Promise<Float32Array[]> => {
    try {
      return [(await encoder.embedLoaded(tools.mirrored(await loadImage(source, { signal })), signal)).feature];
    } catch (error) {
      if (!(error instanceof IJepaError) || error.code === "aborted") throw error;
      const code = await reportFailure(host, error, { json, file: source });
      exitCode ||= code;
      return [];
    }
  };
  try {
    const result = await tools.fitClassifier(collection, {
      labels, seed, holdOut, C, signal, views: flips === undefined ? undefined : views, onProgress: (done, total) => bar.show(done, total, "fits"),
    });
    bar.clear();
    const files = await tools.classifierFiles(result, collection, encoder);
    if (given["full"] === true) await saveFull(tools.filesAsModel("the classifier", files), files, out, settings, encoder);
    else await saveFiles(files, out);
    const report = { ...result.report, labelsWithoutImages: unused.length };
    if (html !== undefined) await runtime.writeFile(html, new TextEncoder().encode(await tools.fitPage(out, result, { signal })));
    await host.stdout.write(json ? `${JSON.stringify({ out, ...report }, null, 2)}\n` : toText(out, result.report, unused));
    return exitCode;
  } finally {
    bar.clear();
    await encoder.dispose();
    await collection.close();
  }
}

async function saveFiles(files: ReadonlyMap<string, Uint8Array>, out: string): Promise<void> {
  const folder = await runtime.createFolder!(out);
  try {
    for (const [name, bytes] of files) {
      const file = await folder.createFile(name);
      await file.write(bytes, 0);
      await file.close();
    }
    await folder.commit();
  } catch (error) {
    await folder.discard();
    throw error;
  }
}

async function saveFull(head: ModelSource, files: ReadonlyMap<string, Uint8Array>, out: string, settings: Settings, { encoding }: FeatureEncoder): Promise<void> {
  if (encoding.layers === "last4") throw new UsageError("--full needs a collection with --layers last: Hugging Face's classifier reads one layer.");
  const model = await IJepaForImageClassification.fromPretrained(head, { ...modelOptions(settings), dtype: undefined, encoder: textOf(settings.given, "encoder") });
  try {
    await model.savePretrained(out);
    await runtime.writeFile(`${out.replace(/[/\\]+$/, "")}/fit.json`, files.get("fit.json")!);
  } finally {
    await model.dispose();
  }
}

async function readLabels(path: string): Promise<Map<string, string>> {
  const file = await runtime.openFile(path);
  try {
    const { parseLabels } = await import("../collections/index.js");
    return parseLabels(textIn(await file.read(0, file.size), path), path);
  } finally {
    await file.close();
  }
}

function textIn(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new IJepaError("input/value", `${path} is not text in UTF-8. Save it again as CSV in UTF-8.`, { name: "labels", value: path }, { cause });
  }
}

function sourcesWithoutImages(collection: Collection, table: ReadonlyMap<string, string>, samePlace: (source: string) => string): string[] {
  const places = new Set(placesOf(collection, samePlace));
  return [...table.keys()].filter((source) => !places.has(source));
}

function* placesOf({ live }: Collection, samePlace: (source: string) => string): Generator<string> {
  for (const { part, row } of live.rows()) yield samePlace(live.parts[part].source(row));
}

function noneLabelled(path: string, collection: Collection, source: string): IJepaError {
  const [place] = placesOf(collection, (name) => name), has = place === undefined ? "which is empty" : `whose images are named as in ${JSON.stringify(place)}`;
  return new IJepaError("input/value", `${path} labels no image of ${collection.name}, ${has}; the file names ${JSON.stringify(source)}.`, { name: "labels", value: source });
}

function toText(out: string, report: ClassifierReport, unused: readonly string[]): string {
  const { linear, means, neighbours, C, best, labels, images, unlabelled, unreadable } = report, percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const lines = [`${out}: ${labels.length} classes, ${images} images; strength ${C}`];
  if (linear !== undefined && means !== undefined && neighbours !== undefined) {
    const rows = [["on the held-out part", "top 1", "top 5"], ["linear", percent(linear.top1), percent(linear.top5)], ["class means", percent(means.top1), percent(means.top5)], [`${neighbours.k} neighbours`, percent(neighbours.top1), percent(neighbours.top5)]];
    lines.push("", ...formatTable(rows, [1, 2]), "", `best: ${best}; calibration error of linear ${percent(linear.calibrationError)}`);
    if (labels.length <= MOST_CLASSES) {
      const names = labels.map(({ label }) => printable(label));
      lines.push("", "true class by row, first answer by column:", ...formatTable([["", ...names], ...linear.confusion.map((row, i) => [names[i], ...row.map(String)])], names.map((_, i) => i + 1)));
    }
  }
  if (linear === undefined) lines.push("", "No image was held out, so nothing was measured.");
  if (unlabelled > 0) lines.push("", `${unlabelled} places of the collection have no label.`);
  if (unreadable > 0) lines.push("", `${countOf(unreadable, "image")} could not be read when the collection was made; see failures.jsonl.`);
  if (unused.length > 0) lines.push("", `${unused.length} labels have no image, such as that of ${printable(unused[0])}.`);
  return `${lines.join("\n")}\n`;
}
