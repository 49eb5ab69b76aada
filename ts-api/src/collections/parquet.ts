/** Parts of a collection as Parquet, which DuckDB, Polars, pandas, Spark and others read. */
import { parquetMetadataAsync, parquetReadObjects, type AsyncBuffer, type SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter, type ColumnSource } from "hyparquet-writer";
import type { ByteSource } from "../runtime/env.js";
import type { CollectionRow } from "./row.js";

/** Rows of a row group: what a writer and a reader have in memory as plain numbers at once. */
const GROUP = 256;
/** About what the columns of a row take beside its numbers, in bytes. */
const ROW_BYTES = 320;
const ENCODING = "ijepa.encoding";
const required = { repetition_type: "REQUIRED" } as const, optional = { repetition_type: "OPTIONAL" } as const;

const PLAIN_COLUMNS: readonly SchemaElement[] = [
  { name: "source", type: "BYTE_ARRAY", converted_type: "UTF8", ...required },
  { name: "id", type: "BYTE_ARRAY", converted_type: "UTF8", ...required },
  { name: "bytes", type: "INT64", ...required },
  { name: "modified", type: "INT64", converted_type: "TIMESTAMP_MILLIS", ...optional },
  { name: "width", type: "INT32", ...required },
  { name: "height", type: "INT32", ...required },
  { name: "label", type: "BYTE_ARRAY", converted_type: "UTF8", ...optional },
  { name: "digest", type: "BYTE_ARRAY", converted_type: "UTF8", ...required },
];

const FACTS = PLAIN_COLUMNS.map(({ name }) => name);

/** A row without its numbers. */
export type RowFacts = Omit<CollectionRow, "feature" | "tokens">;

/**
 * The bytes of a part. Equal rows give equal bytes.
 * @param encoding what the file says of how its features were made
 */
export function encodePart(rows: readonly CollectionRow[], encoding: string): Uint8Array {
  const writer = new ByteWriter(rows.reduce((sum, { feature, tokens }) => sum + ROW_BYTES + feature.byteLength + (tokens?.byteLength ?? 0), ROW_BYTES));
  const file = openFile(writer, encoding, rows.some(({ tokens }) => tokens !== undefined));
  for (let from = 0; from < rows.length; from += GROUP) file.write(rows.slice(from, from + GROUP));
  file.finish();
  return writer.getBytes();
}

/** The same of any number of rows, as they come. */
export async function* partStream(rows: AsyncIterable<CollectionRow>, encoding: string, withTokens: boolean): AsyncGenerator<Uint8Array> {
  const writer = new ByteWriter(), file = openFile(writer, encoding, withTokens);
  const drain = (): Uint8Array => {
    const bytes = new Uint8Array(writer.buffer, 0, writer.index).slice();
    writer.index = 0;
    return bytes;
  };
  let group: CollectionRow[] = [];
  for await (const row of rows) {
    group.push(row);
    if (group.length < GROUP) continue;
    file.write(group);
    group = [];
    yield drain();
  }
  if (group.length > 0) file.write(group);
  file.finish();
  yield drain();
}

function openFile(writer: ByteWriter, encoding: string, withTokens: boolean): { write(rows: readonly CollectionRow[]): void; finish(): void } {
  const lists = withTokens ? ["feature", "tokens"] : ["feature"];
  const schema = [{ name: "root", num_children: PLAIN_COLUMNS.length + lists.length }, ...PLAIN_COLUMNS, ...lists.flatMap(listOfFloats)];
  const file = new ParquetWriter({ writer, schema, codec: "UNCOMPRESSED", statistics: false, createdBy: "ijepa", kvMetadata: [{ key: ENCODING, value: encoding }] });
  return { write: (rows) => void file.write({ columnData: columnsOf(rows, withTokens), rowGroupSize: GROUP }), finish: () => void file.finish() };
}

function columnsOf(rows: readonly CollectionRow[], withTokens: boolean): ColumnSource[] {
  // The writer takes plain arrays only.
  const numbers = [{ name: "feature", data: rows.map(({ feature }) => Array.from(feature)), encoding: "PLAIN" as const }];
  if (withTokens) numbers.push({ name: "tokens", data: rows.map(({ tokens }) => Array.from(tokens ?? [])), encoding: "PLAIN" as const });
  return [
    { name: "source", data: rows.map(({ source }) => source) },
    { name: "id", data: rows.map(({ id }) => id) },
    { name: "bytes", data: rows.map(({ bytes }) => BigInt(bytes)) },
    { name: "modified", data: rows.map(({ modified }) => (modified === null ? null : new Date(modified))) },
    { name: "width", data: rows.map(({ width }) => width) },
    { name: "height", data: rows.map(({ height }) => height) },
    { name: "label", data: rows.map(({ label }) => label ?? null) },
    { name: "digest", data: rows.map(({ digest }) => digest) },
    ...numbers,
  ];
}

function listOfFloats(name: string): SchemaElement[] {
  return [
    { name, converted_type: "LIST", num_children: 1, ...required },
    { name: "list", num_children: 1, repetition_type: "REPEATED" },
    { name: "element", type: "FLOAT", ...required },
  ];
}

/** The rows of a part without their features, and the encoding that the file states. Throws the reader's Error for other files. */
export async function readFacts(source: ByteSource): Promise<{ rows: RowFacts[]; encoding: string | undefined }> {
  const file = asyncBuffer(source), metadata = await parquetMetadataAsync(file);
  const rows = await parquetReadObjects({ file, metadata, columns: FACTS });
  const encoding = metadata.key_value_metadata?.find(({ key }) => key === ENCODING)?.value;
  return { rows: rows.map(factsOf), encoding };
}

/** The rows of a part, a row group at a time. */
export async function* readRows(source: ByteSource, withTokens: boolean): AsyncGenerator<CollectionRow[]> {
  const file = asyncBuffer(source), metadata = await parquetMetadataAsync(file);
  let rowEnd = 0;
  for (const { num_rows: count } of metadata.row_groups) {
    const rowStart = rowEnd;
    rowEnd += Number(count);
    const rows = await parquetReadObjects({ file, metadata, rowStart, rowEnd, ...(withTokens ? {} : { columns: [...FACTS, "feature"] }) });
    yield rows.map((row): CollectionRow => {
      const tokens = row["tokens"] as number[] | undefined;
      return { ...factsOf(row), feature: Float32Array.from(row["feature"] as number[]), tokens: tokens?.length ? Float32Array.from(tokens) : undefined };
    });
  }
}

function factsOf(row: Record<string, unknown>): RowFacts {
  for (const name of ["source", "id", "digest"]) if (typeof row[name] !== "string") throw new Error(`a row has no ${name}`);
  const modified = row["modified"] as Date | null;
  return {
    source: row["source"] as string,
    id: row["id"] as string,
    bytes: Number(row["bytes"]),
    modified: modified === null ? null : modified.getTime(),
    width: row["width"] as number,
    height: row["height"] as number,
    label: row["label"] as string | null,
    digest: row["digest"] as string,
  };
}

function asyncBuffer(source: ByteSource): AsyncBuffer {
  return {
    byteLength: source.size,
    async slice(start, end = source.size) {
      const bytes = await source.read(start, end - start);
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    },
  };
}
