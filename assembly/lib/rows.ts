/** Copies between rows of any length and scratch rows padded with +0, so that one vector path serves body and tail. */
import { bound } from "./math";

/** bound(x[0 .. cols)) to y, then +0 up to `padded`. */
export function boundRow(x: usize, y: usize, cols: i32, padded: i32): void {
  let c = 0;
  for (; c + 4 <= cols; c += 4) v128.store(y + (<usize>c << 2), bound(v128.load(x + (<usize>c << 2))));
  for (; c < cols; c++) v128.store_lane<f32>(y + (<usize>c << 2), bound(v128.load_zero<f32>(x + (<usize>c << 2))), 0);
  clear(y, cols, padded);
}

/** +0 to y[from .. to). */
export function clear(y: usize, from: i32, to: i32): void {
  if (to > from) memory.fill(y + (<usize>from << 2), 0, (<usize>(to - from)) << 2);
}
