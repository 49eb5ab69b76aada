/**
 * linear, all formats but int8 and int4: y = activation(x W^T + bias) (+ residual).
 *
 * linear_pack_*: x [rows][inner] f32, as quantize-rows leaves it (bounded, or rounded to bf16), to packed, side by side as the tiles
 * read it. Units of PACK_ROWS rows. linear_*: bias [panels * 8]; y [rows][cols]; inner a multiple of 32. Units: panels.
 * fp32, bf16: w panels [panel][inner][8] of f32 or bf16.
 * nf4, fp4: w panels [panel][inner / 4][16] of two codes, as in int4.ts; scales [panel][inner / group, rounded up][8] f32, group
 * 32 or 64. W = roundBf16(codebook[u] * s), so the sums are those of bf16 on the decoded weights.
 * Order: k = 0 ... inner - 1 from +0. Exact class: fp32 pinned (product, then sum), the others exact products.
 * form: of the tiles (lib/forms.ts). packed: whole units of rows. scratch: 32 bytes of sums a row of a block (whole tiles), 32 * K_BLOCK
 * bytes of weights; with columns 160 * COLUMNS_K_BLOCK.
 *
 * Twins: ts-api/src/backends/oracle/ops/linear.ts, gpu/ops/linear.wgsl, gpu/ops/linear-codes.wgsl.
 */
import { FP4, NF4 } from "../../lib/codebook";
import { COLUMNS } from "../../lib/forms";
import { packRows, transposeBlocks } from "../../lib/pack-rows";
import { COLUMNS_ROWS, tileColumns } from "../../lib/tile-columns";
import { EXACT_ROWS, PINNED_ROWS, tileExact, tilePinned } from "../../lib/tile-f32";
import { finishPanel } from "./finish";
import { COLUMNS_PACK_ROWS, PACK_ROWS, ROW_BLOCK, TILE_SLACK } from "./rows";
import { splatColumns, unpackBf16, unpackCodes } from "./unpack";

/** Inputs whose weights are unpacked at once: 8 KiB of panel beside 6 KiB of rows in L1. A multiple of every group. */
const K_BLOCK: i32 = 256;
/** With columns: 16 KiB of splatted weights beside 4 KiB of rows. */
const COLUMNS_K_BLOCK: i32 = 128;

/** Beside NF4 and FP4. */
const FP32: i32 = 2;
const BF16: i32 = 3;

export function linear_pack_pinned(packed: usize, x: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(packed, x, rows, inner, PINNED_ROWS, PACK_ROWS, begin, end);
}

export function linear_pack_exact(packed: usize, x: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(packed, x, rows, inner, EXACT_ROWS, PACK_ROWS, begin, end);
}

export function linear_pack_columns(packed: usize, x: usize, rows: i32, inner: i32, begin: i32, end: i32): void {
  pack(packed, x, rows, inner, COLUMNS_ROWS, COLUMNS_PACK_ROWS, begin, end);
}

@inline
function pack(packed: usize, x: usize, rows: i32, inner: i32, tileRows: i32, unit: i32, begin: i32, end: i32): void {
  const first = begin * unit, at = <usize>(first * inner) << 2;
  packRows(x + at, packed + at, min(end * unit, rows) - first, inner, tileRows);
}

export function linear_fp32(
  packed: usize, form: i32, w: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(FP32, form, packed, w, 0, inner, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_bf16(
  packed: usize, form: i32, w: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(BF16, form, packed, w, 0, inner, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_nf4(
  packed: usize, form: i32, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(NF4, form, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_fp4(
  packed: usize, form: i32, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  run(FP4, form, packed, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

@inline
function run(
  format: i32, form: i32, packed: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  const columns = form == COLUMNS, tileRows = columns ? COLUMNS_ROWS : format == FP32 ? PINNED_ROWS : EXACT_ROWS;
  const kBlock = columns ? COLUMNS_K_BLOCK : K_BLOCK, scaleStride = <usize>((inner + group - 1) / group) << 5;
  const unpacked = scratch + (<usize>(min(rows, ROW_BLOCK) + TILE_SLACK) << 5);
  for (let first = 0; first < rows; first += ROW_BLOCK) {
    const block = min(ROW_BLOCK, rows - first);
    for (let panel = begin; panel < end; panel++) {
      for (let k = 0; k < inner; k += kBlock) {
        // 1. a block of the panel as f32; it stays in L1 for all rows
        const at = <usize>panel * <usize>inner + <usize>k, count = min(kBlock, inner - k);
        const weights = format == FP32 ? w + (at << 5) : unpacked;
        if (format == BF16) unpackBf16(w + (at << 4), unpacked, count);
        else if (format != FP32) unpackCodes(format, w + (at << 2), scales + scaleStride * <usize>panel + (<usize>(k / group) << 5), group, unpacked, count);
        if (columns) splatColumns(weights, unpacked + (COLUMNS_K_BLOCK << 5), count);
        // 2. sums over k
        for (let r = 0; r < block; r += tileRows) {
          const acc = scratch + (<usize>r << 5), xr = packed + (<usize>((first + r) * inner + k * tileRows) << 2);
          if (columns) twoTiles(acc, xr, unpacked + (COLUMNS_K_BLOCK << 5), count, k == 0);
          else if (format == FP32) tilePinned(form, acc, xr, weights, count, k == 0);
          else tileExact(form, acc, xr, weights, count, k == 0);
        }
      }
      // 3. bias, activation, residual
      if (columns) transposeBlocks(scratch, (block + 7) >> 3);
      finishPanel(false, scratch, bias, residual, residualRows, y, first, block, cols, activation, panel);
    }
  }
}

/** Both halves of a panel. */
@inline
function twoTiles(acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  tileColumns(acc, x, w, count, first);
  tileColumns(acc + 128, x, w + (<usize>count << 6), count, first);
}
