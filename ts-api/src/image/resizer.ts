/** The two passes of `resize` for RGB at the speed of WebAssembly SIMD: the bytes of the plain loops, some ten times as fast. */
import { runtime } from "#runtime";
import { roundUp } from "../core/numerics.js";
import type { AxisTable } from "./resample-table.js";

/** Input rows that are in the module's memory at a time: some of them stay in the processor's cache. */
const BAND_BYTES = 2 ** 19;
/** Most memory of the module that a resize may use, because it is kept; larger resizes run in plain loops. */
const MAX_BYTES = 2 ** 28;
const BASE = 2 ** 16, PAGE = 2 ** 16;
/** Kernels read a vector at a time, also the last one of a row. */
const VECTOR = 16;
const ROWS = 4, TAPS = 4;

interface Kernels {
  resample_rows(
    src: number, stride: number, dst: number, dstStride: number, rows: number, width: number,
    firsts: number, groups: number, coefficients: number, tableStride: number,
  ): void;
  resample_columns(
    src: number, stride: number, dst: number, height: number, firsts: number, pairs: number, coefficients: number, tableStride: number,
  ): void;
}

/** Rows of RGB pixels. */
export interface Rows {
  /** [height][width][3]. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

export class Resizer {
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  #top = BASE;

  constructor(module: WebAssembly.Module) {
    this.#memory = new WebAssembly.Memory({ initial: BASE / PAGE });
    this.#kernels = new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports as unknown as Kernels;
  }

  /**
   * [height of `vertical`][width of `horizontal`][3]; undefined if the module's memory would have to grow too far.
   *
   * @param vertical counted from the first of `rows`
   */
  resample(rows: Rows, horizontal: AxisTable, vertical: AxisTable): Uint8Array | undefined {
    const width = horizontal.first.length, height = vertical.first.length, rowBytes = rows.width * 3;
    const stride = roundUp(width * 3 + 1, VECTOR), band = roundUp(Math.min(rows.height, Math.max(1, Math.floor(BAND_BYTES / rowBytes))), ROWS);
    // A band may end beyond the image, and the vertical pass may read one row more.
    const narrowRows = roundUp(rows.height, band) + 1;
    this.#top = BASE;
    const across = pairsOf(horizontal, TAPS), down = pairsOf(vertical, 2);
    const source = this.#reserve(band * rowBytes + VECTOR), narrow = this.#reserve(narrowRows * stride), out = this.#reserve(height * stride);
    const places = [across, down].map((table) => ({
      table,
      firsts: this.#reserve(table.firsts.byteLength),
      counts: this.#reserve(table.counts.byteLength),
      words: this.#reserve(table.words.byteLength),
    }));
    if (this.#top > MAX_BYTES) return undefined;
    const lacking = Math.ceil((this.#top - this.#memory.buffer.byteLength) / PAGE);
    if (lacking > 0) this.#memory.grow(lacking);
    const bytes = new Uint8Array(this.#memory.buffer);
    for (const { table, firsts, counts, words } of places) {
      for (const [at, array] of [[firsts, table.firsts], [counts, table.counts], [words, table.words]] as const) new Int32Array(bytes.buffer, at, array.length).set(array);
    }
    const [columns, lines] = places;
    for (let first = 0; first < rows.height; first += band) {
      const count = Math.min(band, rows.height - first);
      bytes.set(rows.data.subarray(first * rowBytes, (first + count) * rowBytes), source);
      this.#kernels.resample_rows(
        source, rowBytes, narrow + first * stride, stride, roundUp(count, ROWS), width, columns.firsts, columns.counts, columns.words, across.stride,
      );
    }
    this.#kernels.resample_columns(narrow, stride, out, height, lines.firsts, lines.counts, lines.words, down.stride);
    const result = new Uint8Array(height * width * 3);
    for (let y = 0; y < height; y++) result.set(bytes.subarray(out + y * stride, out + y * stride + width * 3), y * width * 3);
    return result;
  }

  #reserve(bytes: number): number {
    const at = this.#top;
    this.#top += roundUp(bytes, VECTOR);
    return at;
  }
}

/** A table as the kernels read it (assembly/image/resample.ts). */
interface Pairs {
  /** Byte of a row of RGB, or number of a row. */
  firsts: Int32Array;
  /** Groups of `taps` taps. */
  counts: Int32Array;
  words: Int32Array;
  /** Bytes of one output pixel's words. */
  stride: number;
}

/** @param taps of a group: 4 across, where positions are bytes of a row; 2 down */
function pairsOf({ first, count, coefficients, width }: AxisTable, taps: 2 | 4): Pairs {
  const size = first.length, groups = Math.ceil(width / taps), words = new Int32Array(size * groups * taps);
  const half = (out: number, tap: number, shift: number) => {
    const coefficient = tap < count[out] ? coefficients[out * width + tap] : 0, low = (coefficient << 16) >> 16;
    return shift === 0 ? low : (coefficient - low) >> 16;
  };
  for (let out = 0; out < size; out++) {
    for (let tap = 0; tap < count[out]; tap += 2) {
      for (const [place, shift] of [[0, 0], [1, 16]]) {
        words[out * groups * taps + tap + place] = (half(out, tap, shift) & 0xffff) | (half(out, tap + 1, shift) << 16);
      }
    }
  }
  return { firsts: taps === TAPS ? first.map((pixel) => pixel * 3) : first, counts: count.map((n) => Math.ceil(n / taps)), words, stride: groups * taps * 4 };
}

let opened: Resizer | undefined;

/**
 * Loads the module once; `resize` uses it from then on. A host without the module (`setWasmModules`) continues with the plain loops,
 * which give the same bytes.
 */
export async function openResizer(): Promise<void> {
  if (opened !== undefined) return;
  const module = await runtime.wasmModule("resizer").catch(() => undefined);
  if (module !== undefined) opened ??= new Resizer(module);
}

/** The resizer, once it is open. */
export function openedResizer(): Resizer | undefined {
  return opened;
}
