/**
 * linear, int4 weights: y = activation(x W^T + bias) (+ residual), W[c][k] = (u[c][k] - 8) * s[c][k / group].
 *
 * x [rows][inner] int8 and blocks [rows][inner / 32] { f32 2^e, i16 pair }, as quantize-rows leaves them.
 * w panels [panel][inner / 4][16] bytes: byte 4 c + i holds u of column c (low nibble) and column c + 4 (high nibble), input
 * 4 j + i. scales [panel][inner / group, rounded up][8] bf16, group 32 or 64; bias [panels * 8]; y [rows][cols]. Panels
 * begin ... end - 1 are computed.
 * Order: integers inside a block of 32, blocks in order from +0. Exact class: exact products, one rounding a block.
 * scratch: 32 bytes of sums a row of a block (whole tiles), the unpacked panel block, the packed rows of a block, and (plain
 * only) those as i16.
 *
 * Twins: ts-api/src/backends/oracle/ops/linear.ts, gpu/ops/linear-int4.wgsl.
 */
import { packedBytes, packRows, ROW_BLOCK } from "../../lib/pack-rows";
import { DOT16_ROWS, DOT32_ROWS, PLAIN_ROWS, tileDot16, tileDot32, tilePlain } from "../../lib/tile-int4";
import { finishPanel } from "./finish";

/** Inputs whose weights are unpacked at once: 8 KiB of u8 panel, or 16 KiB of i16, in L1. */
const K_BLOCK: i32 = 1024;
/** Room for the sums of one tile more than there are rows. */
const TILE_SLACK: i32 = 8;

const DOT16: i32 = 0;
const DOT32: i32 = 1;
const PLAIN: i32 = 2;

export function linear_int4_plain(
  x: usize, blocks: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(PLAIN, x, blocks, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int4_dot16(
  x: usize, blocks: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(DOT16, x, blocks, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int4_dot32(
  x: usize, blocks: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(DOT32, x, blocks, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

@inline
function run(
  loop: i32, x: usize, blocks: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32,
  y: usize, rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  const tileRows = loop == DOT32 ? DOT32_ROWS : loop == DOT16 ? DOT16_ROWS : PLAIN_ROWS, xSize: usize = loop == PLAIN ? 2 : 1;
  const words = inner >> 2, blockWords = (inner >> 5) << 1, scaleStride = <usize>((inner + group - 1) / group) << 4;
  const held = min(rows, ROW_BLOCK), unpacked = scratch + (<usize>(held + TILE_SLACK) << 5);
  const unpackedScales = unpacked + K_BLOCK * 16, packedBlocks = unpackedScales + (K_BLOCK >> 5) * 32;
  const packed = packedBlocks + packedBytes(held, blockWords, tileRows);
  const tiles = loop == PLAIN ? packed + packedBytes(held, words, tileRows) : packed;
  for (let first = 0; first < rows; first += ROW_BLOCK) {
    // 1. a block of rows, side by side as the tiles read them
    const block = min(ROW_BLOCK, rows - first);
    packRows(blocks + (<usize>(first * blockWords) << 2), packedBlocks, block, blockWords, tileRows);
    packRows(x + <usize>(first * inner), packed, block, words, tileRows);
    if (loop == PLAIN) widen(packed, tiles, packedBytes(block, words, tileRows));
    for (let panel = begin; panel < end; panel++) {
      memory.fill(scratch, 0, <usize>(block + TILE_SLACK) << 5);
      for (let k = 0; k < inner; k += K_BLOCK) {
        // 2. a block of the panel to bytes (or i16), its scales to f32
        const count = min(K_BLOCK, inner - k), groups = count >> 5, at = <usize>panel * <usize>inner + <usize>k;
        if (loop == PLAIN) unpackWide(w + (at << 2), unpacked, count);
        else unpackNibbles(w + (at << 2), unpacked, count);
        unpackScales(scales + scaleStride * <usize>panel + (<usize>(k / group) << 4), unpackedScales, groups, group >> 5);
        // 3. sums over the blocks of 32
        for (let r = 0; r < block; r += tileRows) {
          const acc = scratch + (<usize>r << 5), xr = tiles + <usize>(r * inner + k * tileRows) * xSize;
          tile(loop, acc, xr, packedBlocks + (<usize>(r * blockWords + (k >> 4) * tileRows) << 2), unpacked, unpackedScales, groups);
        }
      }
      // 4. bias, activation, residual
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

/** `count` int8 to i16; count is a multiple of 16. */
function widen(x: usize, to: usize, count: usize): void {
  for (const end = x + count; x < end; x += 16) {
    const v = v128.load(x);
    v128.store(to, i16x8.extend_low_i8x16_s(v));
    v128.store(to, i16x8.extend_high_i8x16_s(v), 16);
    to += 32;
  }
}
