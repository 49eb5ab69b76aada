/** Adds rows to a collection, part by part. Only the holder of the lock has one. */
import { IJepaError } from "../core/errors.js";
import { sha256 } from "../weights/safetensors/packed-files.js";
import type { FolderStorage, StorageLock } from "../runtime/storage.js";
import type { Encoding } from "./encoding.js";
import { numberOf, partName, pathOfPart, readAudits, readFailures, writeAudits, writeFailures, writeManifest } from "./layout.js";
import { encodePart } from "./parquet.js";
import { encodeIndex } from "./part-index.js";
import { entryOf, keepIndex, type OpenPart } from "./parts.js";
import { LATEST, tombstone, type CollectionFailure, type CollectionRow } from "./row.js";

/** A part is written when it has so many rows or so many numbers: rows that wait for it are in memory, and once more as its bytes. */
const MOST_ROWS = 2048, MOST_NUMBERS = 6 * 2 ** 20;
/** Parts with fewer rows are joined when there are many, but never what is half full. */
const SMALL_PART = 512;
/**
 * It is also written after this many milliseconds: soon at first, so that a short run that is interrupted leaves something, then twice as
 * late each time.
 */
const FIRST_WAIT = 1_000, LONGEST_WAIT = 15_000;

/** Parts with fewer rows than this are small. */
export function smallPart({ width, tokens }: Pick<Encoding, "width" | "tokens">): number {
  const numbers = width * (tokens === null ? 1 : 1 + tokens[0] * tokens[1]);
  return Math.min(SMALL_PART, Math.ceil(MOST_NUMBERS / numbers / 2));
}

/** Adds and removes rows. `Collection.write` gives it to the one writer. */
export class CollectionWriter {
  #pending = new Map<string, CollectionRow>();
  #numbers = 0;
  #since = performance.now();
  #wait = FIRST_WAIT;
  #failures: Map<string, CollectionFailure> | undefined;
  #failuresChanged = false;

  /**
   * @param parts those of the collection; new parts are added
   * @param added called for each new part
   */
  constructor(
    private readonly storage: FolderStorage,
    private readonly lock: StorageLock,
    private readonly encoding: Encoding,
    private readonly parts: OpenPart[],
    private readonly added: (part: OpenPart) => void,
  ) {}

  /** The row of a place that is not written yet. */
  pending(source: string): CollectionRow | undefined {
    return this.#pending.get(source);
  }

  /** A row of an image that is not written yet. */
  pendingId(id: string): CollectionRow | undefined {
    for (const row of this.#pending.values()) if (row.id === id) return row;
    return undefined;
  }

  /**
   * Adds a row; it is stored by `flush` at the latest.
   * @throws IJepaError `input/value` or `input/shape` for a row that does not fit the collection, and as `flush`
   */
  async put(row: CollectionRow): Promise<void> {
    this.#check(row);
    await this.#take(row);
    await this.succeed(row.source);
  }

  /** Forgets the failure of a place, if there was one. */
  async succeed(source: string): Promise<void> {
    if ((await this.#knownFailures()).delete(source)) this.#failuresChanged = true;
  }

  /** Records that the image of a place could not be indexed. */
  async fail(failure: CollectionFailure): Promise<void> {
    const failures = await this.#knownFailures(), known = failures.get(failure.source);
    if (known?.code === failure.code && known.message === failure.message) return;
    failures.set(failure.source, { source: failure.source, code: failure.code, message: failure.message });
    this.#failuresChanged = true;
    await this.#flushInTime();
  }

  /** Records that a place is gone. */
  async remove(source: string): Promise<void> {
    await this.#take(tombstone(source));
  }

  /**
   * Stores the added rows. Everything is on disk when it resolves.
   * @throws IJepaError `io/write`, in which case earlier parts are unchanged; `collection/locked` if another process took over the lock
   */
  async flush(): Promise<void> {
    await this.lock.check();
    if (this.#pending.size > 0) await this.#writePart([...this.#pending.values()]);
    this.#pending = new Map();
    this.#numbers = 0;
    this.#since = performance.now();
    if (!this.#failuresChanged) return;
    await writeFailures(this.storage, (await this.#knownFailures()).values());
    this.#failuresChanged = false;
  }

  /** What `keepAudits` stored; undefined if there is nothing. */
  audits(): Promise<unknown> {
    return readAudits(this.storage);
  }

  /** Stores the state of the audits of workers, so that an interrupted run can continue; undefined removes it. */
  async keepAudits(value: object | undefined): Promise<void> {
    await writeAudits(this.storage, value);
  }

  async #take(row: CollectionRow): Promise<void> {
    const before = this.#pending.get(row.source);
    this.#numbers += sizeOf(row) - (before === undefined ? 0 : sizeOf(before));
    this.#pending.set(row.source, row);
    await this.#flushInTime();
  }

  async #flushInTime(): Promise<void> {
    const isLate = performance.now() - this.#since > this.#wait;
    if (isLate) this.#wait = Math.min(LONGEST_WAIT, 2 * this.#wait);
    if (isLate || this.#pending.size >= MOST_ROWS || this.#numbers >= MOST_NUMBERS) await this.flush();
  }

  async #writePart(rows: readonly CollectionRow[]): Promise<void> {
    const bytes = encodePart(rows, JSON.stringify(this.encoding)), number = 1 + Math.max(0, ...this.parts.map(({ entry }) => numberOf(entry.name)));
    const name = partName(number, await sha256(bytes)), index = encodeIndex(rows, this.encoding);
    await this.storage.write(pathOfPart(name), bytes);
    const part = { entry: entryOf(name, bytes.length, index), index };
    this.parts.push(part);
    this.added(part);
    await writeManifest(this.storage, this.parts.map(({ entry }) => entry));
    await keepIndex(this.storage, name, index);
  }

  async #knownFailures(): Promise<Map<string, CollectionFailure>> {
    return (this.#failures ??= await readFailures(this.storage));
  }

  #check({ source, id, digest, feature, tokens, label, modified, ...counts }: CollectionRow): void {
    const { width, tokens: grid } = this.encoding, wanted = grid === null ? undefined : grid[0] * grid[1] * width;
    if (typeof source !== "string" || source === "" || /\p{Surrogate}/u.test(source)) throw new TypeError("A row needs the path or URL of its image as a string of Unicode.");
    const wrong = (name: string, value: unknown, expected: string) => new IJepaError("input/value", `The ${name} of ${source} must be ${expected}.`, { name, value });
    if (!/^[0-9a-f]{64}$/.test(id)) throw wrong("id", id, "a SHA-256 in hex");
    if (!/^[0-9a-f]{64}$/.test(digest)) throw wrong("digest", digest, "a SHA-256 in hex");
    for (const name of ["bytes", "width", "height"] as const) {
      if (!Number.isSafeInteger(counts[name]) || counts[name] < 0 || (name !== "bytes" && counts[name] >= 2 ** 31)) throw wrong(name, counts[name], "a whole number");
    }
    if (modified !== null && !(Number.isInteger(modified) && Math.abs(modified) <= LATEST)) throw wrong("modified", modified, "a time in milliseconds, or null");
    if (typeof (label ?? "") !== "string") throw wrong("label", label, "a string, or null");
    if (feature.length === width && tokens?.length === wanted && feature.every(Number.isFinite)) return;
    const message = `The feature of ${source} has ${feature.length} numbers${tokens === undefined ? "" : ` and ${tokens.length} of patches`}; the collection has ${width}${wanted === undefined ? "" : ` and ${wanted}`}, all of them finite.`;
    throw new IJepaError("input/shape", message, { name: "feature", expected: `${width} finite numbers`, actual: [feature.length] });
  }
}

function sizeOf({ feature, tokens }: CollectionRow): number {
  return feature.length + (tokens?.length ?? 0);
}
