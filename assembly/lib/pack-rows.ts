/**
 * The rows of a product as its tiles read them: `size` rows side by side, so that a tile walks one address.
 *
 *   to[tile][word][i] = from[tile * size + i][word]      rows beyond the last repeat it
 *
 * from [rows][words] of 32 bits; to [ceil(rows / size)][words][size].
 */

export function packRows(from: usize, to: usize, rows: i32, words: i32, size: i32): void {
  const step = <usize>size << 2;
  for (let first = 0; first < rows; first += size) {
    for (let i = 0; i < size; i++) {
      let at = from + (<usize>(min(first + i, rows - 1) * words) << 2), place = to + (<usize>i << 2), left = words;
      for (; left >= 4; left -= 4) {
        const v = v128.load(at);
        v128.store_lane<i32>(place, v, 0);
        v128.store_lane<i32>(place + step, v, 1);
        v128.store_lane<i32>(place + step * 2, v, 2);
        v128.store_lane<i32>(place + step * 3, v, 3);
        at += 16;
        place += step << 2;
      }
      for (; left > 0; left--) {
        i32.store(place, i32.load(at));
        at += 4;
        place += step;
      }
    }
    to += step * <usize>words;
  }
}
