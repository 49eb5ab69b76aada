/**
 * Products of queries with rows of a matrix of small whole numbers: exact, in 32 bits.
 *
 *   out[q][r] = sum over k of codes[r][k] query[q][k]
 *
 * codes [rows][inner] i8, -127 to 127; query [1 or 4][inner] i16; out [1 or 4][stride] i32, of which `rows` are written. inner is a
 * multiple of 16, padded with zeros. The caller keeps sums below 2^31: 127 times the sum of a query's magnitudes.
 * Whole numbers have no order of sums. Twin: tests/unit/collections/search.test.ts.
 */

/** Four rows at a time, for which the query is loaded once. */
export function scan(codes: usize, rows: i32, inner: i32, query: usize, out: usize): void {
  const row = <usize>inner;
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
    for (let k: usize = 0; k < row; k += 16) {
      const q = query + (k << 1), low = v128.load(q), high = v128.load(q, 16);
      let from = codes + k;
      a = i32x4.add(a, products(v128.load(from), low, high));
      from += row;
      b = i32x4.add(b, products(v128.load(from), low, high));
      from += row;
      c = i32x4.add(c, products(v128.load(from), low, high));
      from += row;
      d = i32x4.add(d, products(v128.load(from), low, high));
    }
    i32.store(out, total(a));
    i32.store(out, total(b), 4);
    i32.store(out, total(c), 8);
    i32.store(out, total(d), 12);
    codes += row << 2;
    out += 16;
  }
  for (; r < rows; r++) {
    let sum = i32x4.splat(0);
    for (let k: usize = 0; k < row; k += 16) {
      const q = query + (k << 1);
      sum = i32x4.add(sum, products(v128.load(codes + k), v128.load(q), v128.load(q, 16)));
    }
    i32.store(out, total(sum));
    codes += row;
    out += 4;
  }
}

/** Four queries at once, for which the codes are widened once. */
export function scan_four(codes: usize, rows: i32, inner: i32, query: usize, out: usize, stride: i32): void {
  const bytes = <usize>inner << 1, line = <usize>stride << 2;
  for (let r = 0; r < rows; r++) {
    let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
    for (let k: usize = 0; k < <usize>inner; k += 16) {
      const both = v128.load(codes + k), low = i16x8.extend_low_i8x16_s(both), high = i16x8.extend_high_i8x16_s(both);
      let q = query + (k << 1);
      a = i32x4.add(a, i32x4.add(i32x4.dot_i16x8_s(low, v128.load(q)), i32x4.dot_i16x8_s(high, v128.load(q, 16))));
      q += bytes;
      b = i32x4.add(b, i32x4.add(i32x4.dot_i16x8_s(low, v128.load(q)), i32x4.dot_i16x8_s(high, v128.load(q, 16))));
      q += bytes;
      c = i32x4.add(c, i32x4.add(i32x4.dot_i16x8_s(low, v128.load(q)), i32x4.dot_i16x8_s(high, v128.load(q, 16))));
      q += bytes;
      d = i32x4.add(d, i32x4.add(i32x4.dot_i16x8_s(low, v128.load(q)), i32x4.dot_i16x8_s(high, v128.load(q, 16))));
    }
    i32.store(out, total(a));
    i32.store(out + line, total(b));
    i32.store(out + 2 * line, total(c));
    i32.store(out + 3 * line, total(d));
    codes += inner;
    out += 4;
  }
}

/** Of 16 codes with the 16 numbers of a query, in four sums. */
@inline
function products(codes: v128, low: v128, high: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(codes), low), i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(codes), high));
}

@inline
function total(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3));
}
