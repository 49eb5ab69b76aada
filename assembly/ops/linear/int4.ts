/**
 * linear, int4 weights: y = activation(x W^T + bias) (+ residual), W[c][k] = (u[c][k] - 8) * s[c][k / group].
 *
 * linear_pack_int4_*: x [rows][inner] int8 and blocks [rows][inner / 32] { f32 2^e, i16 pair }, as quantize-rows leaves them, to
 * packed: the blocks, then x (plain: as i16), side by side as the tiles read them. Units of PACK_ROWS rows.
 * w panels [panel][inner / 4][16] bytes: byte 4 c + i holds u of column c (low nibble) and column c + 4 (high nibble), input
 * 4 j + i. scales [panel][inner / group, rounded up][8] bf16, group 32 or 64; bias [panels * 8]; y [rows][cols]. Units: panels.
 * Order: integers inside a block of 32, blocks in order from +0. Exact class: exact products, one rounding a block.
 * packed: whole units of rows. scratch: 32 bytes of sums a row of a block (whole tiles), the unpacked panel block with its scales.
 *
 * Twins: ts-api/src/backends/oracle/ops/linear.ts, gpu/ops/linear-int4.wgsl.
 */
import { packRows } from "../../lib/pack-rows";
import { DOT16_ROWS, DOT32_ROWS, PLAIN_ROWS, tileDot16, tileDot32, tilePlain } from "../../lib/tile-int4";
import { finishPanel } from "./finish";
import { PACK_ROWS, ROW_BLOCK, TILE_SLACK } from "./rows";

/** Inputs whose weights are unpacked at once: 8 KiB of u8 panel, or 16 KiB of i16, in L1. */
const K_BLOCK: i32 = 1024;
const DOT16: i32 = 0;
const DOT32: i32 = 1;
const PLAIN: i32 = 2;

export function linear_pack_int4_plain(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(PLAIN, packed, x, blocks, rows, inner, begin, end);
}

export function linear_pack_int4_dot16(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(DOT16, packed, x, blocks, rows, inner, begin, end);
}

export function linear_pack_int4_dot32(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(DOT32, packed, x, blocks, rows, inner, begin, end);
}

@inline
function pack(loop: i32, packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  const words = inner >> 2, blockWords = (inner >> 5) << 1, first = begin * PACK_ROWS, count = min(end * PACK_ROWS, rows) - first;
  packRows(blocks + (<usize>(first * blockWords) << 2), packed + (<usize>(first * blockWords) << 2), count, blockWords, rowsOf(loop));
  const tiles = packed + packedBlockBytes(rows, inner), from = x + <usize>(first * inner);
  if (loop == PLAIN) packWide(from, tiles + (<usize>(first * inner) << 1), count, words, rowsOf(loop));
  else packRows(from, tiles + <usize>(first * inner), count, words, rowsOf(loop));
}

export function linear_int4_plain(
  packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(PLAIN, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int4_dot16(
  packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(DOT16, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int4_dot32(
  packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(DOT32, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

@inline
function run(
  loop: i32, packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32,
  y: usize, rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  const tileRows = rowsOf(loop), xSize: usize = loop == PLAIN ? 2 : 1, tiles = packed + packedBlockBytes(rows, inner);
  const blockWords = (inner >> 5) << 1, scaleStride = <usize>((inner + group - 1) / group) << 4;
  const unpacked = scratch + (<usize>(min(rows, ROW_BLOCK) + TILE_SLACK) << 5), unpackedScales = unpacked + K_BLOCK * 16;
  for (let first = 0; first < rows; first += ROW_BLOCK) {
    const block = min(ROW_BLOCK, rows - first);
    for (let panel = begin; panel < end; panel++) {
      memory.fill(scratch, 0, <usize>(block + TILE_SLACK) << 5);
      for (let k = 0; k < inner; k += K_BLOCK) {
        // 1. a block of the panel to bytes (or i16), its scales to f32
        const count = min(K_BLOCK, inner - k), groups = count >> 5, at = <usize>panel * <usize>inner + <usize>k;
        if (loop == PLAIN) unpackWide(w + (at << 2), unpacked, count);
        else unpackNibbles(w + (at << 2), unpacked, count);
        unpackScales(scales + scaleStride * <usize>panel + (<usize>(k / group) << 4), unpackedScales, groups, group >> 5);
        // 2. sums over the blocks of 32
        for (let r = 0; r < block; r += tileRows) {
          const acc = scratch + (<usize>r << 5), row = first + r;
          const xr = tiles + <usize>(row * inner + k * tileRows) * xSize;
          tile(loop, acc, xr, packed + (<usize>(row * blockWords + (k >> 4) * tileRows) << 2), unpacked, unpackedScales, groups);
        }
      }
      // 3. bias, activation, residual
      finishPanel(scratch, bias, residual, residualRows, y, first, block, cols, activation, panel);
    }
  }
}

@inline
function tile(loop: i32, acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (loop == DOT16) return tileDot16(acc, x, blocks, w, s, count);
    if (loop == DOT32) return tileDot32(acc, x, blocks, w, s, count);
  }
  tilePlain(acc, x, blocks, w, s, count);
}

/** [count / 4][16] nibble pairs to [count / 4][32] u8: 4 inputs of columns 0-3, then of columns 4-7. */
function unpackNibbles(w: usize, to: usize, count: i32): void {
  for (const end = w + (<usize>count << 2); w < end; w += 16) {
    const v = v128.load(w);
    v128.store(to, v128.and(v, i8x16.splat(15)));
    v128.store(to, i8x16.shr_u(v, 4), 16);
    to += 32;
  }
}

/** [count / 4][16] nibble pairs to [count / 2][16] i16 of u - 8: 2 inputs of 8 columns. */
function unpackWide(w: usize, to: usize, count: i32): void {
  for (const end = w + (<usize>count << 2); w < end; w += 16) {
    const v = v128.load(w);
    // Bytes 4 c + i of columns c, as inputs i = 0 1 of all columns, then 2 3.
    const low = i8x16.sub(v128.and(v, i8x16.splat(15)), i8x16.splat(8));
    const high = i8x16.sub(i8x16.shr_u(v, 4), i8x16.splat(8));
    const lowPairs = v128.shuffle<u8>(low, low, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const highPairs = v128.shuffle<u8>(high, high, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    v128.store(to, i16x8.extend_low_i8x16_s(lowPairs));
    v128.store(to, i16x8.extend_low_i8x16_s(highPairs), 16);
    v128.store(to, i16x8.extend_high_i8x16_s(lowPairs), 32);
    v128.store(to, i16x8.extend_high_i8x16_s(highPairs), 48);
    to += 64;
  }
}

/** bf16 scales of 8 columns, one for `repeat` blocks, to [blocks][8] f32. */
function unpackScales(scales: usize, to: usize, blocks: i32, repeat: i32): void {
  for (let block = 0; block < blocks; block++) {
    const v = v128.load(scales + (<usize>(block / repeat) << 4));
    v128.store(to, i32x4.shl(i32x4.extend_low_i16x8_u(v), 16));
    v128.store(to, i32x4.shl(i32x4.extend_high_i16x8_u(v), 16), 16);
    to += 32;
  }
}

/** packRows, its int8 as i16. */
function packWide(from: usize, to: usize, rows: i32, words: i32, size: i32): void {
  for (let first = 0; first < rows; first += size) {
    for (let i = 0; i < size; i++) {
      let at = from + (<usize>(min(first + i, rows - 1) * words) << 2), place = to + (<usize>i << 3);
      for (let left = words; left > 0; left--) {
        v128.store64_lane(place, i16x8.extend_low_i8x16_s(v128.load32_zero(at)), 0);
        at += 4;
        place += <usize>size << 3;
      }
    }
    to += <usize>(words * size) << 3;
  }
}

@inline
function rowsOf(loop: i32): i32 {
  return loop == DOT32 ? DOT32_ROWS : loop == DOT16 ? DOT16_ROWS : PLAIN_ROWS;
}

/** What the blocks of all rows take in `packed`, whole units of rows. */
@inline
function packedBlockBytes(rows: i32, inner: i32): usize {
  return <usize>((rows + PACK_ROWS - 1) / PACK_ROWS * PACK_ROWS * (inner >> 5)) << 3;
}
