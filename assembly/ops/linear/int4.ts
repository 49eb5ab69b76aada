/**
 * linear, int4 weights: y = activation(x W^T + bias) (+ residual), W[c][k] = (u[c][k] - 8) * s[c][k / group].
 *
 * packed: the rows, as linear_pack_int4_* of the same loop leaves them (int4-rows.ts). form: of the tiles (lib/forms.ts).
 * w panels [panel][inner / 4][16] bytes: byte 4 c + i holds u of column c (low nibble) and column c + 4 (high nibble), input 4 j + i.
 * scales [panel][inner / group, rounded up][8] bf16, group 32 or 64; bias [panels * 8]; y [rows][cols]. Units: panels, for dot16 two
 * of them.
 * Order: integers inside a block of 32, blocks in order from +0. Exact class: exact products, one rounding a block.
 * scratch: for each panel of a unit PANEL_SUMS bytes of sums and 17 * K_BLOCK of unpacked weights and scales.
 *
 * Twins: ts-api/src/backends/oracle/ops/linear.ts, gpu/ops/linear-int4.wgsl.
 */
import { OFFSETS } from "../../lib/forms";
import { transposeBlocks } from "../../lib/pack-rows";
import { tileDot16Columns } from "../../lib/tile-columns";
import { tileDot32, tilePlain } from "../../lib/tile-int4";
import { PANEL_SUMS, tileDot16Lanes, tileDot16Pairs } from "../../lib/tile-int4-wide";
import { finishPanel } from "./finish";
import { unpackColumnNibbles, unpackColumnScales, unpackLanes, unpackNibbles, unpackScales, unpackWide } from "./int4-panels";
import { blockBytes, DOT16_COLUMNS, DOT16_LANES, DOT16_PAIRS, DOT32, pack, PLAIN, rowsOf, valueBytes, valuesAt } from "./int4-rows";
import { ROW_BLOCK, TILE_SLACK } from "./rows";

/** Inputs whose weights are unpacked at once, at most: 20 KiB, in L1 with the rows of a tile. Whole groups of 64. */
const K_BLOCK: i32 = 1280;
/** The same for columns, whose weights and scales take four times the memory. */
const SPLATTED_K_BLOCK: i32 = 320;

export function linear_pack_int4_plain(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(PLAIN, packed, x, blocks, rows, inner, begin, end);
}

export function linear_pack_int4_dot32(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(DOT32, packed, x, blocks, rows, inner, begin, end);
}

export function linear_pack_int4_dot16_pairs(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(DOT16_PAIRS, packed, x, blocks, rows, inner, begin, end);
}

export function linear_pack_int4_dot16_lanes(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(DOT16_LANES, packed, x, blocks, rows, inner, begin, end);
}

export function linear_pack_int4_dot16_columns(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(DOT16_COLUMNS, packed, x, blocks, rows, inner, begin, end);
}

export function linear_int4_plain(
  packed: usize, form: i32, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(PLAIN, form, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int4_dot32(
  packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(DOT32, OFFSETS, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int4_dot16_pairs(
  packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(DOT16_PAIRS, OFFSETS, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int4_dot16_lanes(
  packed: usize, form: i32, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(DOT16_LANES, form, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int4_dot16_columns(
  packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(DOT16_COLUMNS, OFFSETS, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

@inline
function run(
  loop: i32, form: i32, packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32,
  y: usize, rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  const tileRows = rowsOf(loop), width = panelsOf(loop), panels = (cols + 7) >> 3, groups = inner >> 5;
  const values = packed + valuesAt(loop, rows, inner), scaleStride = <usize>((inner + group - 1) / group) << 4;
  const unpacked = scratch + PANEL_SUMS * width, unpackedScales = unpacked + K_BLOCK * 16;
  const columns = loop == DOT16_COLUMNS, most = columns ? SPLATTED_K_BLOCK : K_BLOCK;
  const parts = (inner + most - 1) / most, part = (inner + parts * 64 - 1) / (parts * 64) * 64;
  for (let first = 0; first < rows; first += ROW_BLOCK) {
    const block = min(ROW_BLOCK, rows - first);
    for (let unit = begin; unit < end; unit++) {
      // A unit without a second panel computes its first one twice.
      const panel = unit * width, last = min(panel + width, panels) - 1;
      for (let i = 0; i < width; i++) memory.fill(scratch + PANEL_SUMS * <usize>i, 0, <usize>(block + TILE_SLACK) << 5);
      for (let k = 0; k < inner; k += part) {
        // 1. a block of the panels to bytes (or i16), its scales to f32
        const count = min(part, inner - k), blocks = count >> 5;
        for (let i = 0; i < width; i++) {
          const from = <usize>(i == 0 ? panel : last), s = scales + scaleStride * from + (<usize>(k / group) << 4);
          unpack(loop, w + ((from * <usize>inner + <usize>k) << 2), unpacked, i, count);
          if (columns) unpackColumnScales(s, unpackedScales, blocks, group >> 5);
          else unpackScales(loop == DOT16_LANES, s, unpackedScales + (<usize>i << 5), blocks, group >> 5, width << 5);
        }
        // 2. sums over the blocks of 32
        for (let r = 0; r < block; r += tileRows) {
          const at = (first + r) * groups + (k >> 5) * tileRows;
          const x = values + <usize>(at * valueBytes(loop)), beside = packed + <usize>(at * blockBytes(loop));
          if (columns) twoTiles(scratch + (<usize>r << 5), x, beside, unpacked, unpackedScales, blocks);
          else tile(loop, form, scratch + (<usize>r << 5), x, beside, unpacked, unpackedScales, blocks);
        }
      }
      // 3. bias, activation, residual
      for (let i = panel; i <= last; i++) {
        const sums = scratch + PANEL_SUMS * <usize>(i - panel);
        if (columns) transposeBlocks(sums, (block + 7) >> 3);
        finishPanel(loop == DOT16_LANES, sums, bias, residual, residualRows, y, first, block, cols, activation, i);
      }
    }
  }
}

@inline
function tile(loop: i32, form: i32, acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (loop == DOT16_LANES) return tileDot16Lanes(form, acc, x, blocks, w, s, count);
    if (loop == DOT16_PAIRS) return tileDot16Pairs(acc, x, blocks, w, s, count);
    if (loop == DOT32) return tileDot32(acc, x, blocks, w, s, count);
  }
  tilePlain(form, acc, x, blocks, w, s, count);
}

/** Both halves of a panel. */
@inline
function twoTiles(acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    tileDot16Columns(acc, x, blocks, w, s, count);
    tileDot16Columns(acc + 128, x, blocks, w + (<usize>count << 9), s + (<usize>count << 6), count);
  }
}

/** Panel i of the unit. */
@inline
function unpack(loop: i32, w: usize, to: usize, i: i32, count: i32): void {
  if (loop == PLAIN) unpackWide(w, to, count);
  else if (loop == DOT16_LANES) unpackLanes(w, to + (<usize>i << 4), count);
  else if (loop == DOT16_COLUMNS) unpackColumnNibbles(w, to, count);
  else unpackNibbles(w, to + (<usize>i << 5), count, loop == DOT16_PAIRS ? 64 : 32);
}

/** Panels of a unit. */
@inline
function panelsOf(loop: i32): i32 {
  return loop == DOT16_PAIRS || loop == DOT16_LANES ? 2 : 1;
}
