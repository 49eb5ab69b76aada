/** The files of a collection: collection.json, parts.json, parts/, failures.jsonl, cache/, and audits.json while workers are audited (docs/collections.md). */
import { IJepaError, isIJepaError } from "../core/errors.js";
import type { FolderStorage } from "../runtime/storage.js";
import { isEncoding, type Encoding } from "./encoding.js";
import type { CollectionFailure } from "./row.js";

const VERSION = 1, FORMAT = "ijepa.collection";
const HEAD = "collection.json", MANIFEST = "parts.json", FAILURES = "failures.jsonl", AUDITS = "audits.json";
/** Digits of the number and of the digest in a part's name. */
const PART_NAME = /^(\d{6,})-([0-9a-f]{32})\.parquet$/;

/** A part, as the manifest has it. */
export interface PartEntry {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  /** The first and the last of its places, to tell what a lost part held. */
  readonly first: string;
  readonly last: string;
}

export const pathOfPart = (name: string) => `parts/${name}`;
export const isPartPath = (path: string) => path.startsWith(pathOfPart(""));
export const partName = (number: number, digest: string) => `${String(number).padStart(6, "0")}-${digest.slice(0, 32)}.parquet`;
export const numberOf = (name: string) => Number(PART_NAME.exec(name)?.[1] ?? 0);
/** The first half of the SHA-256 of the file. */
export const digestOfName = (name: string) => PART_NAME.exec(name)?.[2] ?? "";

/** @throws IJepaError `collection/missing`, `collection/version`, `collection/damaged` */
export async function readHead(storage: FolderStorage): Promise<Encoding> {
  const head = await readJson(storage, HEAD);
  if (head === undefined) {
    const message = `There is no collection in ${storage.name}: it has no ${HEAD}. "ijepa index" makes one.`;
    throw new IJepaError("collection/missing", message, { path: storage.name });
  }
  const { format, version, encoding } = head as { format?: unknown; version?: unknown; encoding?: unknown };
  if (format !== FORMAT) throw damagedFile(storage, HEAD, "it does not belong to a collection");
  if (version !== VERSION) {
    const message = `${storage.name} is of version ${JSON.stringify(version)} of the format; this library reads ${VERSION}. Use the version of ijepa that made it, or a newer one.`;
    throw new IJepaError("collection/version", message, { path: storage.name, version: String(version), known: String(VERSION) });
  }
  if (!isEncoding(encoding)) throw damagedFile(storage, HEAD, "its encoding is incomplete");
  return encoding;
}

export async function hasHead(storage: FolderStorage): Promise<boolean> {
  const file = await storage.open(HEAD);
  await file?.close();
  return file !== undefined;
}

export async function writeHead(storage: FolderStorage, encoding: Encoding): Promise<void> {
  await storage.write(HEAD, json({ format: FORMAT, version: VERSION, encoding }));
}

/** The parts that exist and those that should exist, by number. */
export interface PartsList {
  readonly names: readonly string[];
  readonly entries: ReadonlyMap<string, PartEntry>;
  /** What is wrong with the manifest: lost parts are then unknown. */
  readonly damage: { readonly file: string; readonly problem: string } | undefined;
}

export async function listParts(storage: FolderStorage): Promise<PartsList> {
  const manifest = await readManifest(storage), isRead = typeof manifest !== "string";
  const entries = new Map((isRead ? manifest : []).map((entry) => [entry.name, entry]));
  const names = new Set([...(await storage.list("parts")).filter((name) => PART_NAME.test(name)), ...entries.keys()]);
  const damage = isRead ? undefined : { file: MANIFEST, problem: manifest };
  return { names: [...names].sort((a, b) => numberOf(a) - numberOf(b) || (a < b ? -1 : 1)), entries, damage };
}

/** What is wrong with it, in words, where it cannot be used. */
async function readManifest(storage: FolderStorage): Promise<PartEntry[] | string> {
  try {
    const { parts } = ((await readJson(storage, MANIFEST)) ?? { parts: [] }) as { parts?: unknown };
    return Array.isArray(parts) && parts.every(isEntry) ? parts : "it has no list of parts";
  } catch (error) {
    if (isIJepaError(error, "collection/damaged")) return error.details.files[0].problem;
    throw error;
  }
}

function isEntry(value: unknown): value is PartEntry {
  if (typeof value !== "object" || value === null) return false;
  const { name, rows, bytes, first, last } = value as Partial<PartEntry>;
  return typeof name === "string" && PART_NAME.test(name) && [rows, bytes].every(Number.isSafeInteger) && [first, last].every((place) => typeof place === "string");
}

export async function writeManifest(storage: FolderStorage, parts: readonly PartEntry[]): Promise<void> {
  await storage.write(MANIFEST, json({ parts }));
}

/** The last failure of each place. Invalid lines are skipped: the file is a report, not data. */
export async function readFailures(storage: FolderStorage): Promise<Map<string, CollectionFailure>> {
  const text = new TextDecoder().decode((await readWhole(storage, FAILURES)) ?? new Uint8Array(0));
  const failures = text.split("\n").flatMap((line): CollectionFailure[] => {
    try {
      const { source, code, message } = JSON.parse(line) as CollectionFailure;
      return typeof source === "string" ? [{ source, code, message }] : [];
    } catch {
      return [];
    }
  });
  return new Map(failures.map((failure) => [failure.source, failure]));
}

export async function writeFailures(storage: FolderStorage, failures: Iterable<CollectionFailure>): Promise<void> {
  const lines = [...failures].sort((a, b) => (a.source < b.source ? -1 : 1)).map((failure) => `${JSON.stringify(failure)}\n`);
  await storage.write(FAILURES, new TextEncoder().encode(lines.join("")));
}

/** Workers whose results are not all audited yet (docs/scaling.md). */
export async function readAudits(storage: FolderStorage): Promise<unknown> {
  return readJson(storage, AUDITS);
}

export async function writeAudits(storage: FolderStorage, value: object | undefined): Promise<void> {
  if (value === undefined) await storage.remove(AUDITS);
  else await storage.write(AUDITS, json(value));
}

export async function readWhole(storage: FolderStorage, path: string): Promise<Uint8Array | undefined> {
  const file = await storage.open(path);
  try {
    return file && (await file.read(0, file.size));
  } finally {
    await file?.close();
  }
}

async function readJson(storage: FolderStorage, path: string): Promise<unknown> {
  const bytes = await readWhole(storage, path);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null) return value;
  } catch (cause) {
    throw damagedFile(storage, path, "it is not JSON", cause);
  }
  throw damagedFile(storage, path, "it is not an object");
}

function damagedFile({ name }: FolderStorage, file: string, problem: string, cause?: unknown): IJepaError {
  const advice = file === HEAD ? ` Remove it and run "ijepa index" with the same model and options: it is written anew, and the stored features are kept.` : "";
  return new IJepaError("collection/damaged", `${name}/${file} cannot be used: ${problem}.${advice}`, { path: name, files: [{ file, problem, rows: undefined }] }, { cause });
}

function json(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
