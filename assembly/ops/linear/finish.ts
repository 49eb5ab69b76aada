/**
 * The last pass of a linear: from the sums of one panel to y.
 *
 *   y[r][c] = activation(acc[r][c] + bias[c])          then, with a residual, residual[r mod residualRows][c] + that
 *
 * acc [rows][8] f32, overwritten, and the 576 bytes after it too (`activate`), columns in the order 0 4 1 5 2 6 3 7 with
 * `lanes`; rows firstRow ... firstRow + rows - 1 of y; bias padded to whole panels; y and residual [.., cols] f32, dense.
 * residual 0 means none.
 */
import { activate, NONE } from "../../lib/activation";

export function finishPanel(
  lanes: bool, acc: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  firstRow: i32, rows: i32, cols: i32, activation: i32, panel: i32,
): void {
  if (lanes) finish(true, acc, bias, residual, residualRows, y, firstRow, rows, cols, activation, panel);
  else finish(false, acc, bias, residual, residualRows, y, firstRow, rows, cols, activation, panel);
}

@inline
function finish(
  lanes: bool, acc: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  firstRow: i32, rows: i32, cols: i32, activation: i32, panel: i32,
): void {
  const end = acc + (<usize>rows << 5), from = bias + (<usize>panel << 5);
  if (activation == NONE) {
    storeRows(lanes, true, acc, end, from, residual, residualRows, y, firstRow, cols, panel);
  } else {
    addBias(lanes, acc, end, from);
    activate(activation, acc, end);
    storeRows(false, false, acc, end, from, residual, residualRows, y, firstRow, cols, panel);
  }
}

/** In place, and in the order of y. */
@inline
function addBias(lanes: bool, acc: usize, end: usize, bias: usize): void {
  const b0 = v128.load(bias), b1 = v128.load(bias, 16);
  for (; acc < end; acc += 32) {
    const low = v128.load(acc), high = v128.load(acc, 16);
    const v0 = f32x4.add(lowColumns(lanes, low, high), b0), v1 = f32x4.add(highColumns(lanes, low, high), b1);
    v128.store(acc, v1, 16);
    v128.store(acc, v0);
  }
}

@inline
function storeRows(
  lanes: bool, biased: bool, acc: usize, end: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  firstRow: i32, cols: i32, panel: i32,
): void {
  const first = panel << 3, width = min(8, cols - first), stride = <usize>cols << 2;
  const b0 = v128.load(bias), b1 = v128.load(bias, 16);
  y += stride * <usize>firstRow + (<usize>first << 2);
  residual += residual ? <usize>first << 2 : 0;
  let from = residual + stride * <usize>(firstRow % residualRows), repeat = residualRows - firstRow % residualRows;
  for (; acc < end; acc += 32) {
    const low = v128.load(acc), high = v128.load(acc, 16);
    let v0 = lowColumns(lanes, low, high), v1 = highColumns(lanes, low, high);
    if (biased) {
      v0 = f32x4.add(v0, b0);
      v1 = f32x4.add(v1, b1);
    }
    if (width == 8) {
      if (residual) {
        v0 = f32x4.add(v128.load(from), v0);
        v1 = f32x4.add(v128.load(from, 16), v1);
      }
      v128.store(y, v1, 16);
      v128.store(y, v0);
    } else {
      v128.store(acc, v1, 16);
      v128.store(acc, v0);
      for (let c: usize = 0; c < <usize>width << 2; c += 4) {
        f32.store(y + c, residual ? f32.load(from + c) + f32.load(acc + c) : f32.load(acc + c));
      }
    }
    y += stride;
    from += stride;
    if (--repeat == 0) {
      from = residual;
      repeat = residualRows;
    }
  }
}

/** Columns 0 ... 3 of a row of sums, a and b. */
@inline
function lowColumns(lanes: bool, a: v128, b: v128): v128 {
  return lanes ? v128.shuffle<u32>(a, b, 0, 2, 4, 6) : a;
}

/** Columns 4 ... 7. */
@inline
function highColumns(lanes: bool, a: v128, b: v128): v128 {
  return lanes ? v128.shuffle<u32>(a, b, 1, 3, 5, 7) : b;
}
