/**
 * Products of queries with rows of a matrix of small whole numbers: exact, in 32 bits.
 *
 *   out[q][r] = sum over k of codes[r][k] query[q][k]
 *
 * codes [rows][inner] i8, -127 to 127; query [1 or 4][inner] i16; out [1 or 4][stride] i32, of which `rows` are written. inner is a
 * multiple of 16, padded with zeros. The caller keeps sums below 2^31: 127 times the sum of a query's magnitudes.
 * Whole numbers have no order of sums. Twin: tests/unit/collections/scan.test.ts.
 */

export function scan(codes: usize, rows: i32, inner: i32, query: usize, out: usize): void {
  for (let r = 0; r < rows; r++) {
    let even = i32x4.splat(0), odd = i32x4.splat(0);
    for (let k: usize = 0; k < <usize>inner; k += 16) {
      const c = v128.load(codes + k), q = query + (k << 1);
      even = i32x4.add(even, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(c), v128.load(q)));
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(c), v128.load(q, 16)));
    }
    i32.store(out, total(i32x4.add(even, odd)));
    codes += inner;
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

@inline
function total(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3));
}
