/** From the codes of many matrices and a query to bounds of their cosines, by the SIMD kernel. */
import { runtime } from "#runtime";
import { roundUp } from "../core/numerics.js";
import { innerOf, type MatrixFile } from "./matrix.js";

/** Most codes in one memory: a quarter of what WebAssembly can address. */
const BLOCK = 2 ** 30, BASE = 1024, PAGE = 2 ** 16;
/** Queries that the kernel takes at once. */
export const QUERIES = 4;
const LARGEST_QUERY = 32767, LARGEST_CODE = 127;
/** Allowance for the rounding of sums in f64. */
const SLACK = 1e-9;

interface Kernels {
  scan(codes: number, rows: number, inner: number, query: number, out: number): void;
  scan_four(codes: number, rows: number, inner: number, query: number, out: number, stride: number): void;
}

interface Block {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  readonly queries: number;
  readonly out: number;
}

interface Place {
  readonly block: Block;
  readonly codes: number;
}

/** A query in 16 bits: q divided by its norm is `scale` times `codes`, plus an error whose norm is at most `rest`. */
export interface ScanQuery {
  readonly unit: Float64Array;
  readonly codes: Int16Array;
  readonly scale: number;
  readonly rest: number;
}

/** Lower and upper bounds of the cosine to the query, for rows of a matrix from the first one requested. */
export interface Bounds {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

export class Scanner {
  private constructor(
    private readonly matrices: readonly MatrixFile[],
    private readonly places: readonly Place[],
  ) {}

  /** @param matrices of one width, whose codes are read into memory */
  static async load(matrices: readonly MatrixFile[]): Promise<Scanner> {
    if (matrices.length === 0) return new Scanner([], []);
    const module = await runtime.wasmModule("scanner"), [{ inner }] = matrices, places: Place[] = [];
    for (const group of groupsOf(matrices)) {
      const most = Math.max(...group.map(({ rows }) => rows)), queries = BASE, out = roundUp(queries + QUERIES * inner * 2, 16);
      let at = roundUp(out + QUERIES * most * 4, 16);
      const addresses = group.map(({ rows }) => (at += roundUp(rows * inner, 16)) - roundUp(rows * inner, 16));
      const memory = new WebAssembly.Memory({ initial: Math.ceil(at / PAGE) });
      const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
      const block = { memory, kernels: exports as unknown as Kernels, queries, out };
      for (const [i, matrix] of group.entries()) {
        await matrix.readCodes(new Uint8Array(memory.buffer, addresses[i], matrix.rows * inner));
        places.push({ block, codes: addresses[i] });
      }
    }
    return new Scanner(matrices, places);
  }

  /**
   * Computes the bounds for the rows of one matrix, from `first` on.
   * @param queries one, or `QUERIES`
   */
  scan(matrix: number, queries: readonly ScanQuery[], first = 0): Bounds[] {
    const { block, codes } = this.places[matrix], { rows, inner, center, scales, losses, spreads } = this.matrices[matrix];
    const { memory, kernels } = block, count = rows - first, begin = codes + first * inner;
    queries.forEach(({ codes: query }, i) => new Int16Array(memory.buffer, block.queries + 2 * i * inner, inner).set(query));
    if (queries.length === 1) kernels.scan(begin, count, inner, block.queries, block.out);
    else kernels.scan_four(begin, count, inner, block.queries, block.out, count);
    return queries.map(({ unit, scale, rest }, i) => {
      const sums = new Int32Array(memory.buffer, block.out + 4 * i * count, count);
      const shift = center.reduce((sum, value, k) => sum + value * unit[k], 0), low = new Float64Array(count), high = new Float64Array(count);
      for (let r = 0; r < count; r++) {
        const row = first + r, middle = shift + scale * scales[row] * sums[r], off = losses[row] + rest * spreads[row] + SLACK;
        low[r] = middle - off;
        high[r] = middle + off;
      }
      return { low, high };
    });
  }
}

/** @param query as many numbers as a row of the matrices has */
export function scanQuery(query: ArrayLike<number>): ScanQuery {
  const width = query.length, unit = Float64Array.from(query), norm = Math.sqrt(unit.reduce((sum, v) => sum + v * v, 0));
  for (let k = 0; k < width; k++) unit[k] = norm > 0 ? unit[k] / norm : 0;
  const largest = unit.reduce((most, v) => Math.max(most, Math.abs(v)), 0), sum = unit.reduce((all, v) => all + Math.abs(v), 0);
  // Rounding may add half a step to every number.
  const steps = Math.min(LARGEST_QUERY / largest, ((2 ** 31 - 1) / LARGEST_CODE - width) / sum), scale = norm > 0 ? 1 / steps : 0;
  const codes = new Int16Array(innerOf(width));
  let rest = 0;
  for (let k = 0; k < width; k++) {
    codes[k] = scale > 0 ? Math.round(unit[k] / scale) : 0;
    rest += (unit[k] - codes[k] * scale) ** 2;
  }
  return { unit, codes, scale, rest: Math.sqrt(rest) };
}

function groupsOf(matrices: readonly MatrixFile[]): MatrixFile[][] {
  const groups: MatrixFile[][] = [];
  let room = 0;
  for (const matrix of matrices) {
    const size = matrix.rows * matrix.inner;
    if (groups.length === 0 || size > room) {
      groups.push([]);
      room = BLOCK;
    }
    groups.at(-1)!.push(matrix);
    room -= size;
  }
  return groups;
}
