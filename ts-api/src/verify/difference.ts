/** From a result of two variants to a description of the first element that differs. */
import type { TracedResult } from "./trace.js";

/** Where two variants differ: the first op, in the order of computation, whose words are not the same. */
export interface Difference {
  /** "embedding", "layer 3" or "final norm". */
  part: string;
  /** The op, such as "linear". */
  op: string;
  /** The op's buffer, and the first differing element of it. */
  buffer: string;
  /** Place of the element, an index for each axis. */
  coordinates: number[];
  /** The word of this variant, as a hexadecimal number. */
  actual: string;
  /** The word of the first variant, as a hexadecimal number. */
  expected: string;
  /** f32 numbers between the two; undefined for integers. */
  ulps: number | undefined;
  /** Elements that differ. */
  differing: number;
  /** Elements of the buffer. */
  total: number;
}

const WORD_BYTES: Record<string, number> = { f32: 4, u32: 4, bf16: 2, i8: 1, u8: 1 };

/** Compares the kept bytes of one result of two variants. */
export function compareResults(actual: TracedResult, expected: TracedResult, layers: number): Difference {
  const size = WORD_BYTES[expected.type], a = actual.bytes!, e = expected.bytes!;
  const total = e.length / size;
  let first = -1, differing = 0;
  for (let i = 0; i < total; i++) {
    if (e.subarray(i * size, (i + 1) * size).every((byte, at) => byte === a[i * size + at])) continue;
    if (first < 0) first = i;
    differing++;
  }
  const [got, want] = [wordAt(a, first, size), wordAt(e, first, size)];
  return {
    part: expected.run === 0 ? "embedding" : expected.run > layers ? "final norm" : `layer ${expected.run - 1}`,
    op: actual.op,
    buffer: expected.buffer,
    coordinates: coordinatesOf(first, expected.dims),
    actual: hex(got, size),
    expected: hex(want, size),
    ulps: expected.type === "f32" ? Math.abs(ordered(got) - ordered(want)) : undefined,
    differing,
    total,
  };
}

function wordAt(bytes: Uint8Array, index: number, size: number): number {
  let word = 0;
  for (let i = size - 1; i >= 0; i--) word = word * 256 + bytes[index * size + i];
  return word;
}

function hex(word: number, size: number): string {
  return `0x${word.toString(16).padStart(size * 2, "0")}`;
}

/** f32 bits as integers in the order of the numbers. */
function ordered(word: number): number {
  return word < 0x80000000 ? word : 0x80000000 - word;
}

function coordinatesOf(index: number, dims: readonly number[]): number[] {
  return dims.reduceRight<{ rest: number; place: number[] }>(
    ({ rest, place }, dim) => ({ rest: Math.floor(rest / dim), place: [rest % dim, ...place] }),
    { rest: index, place: [] },
  ).place;
}
