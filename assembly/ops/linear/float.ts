/**
 * linear, fp32 and bf16 weights: y = activation(x W^T + bias) (+ residual).
 *
 * x [rows][inner] f32, as quantize-rows leaves it (bounded, or rounded to bf16); w panels [panel][inner][8] of f32 or
 * bf16; bias [panels * 8]; y [rows][cols]; inner a multiple of 32. Panels begin ... end - 1 are computed.
 * Order: k = 0 ... inner - 1 from +0. Exact class: fp32 pinned (product, then sum), bf16 exact products.
 * scratch: rows * 32 bytes of sums (whole tiles), then 32 * K_BLOCK bytes of weights.
 *
 * Twins: ts-api/src/backends/oracle/ops/linear.ts, gpu/ops/linear.wgsl.
 */
import { EXACT_ROWS, PINNED_ROWS, tileExact, tilePinned } from "../../lib/tile-f32";
import { finishPanel } from "./finish";

/** Inputs whose weights are unpacked at once: 8 KiB of panel beside 6 KiB of rows in L1. */
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
  const stride = <usize>inner << 2;
  const unpacked = scratch + (<usize>(rows + EXACT_ROWS) << 5);
  for (let panel = begin; panel < end; panel++) {
    for (let k = 0; k < inner; k += K_BLOCK) {
      // 1. a block of the panel to f32
      const count = min(K_BLOCK, inner - k);
      unpackBf16(w + ((<usize>panel * <usize>inner + <usize>k) << 4), unpacked, count);
      // 2. sums over k
      for (let r = 0; r < rows; r += EXACT_ROWS) {
        tileExact(scratch + (<usize>r << 5), 32, x + stride * <usize>r + (<usize>k << 2), stride, unpacked, count, rows - 1 - r, k == 0);
      }
    }
    // 3. bias, activation, residual
    finishPanel(scratch, bias, residual, residualRows, y, rows, cols, activation, panel);
  }
}

/** [count][8] bf16 to [count][8] f32. */
function unpackBf16(w: usize, to: usize, count: i32): void {
  for (const end = w + (<usize>count << 4); w < end; w += 16) {
    const v = v128.load(w);
    v128.store(to, i32x4.shl(i32x4.extend_low_i16x8_u(v), 16));
    v128.store(to, i32x4.shl(i32x4.extend_high_i16x8_u(v), 16), 16);
    to += 32;
  }
}
