/** Opens the parts of a collection: an index of each, and what is wrong with those that cannot be used. */
import { IJepaError } from "../core/errors.js";
import { sha256 } from "../weights/safetensors/packed-files.js";
import type { ByteSource } from "../runtime/env.js";
import type { FolderStorage } from "../runtime/storage.js";
import { checkEncoding, isEncoding, type Encoding } from "./encoding.js";
import { digestOfName, listParts, pathOfPart, readWhole, type PartEntry } from "./layout.js";
import { readFacts, readRows } from "./parquet.js";
import { encodeIndex, PartIndex } from "./part-index.js";
import type { CollectionRow } from "./row.js";

const NOT_ITS_BYTES = "its bytes do not match the digest in its name", GONE = "it is gone", NOT_A_PART = "it is not a Parquet file of a collection";

export interface OpenPart {
  readonly entry: PartEntry;
  readonly index: PartIndex;
}

/** A part that cannot be used, or the list of parts. */
export interface DamagedPart {
  /** The file, below the collection's folder. */
  readonly file: string;
  /** What is wrong with it, in words. */
  readonly problem: string;
  /** How many rows are lost; undefined if unknown. */
  readonly rows: number | undefined;
  /** The first of its places, in the order of the part. */
  readonly first: string | undefined;
  /** The last of its places, in the order of the part. */
  readonly last: string | undefined;
}

/**
 * @param tries how often the list is read again where a part is gone: a writer may have replaced both
 * @throws IJepaError `collection/encoding` for a part of another encoding, `io/read`
 */
export async function openParts(storage: FolderStorage, encoding: Encoding, tries = 2): Promise<{ parts: OpenPart[]; damaged: DamagedPart[] }> {
  const { names, entries, damage } = await listParts(storage), nothing = { rows: undefined, first: undefined, last: undefined };
  const parts: OpenPart[] = [], damaged: DamagedPart[] = damage === undefined ? [] : [{ ...damage, ...nothing }];
  for (const name of names) {
    const entry = entries.get(name), part = await openPart(storage, encoding, name, entry);
    if ("problem" in part) damaged.push({ ...part, file: pathOfPart(name), rows: entry?.rows, first: entry?.first, last: entry?.last });
    else parts.push(part);
  }
  return tries > 0 && damaged.some(({ problem }) => problem === GONE) ? openParts(storage, encoding, tries - 1) : { parts, damaged };
}

export function damagedError(path: string, damaged: readonly DamagedPart[]): IJepaError<"collection/damaged"> {
  const list = damaged.map(({ file, problem, rows, first, last }) => {
    const lost = rows === undefined ? "" : `, which had ${rows === 1 ? "one place" : `${rows} places`}, from ${JSON.stringify(first)} to ${JSON.stringify(last)}`;
    return `${file}${lost}: ${problem}`;
  });
  const message = `${path} is damaged: ${list.join("; ")}. "ijepa collection ${path} --repair" moves damaged parts aside; "ijepa index" then restores what they held.`;
  return new IJepaError("collection/damaged", message, { path, files: damaged.map(({ file, problem, rows }) => ({ file, problem, rows })) });
}

async function openPart(storage: FolderStorage, encoding: Encoding, name: string, entry: PartEntry | undefined): Promise<OpenPart | { problem: string }> {
  const file = await storage.open(pathOfPart(name));
  if (file === undefined) return { problem: GONE };
  try {
    if (entry !== undefined && entry.bytes !== file.size) return { problem: `it has ${file.size} bytes, not ${entry.bytes}` };
    const index = (await cachedIndex(storage, encoding, name)) ?? (await readIndex(storage, encoding, name, file));
    return "problem" in index ? index : { entry: entry ?? entryOf(name, file.size, index), index };
  } finally {
    await file.close();
  }
}

/** What the manifest says of a part. */
export function entryOf(name: string, bytes: number, index: PartIndex): PartEntry {
  return { name, rows: index.rows, bytes, first: index.source(0), last: index.source(index.rows - 1) };
}

async function cachedIndex(storage: FolderStorage, encoding: Encoding, name: string): Promise<PartIndex | undefined> {
  try {
    const bytes = await readWhole(storage, indexPath(name));
    return bytes && new PartIndex(bytes.byteOffset % 8 === 0 ? bytes : bytes.slice(), encoding);
  } catch {
    // It is made anew.
    return undefined;
  }
}

async function readIndex(storage: FolderStorage, encoding: Encoding, name: string, file: ByteSource): Promise<PartIndex | { problem: string }> {
  // A part is read whole the first time that it is opened; after that its index is in the cache.
  const bytes = await file.read(0, file.size);
  if (!(await sha256(bytes)).startsWith(digestOfName(name))) return { problem: NOT_ITS_BYTES };
  const facts = await readFacts(inMemory(name, bytes)).catch(() => undefined);
  if (facts === undefined || facts.rows.length === 0) return { problem: NOT_A_PART };
  const stored = encodingIn(facts.encoding);
  if (stored === undefined) return { problem: "it does not say how its features were made" };
  // A part that was put into the folder must be of the same encoding.
  checkEncoding(encoding, stored, `${storage.name}/${pathOfPart(name)}`);
  const index = encodeIndex(facts.rows, encoding);
  await keepIndex(storage, name, index);
  return index;
}

function encodingIn(text: string | undefined): Encoding | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return isEncoding(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the index to the cache, if the cache can be written. */
export async function keepIndex(storage: FolderStorage, name: string, index: PartIndex): Promise<void> {
  await storage.write(indexPath(name), index.bytes).catch(() => undefined);
}

function indexPath(name: string): string {
  return `cache/${name}.index`;
}

/** Reads a part whole, checks it against its name, and gives its rows, a row group at a time; without tokens faster. */
export async function* rowsOfPart(storage: FolderStorage, name: string, withTokens = true): AsyncGenerator<CollectionRow[]> {
  const path = pathOfPart(name), bytes = await readWhole(storage, path);
  const fail = (problem: string, cause?: unknown) => {
    const message = `${storage.name}/${path} is damaged: ${problem}. "ijepa collection ${storage.name} --verify 0%" says what is lost.`;
    return new IJepaError("collection/damaged", message, { path: storage.name, files: [{ file: path, problem, rows: undefined }] }, { cause });
  };
  if (bytes === undefined) throw fail(GONE);
  if (!(await sha256(bytes)).startsWith(digestOfName(name))) throw fail(NOT_ITS_BYTES);
  try {
    yield* readRows(inMemory(path, bytes), withTokens);
  } catch (error) {
    throw error instanceof IJepaError ? error : fail(NOT_A_PART, error);
  }
}

/** Bytes as a source. */
export function inMemory(name: string, bytes: Uint8Array): ByteSource {
  return { name, size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length), close: async () => {} };
}
