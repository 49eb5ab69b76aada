/**
 * Transposes matrices of 32-bit words, four rows at a time in registers. Nothing is read or written beyond them.
 *
 * packRows: the rows of a product as its tiles read them, `size` rows side by side, so that a tile walks one address.
 *
 *   to[tile][word][i] = from[tile * size + i][word]      rows beyond the last repeat it
 *
 * from [rows][words]; to [ceil(rows / size)][words][size]; size 4, 6 or 8.
 *
 * transposeBlocks: transposes blocks of 8 x 8 in place.
 *
 * storeSplats: four words, each as a vector.
 *
 * unpackColumns: columns as rows.
 *
 *   to[c][word] = from[word][c]      c < columns <= 8
 *
 * from [words][8]; rows of `to` `rowBytes` apart.
 */

export function packRows(from: usize, to: usize, rows: i32, words: i32, size: i32): void {
  const step = <usize>size << 2, rowBytes = <usize>words << 2;
  for (let first = 0; first < rows; first += size) {
    for (let i = 0; i < size; i += 4) {
      const last = rows - 1, a = from + rowBytes * <usize>min(first + i, last), b = from + rowBytes * <usize>min(first + i + 1, last);
      const place = to + (<usize>i << 2);
      if (size - i < 4) packTwo(a, b, place, step, words);
      else packFour(a, b, from + rowBytes * <usize>min(first + i + 2, last), from + rowBytes * <usize>min(first + i + 3, last), place, step, words);
    }
    to += step * <usize>words;
  }
}

export function unpackColumns(from: usize, to: usize, rowBytes: usize, columns: i32, words: i32): void {
  for (let c = 0; c < columns; c += 4) {
    unpackFour(from + (<usize>c << 2), to + rowBytes * <usize>c, rowBytes, min(4, columns - c), words);
  }
}

export function transposeBlocks(at: usize, blocks: i32): void {
  for (const end = at + (<usize>blocks << 8); at < end; at += 256) {
    transposeFour(at, at);
    transposeFour(at + 144, at + 144);
    transposeFour(at + 16, at + 128);
  }
}

/** Exchanges two blocks of 4 x 4, rows 32 bytes apart, and transposes each. */
@inline
function transposeFour(a: usize, b: usize): void {
  const a0 = v128.load(a), a1 = v128.load(a, 32), a2 = v128.load(a, 64), a3 = v128.load(a, 96);
  const b0 = v128.load(b), b1 = v128.load(b, 32), b2 = v128.load(b, 64), b3 = v128.load(b, 96);
  storeTurned(a0, a1, a2, a3, b);
  storeTurned(b0, b1, b2, b3, a);
}

@inline
function storeTurned(v0: v128, v1: v128, v2: v128, v3: v128, to: usize): void {
  const low = lows(v0, v1), lowNext = lows(v2, v3), high = highs(v0, v1), highNext = highs(v2, v3);
  v128.store(to, firstHalves(low, lowNext));
  v128.store(to, lastHalves(low, lowNext), 32);
  v128.store(to, firstHalves(high, highNext), 64);
  v128.store(to, lastHalves(high, highNext), 96);
}

/** a0 a1 b0 b1. */
@inline
function firstHalves(a: v128, b: v128): v128 {
  return v128.shuffle<u64>(a, b, 0, 2);
}

/** a2 a3 b2 b3. */
@inline
function lastHalves(a: v128, b: v128): v128 {
  return v128.shuffle<u64>(a, b, 1, 3);
}

/** a0 b0 a1 b1. */
@inline
function lows(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 0, 4, 1, 5);
}

/** a2 b2 a3 b3. */
@inline
function highs(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 2, 6, 3, 7);
}

@inline
function packFour(a: usize, b: usize, c: usize, d: usize, to: usize, step: usize, words: i32): void {
  const bs = b - a, cs = c - a, ds = d - a;
  let left = words;
  for (; left >= 4; left -= 4) {
    const v0 = v128.load(a), v1 = v128.load(a + bs), v2 = v128.load(a + cs), v3 = v128.load(a + ds);
    const low = lows(v0, v1), lowNext = lows(v2, v3), high = highs(v0, v1), highNext = highs(v2, v3);
    v128.store(to, firstHalves(low, lowNext));
    v128.store(to + step, lastHalves(low, lowNext));
    v128.store(to + step * 2, firstHalves(high, highNext));
    v128.store(to + step * 3, lastHalves(high, highNext));
    a += 16;
    to += step << 2;
  }
  for (; left > 0; left--) {
    i32.store(to, i32.load(a));
    i32.store(to, i32.load(a + bs), 4);
    i32.store(to, i32.load(a + cs), 8);
    i32.store(to, i32.load(a + ds), 12);
    a += 4;
    to += step;
  }
}

@inline
function packTwo(a: usize, b: usize, to: usize, step: usize, words: i32): void {
  const bs = b - a;
  let left = words;
  for (; left >= 4; left -= 4) {
    const v0 = v128.load(a), v1 = v128.load(a + bs), low = lows(v0, v1), high = highs(v0, v1);
    v128.store64_lane(to, low, 0);
    v128.store64_lane(to + step, low, 1);
    v128.store64_lane(to + step * 2, high, 0);
    v128.store64_lane(to + step * 3, high, 1);
    a += 16;
    to += step << 2;
  }
  for (; left > 0; left--) {
    i32.store(to, i32.load(a));
    i32.store(to, i32.load(a + bs), 4);
    a += 4;
    to += step;
  }
}

@inline
function unpackFour(from: usize, to: usize, rowBytes: usize, columns: i32, words: i32): void {
  let left = words;
  for (; left >= 4; left -= 4) {
    const v0 = v128.load(from), v1 = v128.load(from, 32), v2 = v128.load(from, 64), v3 = v128.load(from, 96);
    const low = lows(v0, v1), lowNext = lows(v2, v3), high = highs(v0, v1), highNext = highs(v2, v3);
    v128.store(to, firstHalves(low, lowNext));
    if (columns > 1) v128.store(to + rowBytes, lastHalves(low, lowNext));
    if (columns > 2) v128.store(to + rowBytes * 2, firstHalves(high, highNext));
    if (columns > 3) v128.store(to + rowBytes * 3, lastHalves(high, highNext));
    from += 128;
    to += 16;
  }
  for (; left > 0; left--) {
    for (let c = 0; c < columns; c++) i32.store(to + rowBytes * <usize>c, i32.load(from + (<usize>c << 2)));
    from += 32;
    to += 4;
  }
}

/** Each word of v as a vector. */
@inline
export function storeSplats(to: usize, v: v128): void {
  v128.store(to, v128.shuffle<u32>(v, v, 0, 0, 0, 0));
  v128.store(to, v128.shuffle<u32>(v, v, 1, 1, 1, 1), 16);
  v128.store(to, v128.shuffle<u32>(v, v, 2, 2, 2, 2), 32);
  v128.store(to, v128.shuffle<u32>(v, v, 3, 3, 3, 3), 48);
}
