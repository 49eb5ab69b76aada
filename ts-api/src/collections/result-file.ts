/** The result of `ijepa embed`: the rows of a collection as one file, in pieces, so that some of them are in memory at a time. */
import { IJepaError } from "../core/errors.js";
import { npyHeader } from "../weights/npy.js";
import { layoutSafetensors } from "../weights/safetensors/writer.js";
import type { Collection } from "./collection.js";
import { partStream } from "./parquet.js";
import type { CollectionRow } from "./row.js";

export const RESULT_FORMATS = ["parquet", "npy", "jsonl", "safetensors"] as const;
export type ResultFormat = (typeof RESULT_FORMATS)[number];

export interface ResultOptions {
  /** Which places; default: all. */
  include?: ((source: string) => boolean) | undefined;
  signal?: AbortSignal | undefined;
}

/** Rows of a piece. */
const GROUP = 1024;

/**
 * Equal collections give equal bytes:
 * - parquet: the columns of a collection's parts (docs/collections.md);
 * - npy: [places][width] f32; `resultNames` says which place each row is;
 * - jsonl: an object per line, `{ file, id, bytes, modified, width, height, dims, embedding, numerics }`; every f32 is exact;
 * - safetensors: one F32 tensor, `features` of [places][width]; `sources`, `ids` and `encoding` in the metadata are JSON.
 *
 * @throws IJepaError `input/missing` for a collection without places, `io/read`, `aborted`
 */
export async function* resultFile(collection: Collection, format: ResultFormat, options: ResultOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
  const places = placesOf(collection, options), { encoding } = collection, dims = [places.length, encoding.width];
  if (places.length === 0) throw new IJepaError("input/missing", `${collection.name} has no features to write.`, { name: "features" });
  const encoded = JSON.stringify(encoding);
  if (format === "parquet") {
    yield* partStream(rowsOf(collection, options), encoded, false);
    return;
  }
  if (format === "npy") yield npyHeader(dims);
  if (format === "safetensors") {
    const metadata = { encoding: encoded, ids: JSON.stringify(places.map(({ id }) => id)), sources: JSON.stringify(places.map(({ source }) => source)) };
    yield layoutSafetensors(new Map([["features", { dtype: "F32" as const, shape: dims }]]), metadata).header;
  }
  for await (const rows of groupsOf(collection, options)) yield format === "jsonl" ? linesOf(rows, collection) : floatsOf(rows, encoding.width);
}

/** The places of the rows that `resultFile` writes, in its order, as a JSON list. */
export function resultNames(collection: Collection, options: ResultOptions = {}): Uint8Array {
  return new TextEncoder().encode(`[\n${placesOf(collection, options).map(({ source }) => JSON.stringify(source)).join(",\n")}\n]\n`);
}

function placesOf({ live }: Collection, { include = () => true }: ResultOptions): { source: string; id: string }[] {
  const places = [...live.rows()].map(({ part, row }) => ({ source: live.parts[part].source(row), id: live.parts[part].id(row) }));
  return places.filter(({ source }) => include(source));
}

async function* rowsOf(collection: Collection, { include = () => true, signal }: ResultOptions): AsyncGenerator<CollectionRow> {
  for await (const row of collection.rows({ signal })) if (include(row.source)) yield row;
}

async function* groupsOf(collection: Collection, options: ResultOptions): AsyncGenerator<CollectionRow[]> {
  let group: CollectionRow[] = [];
  for await (const row of rowsOf(collection, options)) {
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
  const lines = rows.map(({ source: file, id, bytes, modified, width, height, feature, digest }) => {
    const fields = { file, id, bytes, modified, width, height, dims: [feature.length], embedding: Array.from(feature), numerics: { version, dtype, digest } };
    return `${JSON.stringify(fields)}\n`;
  });
  return new TextEncoder().encode(lines.join(""));
}
