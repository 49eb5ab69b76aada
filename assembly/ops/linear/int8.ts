/**
 * linear, int8 weights: y = activation(x W^T + bias) (+ residual), W[c][k] = u[c][k] * s[c][k / 32].
 *
 * packed: the rows, as int4-rows.ts leaves them: for `plain` and `wide` as int4's plain loop reads them, for `halves` by
 * linear_pack_int8_halves. form: of the tiles (lib/forms.ts). w panels [panel][inner / 4][32] bytes: byte 4 c + i holds u of column c
 * and input 4 j + i.
 * scales [panel][inner / 32][8] bf16, of which 5 significant bits count; bias [panels * 8]; y [rows][cols]. Units: panels, for
 * `wide` two of them.
 * Order: integers inside a block of 32, blocks in order from +0. Exact class: exact products, one rounding a block.
 * scratch: for each panel of a unit PANEL_SUMS bytes of sums and 17 * K_BLOCK of unpacked weights and scales.
 *
 * Twins: ts-api/src/backends/oracle/ops/linear.ts, gpu/ops/linear-int8.wgsl.
 */
import { OFFSETS } from "../../lib/forms";
import { tilePlain } from "../../lib/tile-int4";
import { PANEL_SUMS } from "../../lib/tile-int4-wide";
import { tileHalves, tileWide } from "../../lib/tile-int8";
import { finishPanel } from "./finish";
import { blockBytes, HALVES, pack, PLAIN, rowsOf, valueBytes, valuesAt } from "./int4-rows";
import { unpackHalves, unpackInt8Scales, unpackPairs } from "./int8-panels";
import { ROW_BLOCK, TILE_SLACK } from "./rows";

/** Inputs whose weights are unpacked at once, at most, of one panel: 20 KiB, in L1 with the rows of a tile. */
const K_BLOCK: i32 = 1280;

export function linear_pack_int8_halves(packed: usize, x: usize, blocks: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(HALVES, packed, x, blocks, rows, inner, begin, end);
}

export function linear_int8_plain(
  packed: usize, form: i32, w: usize, scales: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(PLAIN, form, 1, packed, w, scales, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int8_wide(
  packed: usize, w: usize, scales: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(PLAIN, OFFSETS, 2, packed, w, scales, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_int8_halves(
  packed: usize, w: usize, scales: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(HALVES, OFFSETS, 1, packed, w, scales, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

/** @param width panels of a unit */
@inline
function run(
  loop: i32, form: i32, width: i32, packed: usize, w: usize, scales: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  const tileRows = rowsOf(loop), panels = (cols + 7) >> 3, groups = inner >> 5, most = K_BLOCK / width;
  const values = packed + valuesAt(loop, rows, inner), unpacked = scratch + PANEL_SUMS * <usize>width, unpackedScales = unpacked + K_BLOCK * 16;
  const parts = (inner + most - 1) / most, part = (inner + parts * 32 - 1) / (parts * 32) * 32;
  for (let first = 0; first < rows; first += ROW_BLOCK) {
    const block = min(ROW_BLOCK, rows - first);
    for (let unit = begin; unit < end; unit++) {
      // A unit without a second panel computes its first one twice.
      const panel = unit * width, last = min(panel + width, panels) - 1;
      for (let i = 0; i < width; i++) memory.fill(scratch + PANEL_SUMS * <usize>i, 0, <usize>(block + TILE_SLACK) << 5);
      for (let k = 0; k < inner; k += part) {
        // 1. a block of the panels to i16 (or bytes), its scales to f32
        const count = min(part, inner - k), blocks = count >> 5;
        for (let i = 0; i < width; i++) {
          const at = <usize>(i == 0 ? panel : last) * <usize>inner + <usize>k;
          if (loop == HALVES) unpackHalves(w + (at << 3), unpacked, count);
          else unpackPairs(w + (at << 3), unpacked + (<usize>i << 5), count, width << 5);
          unpackInt8Scales(scales + (at >> 1), unpackedScales + (<usize>i << 5), blocks, width << 5);
        }
        // 2. sums over the blocks of 32
        for (let r = 0; r < block; r += tileRows) {
          const at = (first + r) * groups + (k >> 5) * tileRows, acc = scratch + (<usize>r << 5);
          const x = values + <usize>(at * valueBytes(loop)), beside = packed + <usize>(at * blockBytes(loop));
          if (width == 2) tileWide(acc, x, beside, unpacked, unpackedScales, blocks);
          else tile(loop, form, acc, x, beside, unpacked, unpackedScales, blocks);
        }
      }
      // 3. bias, activation, residual
      for (let i = panel; i <= last; i++) {
        finishPanel(false, scratch + PANEL_SUMS * <usize>(i - panel), bias, residual, residualRows, y, first, block, cols, activation, i);
      }
    }
  }
}

@inline
function tile(loop: i32, form: i32, acc: usize, x: usize, blocks: usize, w: usize, s: usize, count: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (loop == HALVES) return tileHalves(acc, x, blocks, w, s, count);
  }
  tilePlain(form, acc, x, blocks, w, s, count);
}
