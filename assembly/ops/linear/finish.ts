/**
 * The end of a linear: sums of one panel to y.
 *
 *   y[r][c] = activation(acc[r][c] + bias[c])          then, with a residual, residual[r mod residualRows][c] + that
 *
 * acc [rows][8] f32, overwritten, and the 384 bytes after it too (`activate`); rows firstRow ... firstRow + rows - 1 of y; bias padded to whole panels; y and residual [.., cols] f32, dense. residual 0 means none.
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
  const end = acc + (<usize>rows << 5);
  for (let at = acc; at < end; at += 32) {
    const v0 = f32x4.add(v128.load(at), b0), v1 = f32x4.add(v128.load(at, 16), b1);
    v128.store(at, v1, 16);
    v128.store(at, v0);
  }
  if (activation != NONE) activate(activation, acc, end);
  for (; acc < end; acc += 32) {
    if (width == 8) {
      let v0 = v128.load(acc), v1 = v128.load(acc, 16);
      if (residual) {
        v0 = f32x4.add(v128.load(from), v0);
        v1 = f32x4.add(v128.load(from, 16), v1);
      }
      v128.store(y, v1, 16);
      v128.store(y, v0);
    } else {
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
