/** `ijepa search`: a collection and an image in, the most similar images out. */
import { runtime } from "#runtime";
import { IJepaError } from "../index.js";
import type { Collection, SearchQuery, SearchResult } from "../collections/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, type Command, type Settings } from "./args.js";
import { openEncoderOf } from "./collection-encoder.js";
import { textOf, wholeOf } from "./collection-options.js";
import { UsageError } from "./exit.js";
import { readImage } from "./read-image.js";
import { formatTable, printable } from "./text.js";

const MOST_RESULTS = 1_000_000;

export const search: Command = {
  name: "search",
  usage: "COLLECTION IMAGE|ID [options]",
  summary: "Find the images of a collection that are most similar to a query",
  options: ["results", "patch", "html", "encoder", ...SOURCE_OPTIONS.filter((name) => name !== "model"), "device", "threads", "revectorize", "max-pixels", "timeout", "json", "help"],
  optionHelp: { patch: "column and row of a patch of the query, counted from 0 at the top left" },
  images: [2, 2],
  notes: [
    "The query is the path or URL of an image, or the id (SHA-256 of the file) of an image in the collection, or its first digits, which needs no model. The search is exact. Scores are cosine similarities; equal scores are ordered by id.",
    "--patch finds the patches of all images that are most similar to one patch of the query. The collection must have been made with --tokens.",
  ],
  run: runSearch,
};

async function runSearch(settings: Settings, host: CliHost): Promise<number> {
  const { images: [folder, asked], patch, json, given } = settings, { signal } = host, k = wholeOf(given, "results", 1, MOST_RESULTS) ?? 10, html = textOf(given, "html");
  if (html !== undefined) await host.checkWritable(html);
  const { Collection, searchPage } = await import("../collections/index.js");
  const collection = await Collection.open(folder, { signal }), id = await idOf(asked, collection);
  const { tokens } = collection.encoding;
  if (patch !== undefined && tokens === null) throw new IJepaError("input/value", `${folder} has no features of patches. Make it with "ijepa index --tokens".`, { name: "patch", value: patch });
  const query: SearchQuery = id === undefined ? await featureOf(collection, settings, host) : { id };
  const results = await collection.search(query, { k, patches: patch !== undefined, patch, signal }).finally(() => collection.close());
  if (html !== undefined) await runtime.writeFile(html, new TextEncoder().encode(await searchPage(id ?? asked, results, { signal, patch, grid: tokens ?? undefined })));
  await host.stdout.write(json ? `${JSON.stringify({ collection: folder, query: asked, patch, results }, null, 2)}\n` : toTable(results));
  return 0;
}

/** The id that the user named, by its first digits or more; undefined if that names a file. */
async function idOf(asked: string, { live, name }: Collection): Promise<string | undefined> {
  const digits = /^(?:sha256:)?([0-9a-f]{8,64})$/i.exec(asked)?.[1].toLowerCase();
  if (digits === undefined || digits.length === 64) return digits;
  if ((await runtime.files!.stat(asked)) !== undefined) return undefined;
  const ids = new Set<string>();
  for (const { part, row } of live.rows()) {
    const id = live.parts[part].id(row);
    if (id.startsWith(digits)) ids.add(id);
  }
  if (ids.size > 1) throw new IJepaError("input/value", `${ids.size} images of ${name} have ids that begin with ${digits}. Give more digits.`, { name: "id", value: asked });
  return [...ids][0];
}

/** The feature of the image that the user named, or of one of its patches. */
async function featureOf(collection: Collection, settings: Settings, host: CliHost): Promise<Float32Array> {
  const { images: [, file], patch } = settings, { tokens: grid, width } = collection.encoding, { signal } = host;
  const encoder = await openEncoderOf(collection, settings, signal);
  const { feature, tokens } = await readImage(file, settings, host).then((image) => encoder.embedLoaded(image, signal)).finally(() => encoder.dispose());
  if (patch === undefined) return feature;
  const [column, row] = patch, [rows, columns] = grid!;
  if (column >= columns || row >= rows) throw new UsageError(`--patch must be a column below ${columns} and a row below ${rows}, not ${patch.join()}.`);
  const from = (row * columns + column) * width;
  return tokens!.slice(from, from + width);
}

function toTable(results: readonly SearchResult[]): string {
  const rows = results.map(({ score, sources: [source, ...copies], width, height, patch, id }) => [
    score.toFixed(6), printable(source), ...(patch === undefined ? [] : [patch.join()]), `${width}x${height}`, copies.length === 0 ? "" : `+${copies.length}`, id.slice(0, 16),
  ]);
  const headings = ["score", "image", ...(results[0]?.patch === undefined ? [] : ["patch"]), "size", "copies", "id"];
  return `${formatTable([headings, ...rows], [0, headings.length - 3]).join("\n")}\n`;
}
