/**
 * The end of a linear: sums of one panel to y.
 *
 *   y[r][c] = activation(acc[r][c] + bias[c])          then, with a residual, residual[r mod residualRows][c] + that
 *
 * acc [rows][8] f32, rows firstRow ... firstRow + rows - 1 of y; bias padded to whole panels; y and residual [.., cols] f32, dense. residual 0 means none.
 */
import { activate, NONE } from "../../lib/activation";

export function finishPanel(
  acc: usize, bias: usize, residual: usize, residualRows: i32, y: usize,
  firstRow: i32, rows: i32, cols: i32, activation: i32, panel: i32,
): void {
  const first = panel << 3, width = min(8, cols - first);
  const b0 = v128.load(bias + (<usize>first << 2)), b1 = v128.load(bias + (<usize>first << 2), 16);
  const stride = <usize>cols << 2;
  y += stride * <usize>firstRow + (<usize>first << 2);
  residual += residual ? <usize>first << 2 : 0;
  let from = residual + stride * <usize>(firstRow % residualRows), repeat = residualRows - firstRow % residualRows;
  for (let r = 0; r < rows; r++) {
    let v0 = f32x4.add(v128.load(acc), b0), v1 = f32x4.add(v128.load(acc, 16), b1);
    if (activation != NONE) {
      v0 = activate(activation, v0);
      v1 = activate(activation, v1);
    }
    if (width == 8) {
      if (residual) {
        v0 = f32x4.add(v128.load(from), v0);
        v1 = f32x4.add(v128.load(from, 16), v1);
      }
      v128.store(y, v0);
      v128.store(y, v1, 16);
    } else {
      v128.store(acc, v0);
      v128.store(acc, v1, 16);
      for (let c: usize = 0; c < <usize>width << 2; c += 4) {
        f32.store(y + c, residual ? f32.load(from + c) + f32.load(acc + c) : f32.load(acc + c));
      }
    }
    acc += 32;
    y += stride;
    from += stride;
    if (--repeat == 0) {
      from = residual;
      repeat = residualRows;
    }
  }
}
