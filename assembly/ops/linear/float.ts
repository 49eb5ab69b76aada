/**
 * linear, all formats but int4: y = activation(x W^T + bias) (+ residual).
 *
 * x [rows][inner] f32, as quantize-rows leaves it (bounded, or rounded to bf16); bias [panels * 8]; y [rows][cols]; inner a
 * multiple of 32. Panels begin ... end - 1 are computed.
 * fp32, bf16: w panels [panel][inner][8] of f32 or bf16.
 * nf4, fp4: w panels [panel][inner / 4][16] of two codes, as in int4.ts; scales [panel][inner / group, rounded up][8] f32, group
 * 32 or 64. W = roundBf16(codebook[u] * s), so the sums are those of bf16 on the decoded weights.
 * Order: k = 0 ... inner - 1 from +0. Exact class: fp32 pinned (product, then sum), the others exact products.
 * scratch: rows * 32 bytes of sums (whole tiles), then 32 * K_BLOCK bytes of weights.
 *
 * Twins: ts-api/src/backends/oracle/ops/linear.ts, gpu/ops/linear.wgsl, gpu/ops/linear-codes.wgsl.
 */
import { FP4, NF4 } from "../../lib/codebook";
import { EXACT_ROWS, PINNED_ROWS, tileExact, tilePinned } from "../../lib/tile-f32";
import { finishPanel } from "./finish";
import { unpackBf16, unpackCodes } from "./unpack";

/** Inputs whose weights are unpacked at once: 8 KiB of panel beside 6 KiB of rows in L1. A multiple of every group. */
const K_BLOCK: i32 = 256;

export function linear_fp32(
  x: usize, w: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  const stride = <usize>inner << 2;
  for (let panel = begin; panel < end; panel++) {
    // 1. sums over k, block by block, so that a block of the panel stays in L1 for all rows
    for (let k = 0; k < inner; k += K_BLOCK) {
      const from = w + ((<usize>panel * <usize>inner + <usize>k) << 5), count = min(K_BLOCK, inner - k);
      for (let r = 0; r < rows; r += PINNED_ROWS) {
        tilePinned(scratch + (<usize>r << 5), 32, x + stride * <usize>r + (<usize>k << 2), stride, from, count, rows - 1 - r, k == 0);
      }
    }
    // 2. bias, activation, residual
    finishPanel(scratch, bias, residual, residualRows, y, rows, cols, activation, panel);
  }
}

export function linear_bf16(
  x: usize, w: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  const unpacked = scratch + (<usize>(rows + EXACT_ROWS) << 5);
  for (let panel = begin; panel < end; panel++) {
    for (let k = 0; k < inner; k += K_BLOCK) {
      // 1. a block of the panel to f32
      const count = min(K_BLOCK, inner - k);
      unpackBf16(w + ((<usize>panel * <usize>inner + <usize>k) << 4), unpacked, count);
      // 2. sums over k
      multiply(x, unpacked, scratch, rows, inner, k, count);
    }
    // 3. bias, activation, residual
    finishPanel(scratch, bias, residual, residualRows, y, rows, cols, activation, panel);
  }
}

export function linear_nf4(
  x: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  runCodes(NF4, x, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

export function linear_fp4(
  x: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  runCodes(FP4, x, w, scales, group, bias, residual, residualRows, y, rows, cols, inner, activation, scratch, begin, end);
}

@inline
function runCodes(
  codebook: i32, x: usize, w: usize, scales: usize, group: i32, bias: usize, residual: usize, residualRows: i32, y: usize,
  rows: i32, cols: i32, inner: i32, activation: i32, scratch: usize, begin: i32, end: i32,
): void {
  const scaleStride = <usize>((inner + group - 1) / group) << 5;
  const unpacked = scratch + (<usize>(rows + EXACT_ROWS) << 5);
  for (let panel = begin; panel < end; panel++) {
    for (let k = 0; k < inner; k += K_BLOCK) {
      // 1. a block of the panel to f32
      const count = min(K_BLOCK, inner - k);
      const from = w + ((<usize>panel * <usize>inner + <usize>k) << 2);
      unpackCodes(codebook, from, scales + scaleStride * <usize>panel + (<usize>(k / group) << 5), group, unpacked, count);
      // 2. sums over k
      multiply(x, unpacked, scratch, rows, inner, k, count);
    }
    // 3. bias, activation, residual
    finishPanel(scratch, bias, residual, residualRows, y, rows, cols, activation, panel);
  }
}

/** Adds inputs k ... k + count - 1 of all rows to the sums of a panel. */
@inline
function multiply(x: usize, weights: usize, acc: usize, rows: i32, inner: i32, k: i32, count: i32): void {
  const stride = <usize>inner << 2;
  for (let r = 0; r < rows; r += EXACT_ROWS) {
    tileExact(acc + (<usize>r << 5), 32, x + stride * <usize>r + (<usize>k << 2), stride, weights, count, rows - 1 - r, k == 0);
  }
}
