/** The features of many images of one encoding, in a folder (docs/collections.md). */
import { runtime } from "#runtime";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { checkHas, checkIterable, checkText, checkType, readOptions, wrongType, type OptionNames } from "../core/options.js";
import type { FolderStorage } from "../runtime/storage.js";
import { compactParts } from "./compact.js";
import { checkEncoding, isEncoding, type Encoding } from "./encoding.js";
import { hasHead, isPartPath, pathOfPart, readFailures, readHead, writeHead, writeManifest } from "./layout.js";
import { LiveRows, type RowPlace } from "./live-rows.js";
import { openMatrix, withCache, type MatrixFile, type MatrixKind } from "./matrix.js";
import { memoryStorage } from "./memory-storage.js";
import { damagedError, openParts, rowsOfPart, type DamagedPart, type OpenPart } from "./parts.js";
import { rootDigest } from "./root-digest.js";
import { isFailure, type CollectionFailure, type CollectionRow } from "./row.js";
import { Searcher, type SearchOptions, type SearchQuery, type SearchResult } from "./search.js";
import { findDuplicates, type DuplicateGroup, type DuplicateOptions } from "./duplicates.js";
import { verifyParts, type PartsReport } from "./verify.js";
import { CollectionWriter } from "./writer.js";

/** Options of `Collection.open`. */
export interface CollectionOptions {
  /** Open the intact parts of a damaged collection; `damaged` lists the others. Default false. */
  skipDamaged?: boolean | undefined;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
}

const NAMES: OptionNames<CollectionOptions> = { skipDamaged: "boolean", signal: "AbortSignal" };
const SIGNAL = { signal: "AbortSignal" } as const, ROWS = { ...SIGNAL, tokens: "boolean" } as const, BELOW = { below: "number" } as const;

/** What `add` did. */
export interface AddReport {
  /** Rows that were taken in. */
  readonly added: number;
  /** Failures that were noted. */
  readonly failed: number;
}

/** Matrices of parts that are kept open for single features. */
const OPEN_MATRICES = 8;

/** The features of many images, of one encoding, in a folder: written by one, read by many (docs/collections.md). */
export class Collection {
  readonly #storage: FolderStorage;
  /** The encoding of all of its features. */
  readonly encoding: Encoding;
  #parts: OpenPart[] = [];
  #live = new LiveRows();
  #damaged: readonly DamagedPart[] = [];
  #searcher: Searcher | undefined;
  readonly #skipDamaged: boolean;
  readonly #matrices = new Map<string, MatrixFile>();

  private constructor(storage: FolderStorage, encoding: Encoding, { skipDamaged = false }: CollectionOptions = {}) {
    checkHas("A collection, which Collection.open opens,", encoding, "made of its storage and encoding", "dtype");
    this.#storage = storage;
    this.encoding = encoding;
    this.#skipDamaged = skipDamaged;
  }

  /**
   * Opens an existing collection for reading; methods that write take the lock while they write.
   *
   * @param where a folder: on the disk, or in browsers in the origin's private file system; or your own storage
   * @throws IJepaError `collection/missing`, `collection/version`, `collection/damaged`, `collection/encoding` (a part of another
   *   one), `io/read`, `aborted`
   */
  static async open(where: string | FolderStorage, given: CollectionOptions = {}): Promise<Collection> {
    const options = readOptions(given, NAMES, "Collection.open"), storage = storageAt(where);
    throwIfAborted(options.signal, `opening ${storage.name}`);
    const collection = new Collection(storage, await readHead(storage), options);
    await collection.refresh();
    return collection;
  }

  /**
   * Opens a collection, or creates one.
   * @throws IJepaError `collection/encoding` where it has another encoding, and what `open` throws; `io/write`
   */
  static async openOrCreate(where: string | FolderStorage, encoding: Encoding, given: CollectionOptions = {}): Promise<Collection> {
    const options = readOptions(given, NAMES, "Collection.openOrCreate"), storage = storageAt(where);
    if (!isEncoding(encoding)) throw wrongType("The encoding of a collection", "that of a FeatureEncoder", encoding);
    throwIfAborted(options.signal, `opening ${storage.name}`);
    if (!(await hasHead(storage))) {
      const lock = await storage.lock();
      try {
        if (!(await hasHead(storage))) {
          // Parts that have lost their head must be of this encoding.
          await openParts(storage, encoding);
          await writeHead(storage, encoding);
        }
      } finally {
        await lock.release();
      }
    }
    const collection = await Collection.open(storage, options);
    checkEncoding(encoding, collection.encoding, storage.name);
    return collection;
  }

  /** A collection in memory. */
  static async inMemory(encoding: Encoding): Promise<Collection> {
    return Collection.openOrCreate(memoryStorage(), encoding);
  }

  /** For messages. */
  get name(): string {
    return this.#storage.name;
  }

  /** Parts that were left out, with `skipDamaged`. */
  get damaged(): readonly DamagedPart[] {
    return this.#damaged;
  }

  /** The number of places of images, and the number of images. */
  get size(): { places: number; images: number } {
    let places = 0, images = 0;
    for (const _ of this.#live.rows()) places++;
    for (const mask of this.#live.images()) for (const one of mask) images += one;
    return { places, images };
  }

  /** The rows that count, and where they are. */
  get live(): LiveRows {
    return this.#live;
  }

  /** Reads again what is stored. Throws as `open`. */
  async refresh(): Promise<void> {
    const { parts, damaged } = await openParts(this.#storage, this.encoding);
    if (damaged.length > 0 && !this.#skipDamaged) throw damagedError(this.#storage.name, damaged);
    this.#damaged = damaged;
    this.#parts = parts;
    this.#live = new LiveRows();
    for (const { index } of parts) this.#live.add(index);
    await this.close();
  }

  /** SHA-256 over the pairs of id and digest; it does not depend on how the collection was made (docs/collections.md). */
  async rootDigest(): Promise<string> {
    return rootDigest(this.#live);
  }

  /** Every place with its feature, and its patches unless `tokens` is false. Parts are checked as they are read. */
  async *rows(options: { signal?: AbortSignal | undefined; tokens?: boolean | undefined } = {}): AsyncGenerator<CollectionRow> {
    const { signal, tokens } = readOptions(options, ROWS, "rows");
    for (const [part, { entry }] of [...this.#parts.entries()]) {
      let row = 0;
      for await (const group of rowsOfPart(this.#storage, entry.name, tokens)) {
        throwIfAborted(signal, `reading ${this.name}`);
        for (const one of group) if (this.#live.isLive(part, row++)) yield one;
      }
    }
  }

  /** The row of a place that is stored, with its feature, but without its label. */
  async imageAt(place: RowPlace): Promise<CollectionRow> {
    checkHas("The place", place, "a place of live.rows()", "part", "row");
    return withCache(this.#storage, () => this.close(), () => this.#imageAt(place));
  }

  async #imageAt({ part, row }: RowPlace): Promise<CollectionRow> {
    const { index } = this.#parts[part], modified = index.modified[row], grid = this.encoding.tokens;
    const rows = async (kind: MatrixKind, count: number) => (await this.#matrixOf(part, kind)).readRows(row * count, count);
    return {
      source: index.source(row),
      id: index.id(row),
      bytes: index.fileBytes[row],
      modified: Number.isNaN(modified) ? null : modified,
      ...index.size(row),
      feature: await rows("feature", 1),
      tokens: grid === null ? undefined : await rows("tokens", grid[0] * grid[1]),
      digest: index.digest(row),
    };
  }

  /** The rows of each part. */
  get partSizes(): number[] {
    return this.#parts.map(({ entry }) => entry.rows);
  }

  /** The last few that were used stay open. */
  async #matrixOf(part: number, kind: MatrixKind): Promise<MatrixFile> {
    const { name } = this.#parts[part].entry, key = `${name} ${kind}`, known = this.#matrices.get(key);
    if (known !== undefined) return known;
    const matrix = await openMatrix(this.#storage, name, kind, this.encoding.width);
    this.#matrices.set(key, matrix);
    const [oldest] = this.#matrices.keys();
    if (this.#matrices.size > OPEN_MATRICES) {
      await this.#matrices.get(oldest)!.close();
      this.#matrices.delete(oldest);
    }
    return matrix;
  }

  /** Closes the files that are open. The collection opens them again when they are needed. */
  async close(): Promise<void> {
    for (const matrix of this.#matrices.values()) await matrix.close();
    this.#matrices.clear();
    await this.#searcher?.close();
    this.#searcher = undefined;
  }

  /** The images that could not be indexed, by the names of their places. */
  async failures(): Promise<CollectionFailure[]> {
    return [...(await readFailures(this.#storage)).values()];
  }

  /**
   * Runs `work` as the only writer; the rows that it added are stored when it ends, even if it throws.
   * @throws IJepaError `collection/locked`, `io/write`, and what `work` throws
   */
  async write<T>(work: (writer: CollectionWriter) => Promise<T>): Promise<T> {
    checkType("work", work ?? false, "function");
    const lock = await this.#storage.lock();
    try {
      await this.refresh();
      const writer = new CollectionWriter(this.#storage, lock, this.encoding, this.#parts, ({ index }) => {
        this.#live.add(index);
        void this.#searcher?.close().catch(() => undefined);
        this.#searcher = undefined;
      });
      try {
        return await work(writer);
      } finally {
        await writer.flush();
      }
    } finally {
      await lock.release();
    }
  }

  /** Adds rows as they come. Throws as `write`, and `aborted`. */
  async add(rows: AsyncIterable<CollectionRow | CollectionFailure> | Iterable<CollectionRow | CollectionFailure>, options: { signal?: AbortSignal | undefined } = {}): Promise<AddReport> {
    checkIterable("The rows", rows, "a list or stream of rows");
    const { signal } = readOptions(options, SIGNAL, "add");
    return this.write(async (writer) => {
      let added = 0, failed = 0;
      for await (const row of rows) {
        throwIfAborted(signal, `adding to ${this.name}`);
        checkHas("A row", row, "a row with its source", "source");
        if (isFailure(row)) {
          failed++;
          await writer.fail(row);
        } else {
          added++;
          await writer.put(row);
        }
      }
      return { added, failed };
    });
  }

  /** Removes places; unknown ones are ignored. Throws as `write`. */
  async remove(sources: Iterable<string>): Promise<void> {
    checkIterable("The places", sources, "a list of places");
    await this.write(async (writer) => {
      for (const source of sources) {
        checkText("A place", source);
        if (this.#live.find(source) !== undefined) await writer.remove(source);
      }
    });
  }

  /**
   * Rewrites the parts: as few as possible, without rows that no longer count.
   * @param options `below`: only parts with fewer rows
   * @throws as `write`
   */
  async compact(options: { below?: number | undefined } = {}): Promise<void> {
    const chosen = readOptions(options, BELOW, "compact"), lock = await this.#storage.lock();
    try {
      await this.refresh();
      await compactParts(this.#storage, lock, this.encoding, { parts: this.#parts, live: this.#live }, chosen);
    } finally {
      await lock.release();
    }
    await this.refresh();
  }

  /** Reads every byte, and compares it with the digests. */
  async verify(options: { signal?: AbortSignal | undefined } = {}): Promise<PartsReport> {
    return verifyParts(this.#storage, this.#parts, this.#damaged, readOptions(options, SIGNAL, "verify"));
  }

  /** Moves damaged parts to the folder "damaged", writes the list of parts anew, and returns what was damaged: the images can then be added again. */
  async repair(): Promise<readonly DamagedPart[]> {
    const lock = await this.#storage.lock();
    try {
      const { parts, damaged } = await openParts(this.#storage, this.encoding);
      const { bad } = await verifyParts(this.#storage, parts, damaged, {});
      for (const { file, problem } of bad) if (isPartPath(file) && problem !== "it is gone") await this.#storage.rename(file, file.replace(/^parts/, "damaged"));
      const lost = new Set(bad.map(({ file }) => file));
      await writeManifest(this.#storage, parts.filter(({ entry }) => !lost.has(pathOfPart(entry.name))).map(({ entry }) => entry));
      await this.refresh();
      return bad;
    } finally {
      await lock.release();
    }
  }

  /**
   * The images whose features are closest to a query's, exactly: the best cosine first, ties by id.
   * @throws IJepaError `input/value`, `input/shape`, `collection/encoding`, `collection/damaged`, `io/read`, `aborted`
   */
  async search(query: SearchQuery, options: SearchOptions = {}): Promise<SearchResult[]> {
    return this.#searching(signalOf(options), (searcher) => searcher.search(query, options));
  }

  /** Groups of images whose features are closer than a threshold. Throws as `search`. */
  async duplicates(options: DuplicateOptions = {}): Promise<DuplicateGroup[]> {
    return this.#searching(signalOf(options), (searcher) => findDuplicates(searcher, options));
  }

  /** The matrices that searches run over, loaded once. */
  async searcher(signal?: AbortSignal): Promise<Searcher> {
    checkType("signal", signal, "AbortSignal");
    while (this.#searcher === undefined) {
      const live = this.#live, parts = [...this.#parts], opened = await Searcher.open(this.#storage, this.encoding, { parts, live }, signal);
      // Another call was faster, or there are new parts.
      if (this.#searcher !== undefined || live !== this.#live || parts.length !== this.#parts.length) await opened.close();
      else this.#searcher = opened;
    }
    return this.#searcher;
  }

  #searching<T>(signal: AbortSignal | undefined, work: (searcher: Searcher) => Promise<T>): Promise<T> {
    return withCache(this.#storage, () => this.close(), () => this.searcher(signal).then((searcher) => searcher.use(() => work(searcher))));
  }
}

/** The other options are read by the work itself. */
function signalOf(options: { signal?: AbortSignal | undefined } | null): AbortSignal | undefined {
  return options?.signal;
}

function storageAt(where: string | FolderStorage): FolderStorage {
  if (typeof where === "object" && where !== null) {
    checkHas("The storage", where, "a FolderStorage", "open", "lock");
    return where;
  }
  if (typeof where !== "string") throw new TypeError("A collection is opened by the path of its folder, or by a FolderStorage.");
  if (where === "") throw new IJepaError("input/value", "The path of the collection is empty.", { name: "where", value: where });
  if (runtime.openStorage !== undefined) return runtime.openStorage(where.replace(/[/\\]+$/, "") || "/");
  throw new IJepaError("io/read", "This runtime has no files: pass storage, such as memoryStorage().", { path: where });
}
