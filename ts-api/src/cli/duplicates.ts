/** `ijepa duplicates`: a collection in, groups of images that are alike out. */
import { runtime } from "#runtime";
import type { DuplicateGroup } from "../collections/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { Command, Settings } from "./args.js";
import { numberOf, textOf } from "./collection-options.js";
import { ProgressBar } from "./progress.js";
import { countOf, printable } from "./text.js";

export const duplicates: Command = {
  name: "duplicates",
  usage: "COLLECTION [options]",
  summary: "Find exact and near duplicates in a collection",
  options: ["threshold", "html", "json", "help"],
  images: [1, 1],
  notes: [
    "Every pair is compared exactly. Images that are linked by pairs above the threshold form a group; so do copies of one file at several paths.",
  ],
  run: runDuplicates,
};

async function runDuplicates({ images: [folder], json, given }: Settings, host: CliHost): Promise<number> {
  const threshold = numberOf(given, "threshold", -1, 1), html = textOf(given, "html"), bar = new ProgressBar(host.stderr), { signal } = host;
  if (html !== undefined) await host.checkWritable(html);
  const { Collection, duplicatesPage } = await import("../collections/index.js");
  const collection = await Collection.open(folder, { signal });
  const groups = await collection.duplicates({ threshold, signal, onProgress: (done, total) => bar.show(done, total, "compared") }).finally(async () => {
    bar.clear();
    await collection.close();
  });
  if (html !== undefined) await runtime.writeFile(html, new TextEncoder().encode(await duplicatesPage(folder, groups, { signal })));
  await host.stdout.write(json ? `${JSON.stringify({ collection: folder, groups }, null, 2)}\n` : toText(groups));
  return 0;
}

function toText(groups: readonly DuplicateGroup[]): string {
  const lines = groups.flatMap(({ images, closest, farthest }) => {
    const scores = images.length === 1 ? "one file" : closest === farthest ? closest.toFixed(6) : `${farthest.toFixed(6)} to ${closest.toFixed(6)}`;
    return [scores, ...images.flatMap(({ sources, width, height }) => sources.map((source) => `  ${printable(source)} (${width}x${height})`)), ""];
  });
  return `${[...lines, countOf(groups.length, "group")].join("\n")}\n`;
}
