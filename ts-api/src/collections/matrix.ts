/**
 * The features of a part as one flat matrix, and the same in eight bits, for searching: a cache file made from the part.
 *
 * A row of the matrix is a feature or, for searches by patch, the feature of one patch. With x a row divided by its norm and c the mean
 * of these, x - c is rounded to codes of eight bits times a scale of the row. The norm of the rounding error is kept: it bounds the
 * cosine of a query on both sides. Checksums tell a file whose bytes have changed.
 */
import { IJepaError, isIJepaError } from "../core/errors.js";
import { roundUp } from "../core/numerics.js";
import type { ByteSource } from "../runtime/env.js";
import type { FolderStorage } from "../runtime/storage.js";
import { inMemory, rowsOfPart } from "./parts.js";

const MAGIC = 0x324d4a49, HEADER = 64, LARGEST = 127;
const CACHE = "cache/";
/** Words of the header: checksums of what stands between it and the codes, and of the codes. */
const FRONT_SUM = 3, CODES_SUM = 4;
/** Allowance for rounding norms, bounds and the sums behind them to f32. */
const SLACK = 1 + 1e-6;

export type MatrixKind = "feature" | "tokens";

/** Offsets in the file, in bytes. */
interface Layout {
  readonly center: number;
  readonly scales: number;
  readonly losses: number;
  readonly spreads: number;
  readonly sums: number;
  readonly codes: number;
  readonly floats: number;
  readonly end: number;
}

/** A matrix without its codes and floats. */
export interface MatrixHead {
  readonly rows: number;
  readonly width: number;
  /** `width`, rounded up to what the kernel takes. */
  readonly inner: number;
  /** Mean of the rows over their norms. */
  readonly center: Float64Array;
  /** What a row's codes are multiplied by. */
  readonly scales: Float32Array;
  /** Upper bound of the norm of the row's rounding error. */
  readonly losses: Float32Array;
  /** Upper bound of the norm of the row's codes times its scale. */
  readonly spreads: Float32Array;
}

export class MatrixFile implements MatrixHead {
  readonly #layout: Layout;

  private constructor(
    private readonly file: ByteSource,
    readonly rows: number,
    readonly width: number,
    readonly inner: number,
    readonly center: Float64Array,
    readonly scales: Float32Array,
    readonly losses: Float32Array,
    readonly spreads: Float32Array,
    /** Checksums of the rows, and of all codes. */
    private readonly sums: Uint32Array,
    private readonly codesSum: number,
  ) {
    this.#layout = layoutOf(rows, width);
  }

  /** Undefined for a file that is not a matrix, or a damaged one. The matrix owns the file from now on. */
  static async open(file: ByteSource): Promise<MatrixFile | undefined> {
    if (file.size < HEADER) return undefined;
    const header = new Uint32Array((await file.read(0, HEADER)).slice().buffer), [magic, rows, width] = header;
    if (magic !== MAGIC || layoutOf(rows, width).end !== file.size) return undefined;
    const layout = layoutOf(rows, width), front = (await file.read(0, layout.codes)).slice().buffer;
    if (checksum(new Uint8Array(front, HEADER)) !== header[FRONT_SUM]) return undefined;
    const floats = (at: number) => new Float32Array(front, at, rows);
    return new MatrixFile(
      file, rows, width, innerOf(width), new Float64Array(front, layout.center, width), floats(layout.scales), floats(layout.losses), floats(layout.spreads),
      new Uint32Array(front, layout.sums, rows), header[CODES_SUM],
    );
  }

  /** The codes, [rows][inner]. Throws `collection/damaged` for a file of the cache that was changed. */
  async readCodes(into: Uint8Array): Promise<void> {
    const bytes = await this.file.read(this.#layout.codes, this.rows * this.inner, undefined, into);
    if (bytes.buffer !== into.buffer || bytes.byteOffset !== into.byteOffset) into.set(bytes);
    if (checksum(into) !== this.codesSum) throw this.#damage();
  }

  /** Rows of the features as they are, [count][width]. Throws as `readCodes`. */
  async readRows(first: number, count: number): Promise<Float32Array> {
    const bytes = await this.file.read(this.#layout.floats + 4 * first * this.width, 4 * count * this.width);
    const floats = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice(), size = 4 * this.width;
    for (let i = 0; i < count; i++) if (checksum(floats.subarray(i * size, (i + 1) * size)) !== this.sums[first + i]) throw this.#damage();
    return new Float32Array(floats.buffer, floats.byteOffset, count * this.width);
  }

  #damage(): IJepaError<"collection/damaged"> {
    const { name: path } = this.file, problem = "its bytes are not those that were written", file = path.slice(path.lastIndexOf(CACHE));
    return new IJepaError("collection/damaged", `${path} is damaged: ${problem}. Remove it: it is made anew from the parts.`, { path, files: [{ file, problem, rows: undefined }] });
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** The matrix of a part: from the cache, or made from the part and written to the cache if possible. */
export async function openMatrix(storage: FolderStorage, part: string, kind: MatrixKind, width: number): Promise<MatrixFile> {
  const path = `${CACHE}${part}.${kind}`;
  const file = await storage.open(path), cached = file && (await MatrixFile.open(file));
  if (cached !== undefined && cached.width === width) return cached;
  await file?.close();
  const bytes = encodeMatrix(await gather(storage, part, kind, width), width);
  await storage.write(path, bytes).catch(() => undefined);
  return (await MatrixFile.open(inMemory(path, bytes)))!;
}

/**
 * Runs work again if a file of the cache is damaged, without that file.
 * @param close closes the files that are open
 */
export async function withCache<T>(storage: FolderStorage, close: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const file = isIJepaError(error, "collection/damaged") ? error.details.files[0]?.file : undefined;
    if (file?.startsWith(CACHE) !== true) throw error;
    await close();
    await storage.remove(file).catch(() => {
      throw error;
    });
    return withCache(storage, close, work);
  }
}

/** @param floats [rows][width] */
export function encodeMatrix(floats: Float32Array, width: number): Uint8Array {
  const rows = floats.length / width, layout = layoutOf(rows, width), inner = innerOf(width), bytes = new Uint8Array(layout.end), { buffer } = bytes;
  new Uint32Array(buffer, 0, 3).set([MAGIC, rows, width]);
  const inverses = new Float64Array(rows), center = new Float64Array(buffer, layout.center, width);
  for (let r = 0; r < rows; r++) {
    const row = floats.subarray(r * width, (r + 1) * width), norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    inverses[r] = norm > 0 ? 1 / norm : 0;
    for (let k = 0; k < width; k++) center[k] += row[k] * inverses[r];
  }
  for (let k = 0; k < width; k++) center[k] /= rows;
  const array = (at: number) => new Float32Array(buffer, at, rows), codes = new Int8Array(buffer, layout.codes, rows * inner);
  const scales = array(layout.scales), losses = array(layout.losses), spreads = array(layout.spreads);
  for (let r = 0; r < rows; r++) {
    let largest = 0, lost = 0, kept = 0;
    for (let k = 0; k < width; k++) largest = Math.max(largest, Math.abs(floats[r * width + k] * inverses[r] - center[k]));
    scales[r] = largest / LARGEST;
    const scale = scales[r];
    for (let k = 0; k < width; k++) {
      const exact = floats[r * width + k] * inverses[r] - center[k];
      const code = scale > 0 ? Math.max(-LARGEST, Math.min(LARGEST, Math.round(exact / scale))) : 0;
      codes[r * inner + k] = code;
      lost += (exact - code * scale) ** 2;
      kept += (code * scale) ** 2;
    }
    losses[r] = Math.sqrt(lost) * SLACK;
    spreads[r] = Math.sqrt(kept) * SLACK;
  }
  new Float32Array(buffer, layout.floats, floats.length).set(floats);
  const sums = new Uint32Array(buffer, layout.sums, rows), sumOf = (from: number, to: number) => checksum(bytes.subarray(from, to));
  for (let r = 0; r < rows; r++) sums[r] = sumOf(layout.floats + 4 * r * width, layout.floats + 4 * (r + 1) * width);
  const words = new Uint32Array(buffer, 0, HEADER / 4);
  words[CODES_SUM] = sumOf(layout.codes, layout.floats);
  words[FRONT_SUM] = sumOf(HEADER, layout.codes);
  return bytes;
}

/** Of whole words; it changes with every bit. CRC-32 takes seven times as long, and a large collection has gigabytes. */
function checksum(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let sum = 0;
  for (let i = 0; i < words.length; i++) sum = Math.imul(sum ^ words[i], 0x01000193);
  return sum >>> 0;
}

export function innerOf(width: number): number {
  return roundUp(width, 16);
}

function layoutOf(rows: number, width: number): Layout {
  const center = HEADER, scales = center + 8 * width, losses = scales + 4 * rows, spreads = losses + 4 * rows;
  const sums = spreads + 4 * rows, codes = roundUp(sums + 4 * rows, 16), floats = codes + rows * innerOf(width);
  return { center, scales, losses, spreads, sums, codes, floats, end: floats + 4 * rows * width };
}

/** Places that are gone have rows of zeros. */
async function gather(storage: FolderStorage, part: string, kind: MatrixKind, width: number): Promise<Float32Array> {
  const groups: Float32Array[] = [];
  let units = 0;
  for await (const rows of rowsOfPart(storage, part, kind === "tokens")) {
    for (const row of rows) units = Math.max(units, (row[kind]?.length ?? 0) / width);
    for (const row of rows) {
      const one = row[kind] ?? new Float32Array(0);
      if (one.length % width !== 0) throw new IJepaError("collection/damaged", `The feature of ${row.source} has another width than the collection.`, { path: storage.name, files: [] });
      groups.push(one);
    }
  }
  const floats = new Float32Array(groups.length * Math.max(1, units) * width);
  groups.forEach((one, i) => floats.set(one, i * Math.max(1, units) * width));
  return floats;
}
