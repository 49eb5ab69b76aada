/**
 * linear_pack_int4_* and linear_pack_int8_halves: rows as the tiles of lib/tile-int4.ts, tile-int4-wide.ts and tile-int8.ts read
 * them, those of a tile side by side.
 *
 * x [rows][inner] int8 and blocks [rows][inner / 32] { f32 2^e, i16 pair }, as quantize-rows leaves them: -8 * sum of q over
 * k mod 4 in {0, 1} and {2, 3}. packed: the tiles' blocks, then their x; rows beyond the last repeat it. Units: PACK_ROWS rows, for
 * columns COLUMNS_PACK_ROWS.
 */
import { packRows } from "../../lib/pack-rows";
import { COLUMNS_ROWS } from "../../lib/tile-columns";
import { DOT32_ROWS, PLAIN_ROWS } from "../../lib/tile-int4";
import { DOT16_ROWS } from "../../lib/tile-int4-wide";
import { COLUMNS_PACK_ROWS, PACK_ROWS } from "./rows";

export const PLAIN: i32 = 0;
export const DOT32: i32 = 1;
export const DOT16_PAIRS: i32 = 2;
export const DOT16_LANES: i32 = 3;
/** Of int8. */
export const HALVES: i32 = 4;
export const DOT16_COLUMNS: i32 = 5;

/** From the bits of 2^e to those of 1.5 * 2^(23 + e), and of 2^(23 + e) + 2^(15 + e). */
const TO_MAGIC: i32 = 0x4b400000 - 0x3f800000;
const TO_LANE_MAGIC: i32 = 0x4b008000 - 0x3f800000;

@inline
export function rowsOf(loop: i32): i32 {
  return loop == DOT16_COLUMNS ? COLUMNS_ROWS : loop == DOT32 || loop == HALVES ? DOT32_ROWS : loop == PLAIN ? PLAIN_ROWS : DOT16_ROWS;
}

/** Rows of a unit of packing. */
@inline
function unitOf(loop: i32): i32 {
  return loop == DOT16_COLUMNS ? COLUMNS_PACK_ROWS : PACK_ROWS;
}

/** Bytes that one block of one row has among the blocks of `packed`. */
@inline
export function blockBytes(loop: i32): i32 {
  return loop == DOT16_LANES ? 12 : 8;
}

/** Bytes of its values. */
@inline
export function valueBytes(loop: i32): i32 {
  return loop == DOT16_LANES ? 36 : loop == PLAIN ? 64 : 32;
}

/** Start of the values: the blocks of whole units of rows are before them. */
@inline
export function valuesAt(loop: i32, rows: i32, inner: i32): usize {
  const unit = unitOf(loop);
  return <usize>((rows + unit - 1) / unit * unit * (inner >> 5) * blockBytes(loop));
}

@inline
export function pack(loop: i32, packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  const first = begin * unitOf(loop), count = min(end * unitOf(loop), rows) - first, groups = inner >> 5;
  packBlocks(loop, blocks + (<usize>(first * groups) << 3), packed + <usize>(first * groups * blockBytes(loop)), count, groups);
  const from = x + <usize>(first * inner), to = packed + valuesAt(loop, rows, inner) + <usize>(first * groups * valueBytes(loop));
  if (loop == PLAIN) packWide(from, to, count, inner >> 2);
  else if (loop == DOT16_LANES) packLanes(from, to, count, groups);
  else packRows(from, to, count, inner >> 2, rowsOf(loop));
}

@inline
function packBlocks(loop: i32, from: usize, to: usize, rows: i32, groups: i32): void {
  const size = rowsOf(loop), step = <usize>size << 2;
  for (let first = 0; first < rows; first += size) {
    for (let i = 0; i < size; i++) {
      let at = from + (<usize>(min(first + i, rows - 1) * groups) << 3), place = to + (<usize>i << 2);
      for (let left = groups; left > 0; left--) {
        const exponent = i32.load(at), pair = i32.load(at, 4), sum = (pair << 16 >> 16) + (pair >> 16);
        if (loop == DOT16_LANES) {
          const magic = exponent + TO_LANE_MAGIC;
          i32.store(place, twice(sum + 0x8000));
          i32.store(place + step, twice(magic >> 16));
          i32.store(place + step * 2, magic);
          place += step * 3;
        } else {
          const magic = exponent + TO_MAGIC;
          i32.store(place, loop == PLAIN ? magic : loop == HALVES ? (magic >> 4) + sum : magic + sum);
          i32.store(place + step, magic);
          place += step * 2;
        }
        at += 8;
      }
    }
    to += step * <usize>(groups * (blockBytes(loop) >> 2));
  }
}

/** Two i16 of the lower half of v. */
@inline
function twice(v: i32): i32 {
  return (v & 0xffff) | (v << 16);
}

/** packRows, its int8 as i16: words of two. */
function packWide(from: usize, to: usize, rows: i32, words: i32): void {
  for (let first = 0; first < rows; first += PLAIN_ROWS) {
    for (let i = 0; i < PLAIN_ROWS; i++) {
      let at = from + (<usize>(min(first + i, rows - 1) * words) << 2), place = to + (<usize>i << 2);
      for (let left = words; left > 0; left--) {
        const four = i16x8.extend_low_i8x16_s(v128.load32_zero(at));
        v128.store32_lane(place, four, 0);
        v128.store32_lane(place, four, 1, PLAIN_ROWS << 2);
        at += 4;
        place += PLAIN_ROWS << 3;
      }
    }
    to += <usize>(words * PLAIN_ROWS) << 3;
  }
}

/** Blocks of 36 bytes: 32 values, the first two again, two unused. */
function packLanes(from: usize, to: usize, rows: i32, groups: i32): void {
  for (let first = 0; first < rows; first += DOT16_ROWS) {
    for (let i = 0; i < DOT16_ROWS; i++) {
      let at = from + (<usize>(min(first + i, rows - 1) * groups) << 5), place = to + <usize>(i * 36);
      for (let left = groups; left > 0; left--) {
        v128.store(place, v128.load(at));
        v128.store(place, v128.load(at, 16), 16);
        i32.store(place, i32.load16_u(at), 32);
        at += 32;
        place += DOT16_ROWS * 36;
      }
    }
    to += <usize>(groups * DOT16_ROWS * 36);
  }
}
