/** From a collection to one file of its features, a few rows in memory at a time: for `collection --export` and `embed --out`. */
import { IJepaError } from "../core/errors.js";
import { checkHas, checkText, readOptions, type OptionNames } from "../core/options.js";
import { shorten } from "../core/show.js";
import { npyHeader } from "../weights/npy.js";
import { layoutSafetensors } from "../weights/safetensors/writer.js";
import type { Collection } from "./collection.js";
import { EXPORT_OPTIONS, type ExportOptions } from "./export-databases.js";
import { partStream } from "./parquet.js";
import type { CollectionRow } from "./row.js";

/** Formats of `exportFile`, which are also the endings of its names. */
export const EXPORT_FORMATS = ["parquet", "npy", "jsonl", "safetensors"] as const;
/** A format of `exportFile`. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Options of `exportFile`. */
export interface ExportFileOptions extends ExportOptions {
  /** Which places; default: all. */
  include?: ((source: string) => boolean) | undefined;
}

const INCLUDE = { include: "function" } as const;
const NAMES: OptionNames<ExportFileOptions> = { ...EXPORT_OPTIONS, ...INCLUDE };
/** Rows of a piece. */
const GROUP = 1024;

/** The format that a file name ends in. Throws IJepaError `input/value` for other endings. */
export function exportFormat(name: string): ExportFormat {
  checkText("The name of the file", name);
  const format = EXPORT_FORMATS.find((ending) => name.toLowerCase().endsWith(`.${ending}`));
  if (format !== undefined) return format;
  const endings = EXPORT_FORMATS.map((ending) => `.${ending}`).join(", ");
  throw new IJepaError("input/value", `The features of many images cannot be written to ${JSON.stringify(shorten(name, 500))}; its name must end in ${endings}.`, { name: "out", value: name });
}

/**
 * The bytes of a file; equal collections give equal bytes. Its format goes by the end of its name:
 * - .parquet: the columns of a collection's parts (docs/collections.md);
 * - .npy: [places][width] f32; `exportNames` gives the place of each row;
 * - .jsonl: an object per line, `{ file, id, bytes, modified, width, height, label, dims, embedding, numerics }`; every f32 is exact, and
 * `label` is absent without a label;
 * - .safetensors: one F32 tensor, `features` of [places][width]; `sources`, `ids` and `encoding` in the metadata are JSON.
 *
 * @throws IJepaError `input/value` for another name, at once; then `input/missing` for a collection without places, `collection/damaged`,
 *   `io/read`, `aborted`
 */
export function exportFile(collection: Collection, name: string, options: ExportFileOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
  checkHas("The collection", collection, "a Collection", "encoding", "live");
  return pieces(collection, exportFormat(name), readOptions(options, NAMES, "exportFile"));
}

async function* pieces(collection: Collection, format: ExportFormat, options: ExportFileOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { encoding } = collection, dims = [countOf(collection, options), encoding.width];
  if (dims[0] === 0) throw new IJepaError("input/missing", `${collection.name} has no features to write.`, { name: "features" });
  const encoded = JSON.stringify(encoding);
  if (format === "parquet") {
    yield* partStream(rowsOf(collection, options, true), encoded, encoding.tokens !== null);
    return;
  }
  if (format === "npy") yield npyHeader(dims);
  if (format === "safetensors") {
    const places = placesOf(collection, options), metadata = { encoding: encoded, ids: JSON.stringify(places.map(({ id }) => id)), sources: JSON.stringify(places.map(({ source }) => source)) };
    yield layoutSafetensors(new Map([["features", { dtype: "F32" as const, shape: dims }]]), metadata).header;
  }
  for await (const rows of groupsOf(collection, options)) yield format === "jsonl" ? linesOf(rows, collection) : floatsOf(rows, encoding.width);
}

/** The places of the rows of a .npy file, in its order, as a JSON list. */
export function exportNames(collection: Collection, given: Pick<ExportFileOptions, "include"> = {}): Uint8Array {
  const options = readOptions(given, INCLUDE, "exportNames");
  checkHas("The collection", collection, "a Collection", "encoding", "live");
  return new TextEncoder().encode(`[\n${placesOf(collection, options).map(({ source }) => JSON.stringify(source)).join(",\n")}\n]\n`);
}

function countOf({ live }: Collection, { include = () => true }: ExportFileOptions): number {
  let count = 0;
  for (const { part, row } of live.rows()) if (include(live.parts[part].source(row))) count++;
  return count;
}

function placesOf({ live }: Collection, { include = () => true }: Pick<ExportFileOptions, "include">): { source: string; id: string }[] {
  const places = [...live.rows()].map(({ part, row }) => ({ source: live.parts[part].source(row), id: live.parts[part].id(row) }));
  return places.filter(({ source }) => include(source));
}

async function* rowsOf(collection: Collection, { include = () => true, signal, onProgress }: ExportFileOptions, tokens: boolean): AsyncGenerator<CollectionRow> {
  let done = 0;
  for await (const row of collection.rows({ signal, tokens })) {
    if (!include(row.source)) continue;
    yield row;
    onProgress?.(++done);
  }
}

async function* groupsOf(collection: Collection, options: ExportFileOptions): AsyncGenerator<CollectionRow[]> {
  let group: CollectionRow[] = [];
  for await (const row of rowsOf(collection, options, false)) {
    group.push(row);
    if (group.length < GROUP) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function floatsOf(rows: readonly CollectionRow[], width: number): Uint8Array {
  const floats = new Float32Array(rows.length * width);
  rows.forEach(({ feature }, i) => floats.set(feature, i * width));
  return new Uint8Array(floats.buffer);
}

function linesOf(rows: readonly CollectionRow[], { encoding: { numerics: version, dtype } }: Collection): Uint8Array {
  const lines = rows.map(({ source: file, id, bytes, modified, width, height, label, feature, digest }) => {
    const fields = { file, id, bytes, modified, width, height, label: label ?? undefined, dims: [feature.length], embedding: Array.from(feature), numerics: { version, dtype, digest } };
    return `${JSON.stringify(fields)}\n`;
  });
  return new TextEncoder().encode(lines.join(""));
}
