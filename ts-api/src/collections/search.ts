/**
 * Exact search: bounds from codes of eight bits select the features that may be among the best, and these are compared in double
 * precision.
 */
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { cosineSimilarity } from "../model/pooling.js";
import type { FolderStorage } from "../runtime/storage.js";
import type { Encoding } from "./encoding.js";
import type { LiveRows } from "./live-rows.js";
import { openMatrix, type MatrixFile, type MatrixKind } from "./matrix.js";
import type { OpenPart } from "./parts.js";
import { Scanner, scanQuery } from "./scanner.js";
import { keepLargest, TopResults } from "./top-results.js";

/** A feature, or the id of an image of the collection. */
export type SearchQuery = Float32Array | { readonly id: string };

/** Options of `Collection.search`. */
export interface SearchOptions {
  /** How many results. Default 10. */
  k?: number | undefined;
  /** Search by patch: the query is the feature of one patch, and so are the results. For collections with tokens. Default false. */
  patches?: boolean | undefined;
  /** With an id as the query and `patches`: which patch of that image, [column, row]. */
  patch?: readonly [column: number, row: number] | undefined;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
}

const NAMES: OptionNames<SearchOptions> = { k: true, patches: "boolean", patch: true, signal: "AbortSignal" };

/** One image, or patch, that was found. */
export interface SearchResult {
  /** SHA-256 of the file's bytes, in hex. */
  readonly id: string;
  /** Cosine similarity, in double precision of the f32 features. */
  readonly score: number;
  /** The places of the image, by name. */
  readonly sources: readonly string[];
  /** Pixels of a row of the upright image. */
  readonly width: number;
  /** Rows of pixels of the upright image. */
  readonly height: number;
  /** The patch, in searches by patch. */
  readonly patch?: readonly [column: number, row: number];
}

/** A row of a matrix that may be among the results. */
interface Candidate {
  readonly part: number;
  readonly unit: number;
  readonly high: number;
}

/** Candidates that are compared before checking whether the rest can still matter. */
const STEP = 64;

/** One kind of matrices, with the codes in memory. */
export interface Matrices {
  readonly files: readonly MatrixFile[];
  readonly scanner: Scanner;
  /** Rows of the matrix for one of the part. */
  readonly units: number;
}

export class Searcher {
  readonly #matrices = new Map<MatrixKind, Promise<Matrices>>();
  #running = 0;
  #retired = false;
  /** For each part the rows that represent their image. */
  readonly images: readonly Uint8Array[];

  private constructor(
    private readonly storage: FolderStorage,
    readonly encoding: Encoding,
    private readonly parts: readonly OpenPart[],
    readonly live: LiveRows,
  ) {
    this.images = live.images();
  }

  /** Throws `collection/damaged`, `io/read`, `aborted`. */
  static async open(storage: FolderStorage, encoding: Encoding, { parts, live }: { parts: readonly OpenPart[]; live: LiveRows }, signal?: AbortSignal): Promise<Searcher> {
    const searcher = new Searcher(storage, encoding, [...parts], live);
    await searcher.matrices("feature", signal);
    return searcher;
  }

  matrices(kind: MatrixKind, signal?: AbortSignal): Promise<Matrices> {
    const known = this.#matrices.get(kind);
    if (known !== undefined) return known;
    const loading = this.#load(kind, signal);
    this.#matrices.set(kind, loading);
    loading.catch(() => this.#matrices.delete(kind));
    return loading;
  }

  async #load(kind: MatrixKind, signal: AbortSignal | undefined): Promise<Matrices> {
    const { tokens, width } = this.encoding;
    const files: MatrixFile[] = [];
    try {
      for (const { entry } of this.parts) {
        throwIfAborted(signal, `loading ${this.storage.name}`);
        files.push(await openMatrix(this.storage, entry.name, kind, width));
      }
      return { files, scanner: await Scanner.load(files), units: kind === "feature" || tokens === null ? 1 : tokens[0] * tokens[1] };
    } catch (error) {
      for (const file of files) await file.close();
      throw error;
    }
  }

  /** Runs work during which the files stay open. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      if (this.#retired) await this.close();
    }
  }

  /** Closes the files, once nothing uses them any more. */
  async close(): Promise<void> {
    this.#retired = true;
    if (this.#running > 0) return;
    for (const loading of this.#matrices.values()) for (const file of (await loading).files) await file.close();
    this.#matrices.clear();
  }

  /** As Collection.search. */
  async search(query: SearchQuery, given: SearchOptions = {}): Promise<SearchResult[]> {
    const options = readOptions(given, NAMES, "search"), { k = 10, patches = false, signal } = options, { tokens } = this.encoding;
    if (!Number.isSafeInteger(k) || k < 1) throw new IJepaError("input/value", `k must be a whole number from 1 up, not ${String(k)}.`, { name: "k", value: k });
    if (patches && tokens === null) {
      const message = `${this.storage.name} has no features of patches. Make it with "ijepa index --tokens".`;
      throw new IJepaError("input/value", message, { name: "patches", value: patches });
    }
    const matrices = await this.matrices(patches ? "tokens" : "feature", signal), feature = await this.#featureOf(query, options, matrices);
    const candidates = this.#candidates(feature, matrices, k), top = new TopResults(k);
    for (let first = 0; first < candidates.length && !top.isBeyond(candidates[first].high); first += STEP) {
      throwIfAborted(signal, `searching ${this.storage.name}`);
      const step = candidates.slice(first, first + STEP), rows = await Promise.all(step.map(({ part, unit }) => matrices.files[part].readRows(unit, 1)));
      for (const [i, { part, unit }] of step.entries()) {
        const row = Math.floor(unit / matrices.units);
        top.add({ score: cosineSimilarity(feature, rows[i]), id: this.live.parts[part].id(row), unit: unit % matrices.units, part, row });
      }
    }
    const results = top.sorted(), sources = this.live.sourcesOf(results.map(({ id }) => id));
    return results.map(({ id, score, unit, part, row }) => ({
      id,
      score,
      sources: sources.get(id)!,
      ...this.live.parts[part].size(row),
      ...(patches ? { patch: [unit % tokens![1], Math.floor(unit / tokens![1])] as const } : {}),
    }));
  }

  /** Rows whose cosine may be among the k greatest, the likeliest first. */
  #candidates(feature: Float32Array, { files, scanner, units }: Matrices, k: number): Candidate[] {
    const query = scanQuery(feature), lows = keepLargest(k), candidates: Candidate[] = [];
    for (const [part, mask] of this.images.entries()) {
      const [{ low, high }] = scanner.scan(part, [query]), { rows } = files[part];
      for (let unit = 0; unit < rows; unit++) {
        if (mask[units === 1 ? unit : Math.floor(unit / units)] === 0) continue;
        if (high[unit] < lows.least) continue;
        lows.add(low[unit]);
        candidates.push({ part, unit, high: high[unit] });
      }
    }
    return candidates.filter(({ high }) => high >= lows.least).sort((a, b) => b.high - a.high);
  }

  async #featureOf(query: SearchQuery, { patch, patches }: SearchOptions, { files, units }: Matrices): Promise<Float32Array> {
    if (query instanceof Float32Array) {
      const width = files[0]?.width ?? query.length;
      if (query.length === width && query.every(Number.isFinite)) return query;
      throw new IJepaError("input/shape", `The query has ${query.length} numbers; it needs ${width}, all of them finite.`, { name: "query", expected: `${width} finite numbers`, actual: [query.length] });
    }
    if (typeof query?.id !== "string") throw new TypeError("A query is the feature of an image as a Float32Array, or { id }.");
    const place = /^[0-9a-f]{64}$/.test(query.id) ? this.live.findId(query.id) : undefined;
    if (place === undefined) throw new IJepaError("input/value", `${this.storage.name} has no image with the id ${JSON.stringify(query.id)}.`, { name: "id", value: query.id });
    const { tokens } = this.encoding;
    if (!patches || tokens === null) return files[place.part].readRows(place.row, 1);
    const [column, row] = patch ?? [-1, -1];
    if (!(column >= 0 && row >= 0 && column < tokens[1] && row < tokens[0])) throw patchError(patch, tokens);
    return files[place.part].readRows(place.row * units + row * tokens[1] + column, 1);
  }
}

/** The error for a patch that is not on the grid of rows and columns. */
export function patchError(patch: unknown, [rows, columns]: readonly [number, number]): IJepaError<"input/value"> {
  return new IJepaError("input/value", `The patch must be a column below ${columns} and a row below ${rows}, not ${JSON.stringify(patch)}.`, { name: "patch", value: patch });
}
