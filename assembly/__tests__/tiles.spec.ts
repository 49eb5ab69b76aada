/** Lane sums, softmax, packing and the tiles of the kernels, beside plain loops over the same values. */
import { laneSum, laneSumOfSquares, laneSums } from "../lib/lanes";
import { TURNS } from "../lib/forms";
import { packRows, transposeBlocks, unpackColumns } from "../lib/pack-rows";
import { exponentials } from "../lib/softmax";
import { COLUMNS_ROWS, tileColumns } from "../lib/tile-columns";
import { EXACT_ROWS, PINNED_ROWS, tileExact, tilePinned } from "../lib/tile-f32";
import { PLAIN_ROWS, tilePlain } from "../lib/tile-int4";
import { exp, roundBf16 } from "../lib/math";
import { fill, value } from "./scalar";

const FORMS: i32 = TURNS + 1;

const X: usize = 1 << 18;
const W: usize = 2 << 18;
const ACC: usize = 3 << 18;
const BLOCKS: usize = 4 << 18;
const SCALES: usize = 5 << 18;
const PACKED: usize = 6 << 18;

function grow(): void {
  const missing = 32 - memory.size();
  if (missing > 0) memory.grow(missing);
}

describe("laneSum", () => {
  test("adds 32 lanes in order, then halves", () => {
    grow();
    fill(X, 96, 5);
    const lanes = new StaticArray<f32>(32), squares = new StaticArray<f32>(32);
    for (let i = 0; i < 96; i++) {
      lanes[i & 31] += value(i + 5);
      squares[i & 31] += value(i + 5) * value(i + 5);
    }
    for (let half = 16; half > 0; half >>= 1) {
      for (let l = 0; l < half; l++) {
        lanes[l] += lanes[l + half];
        squares[l] += squares[l + half];
      }
    }
    expect(laneSum(X, 96)).toBe(lanes[0]);
    expect(laneSumOfSquares(X, 96)).toBe(squares[0]);
  });
});

/** Eight columns, each by itself. */
describe("columns", () => {
  test("laneSums adds each as laneSum", () => {
    grow();
    fill(X, 96 * 8, 5);
    laneSums(X, 96, ACC);
    for (let c = 0; c < 8; c++) {
      for (let j = 0; j < 96; j++) f32.store(W + 4 * j, f32.load(X + 32 * j + 4 * c));
      expect(f32.load(ACC + 4 * c)).toBe(laneSum(W, 96));
    }
  });

  test("exponentials are those of exp, and +0 beyond the last row", () => {
    grow();
    const scale: f32 = 0.125;
    for (let tokens = 1; tokens <= 35; tokens += 17) {
      fill(X, 64 * 8, 7);
      for (let at: usize = 0; at < 64 * 32; at += 4) f32.store(W + at, f32.load(X + at));
      const stride = (tokens + 31) & ~31;
      exponentials(X, ACC, tokens, stride, f32x4.splat(scale));
      for (let c = 0; c < 8; c++) {
        let top = f32.load(W + 4 * c) * scale;
        for (let j = 0; j < tokens; j++) top = max(top, f32.load(W + 32 * j + 4 * c) * scale);
        for (let j = 0; j < stride; j++) {
          const wanted = f32x4.extract_lane(exp(f32x4.splat(f32.load(W + 32 * j + 4 * c) * scale - top)), 0);
          expect(f32.load(X + 32 * j + 4 * c)).toBe(j < tokens ? wanted : 0);
        }
        for (let j = 0; j < stride; j++) f32.store(PACKED + 4 * j, f32.load(X + 32 * j + 4 * c));
        expect(f32.load(ACC + 4 * c)).toBe(laneSum(PACKED, stride));
      }
    }
  });

  test("unpackColumns makes rows of them and writes nothing else", () => {
    grow();
    const rowBytes = 4 * 13;
    for (let words = 1; words <= 13; words++) {
      for (let columns = 1; columns <= 8; columns++) {
        fill(X, words * 8, words);
        memory.fill(ACC, 0x55, rowBytes * 9);
        unpackColumns(X, ACC, rowBytes, columns, words);
        for (let c = 0; c < 9; c++) {
          for (let i = 0; i < 13; i++) {
            const written = c < columns && i < words;
            expect(i32.load(ACC + rowBytes * c + 4 * i)).toBe(written ? i32.load(X + 32 * i + 4 * c) : 0x55555555);
          }
        }
      }
    }
  });
});

describe("packRows", () => {
  test("puts 4, 6 or 8 rows side by side; rows beyond the last repeat it", () => {
    grow();
    for (let size = 4; size <= 8; size += 2) {
      for (let rows = 1; rows <= 2 * size; rows++) {
        for (let words = 5; words <= 8; words++) {
          const tiles = (rows + size - 1) / size;
          fill(X, rows * words, rows);
          i32.store(PACKED + 4 * (tiles * size * words), 0x55555555);
          packRows(X, PACKED, rows, words, size);
          for (let r = 0; r < tiles * size; r++) {
            for (let i = 0; i < words; i++) {
              const got = i32.load(PACKED + 4 * ((r / size * words + i) * size + r % size));
              expect(got).toBe(i32.load(X + 4 * (min(r, rows - 1) * words + i)));
            }
          }
          expect(i32.load(PACKED + 4 * (tiles * size * words))).toBe(0x55555555);
        }
      }
    }
  });
});

describe("tileColumns", () => {
  test("sums in order of k, goes on from earlier sums, and transposeBlocks makes rows of its columns", () => {
    grow();
    const count = 37;
    fill(X, 8 * count, 11);
    fill(W, 8 * count, 23);
    packRows(X, PACKED, 8, count, COLUMNS_ROWS);
    for (let half = 0; half < 2; half++) {
      for (let k = 0; k < count; k++) {
        for (let c = 0; c < 4; c++) v128.store(SCALES + 64 * k + 16 * c, f32x4.splat(f32.load(W + 4 * (k * 8 + half * 4 + c))));
      }
      // Fewer inputs than a turn takes, and some that are over.
      const acc = ACC + 128 * half;
      tileColumns(acc, PACKED, SCALES, 3, true);
      tileColumns(acc, PACKED + 3 * 32, SCALES + 3 * 64, count - 3, false);
    }
    memory.copy(ACC + 256, ACC, 256);
    transposeBlocks(ACC, 2);
    for (let i = 0; i < 128; i++) {
      const r = i / 8 % 8, c = i % 8;
      let sum: f32 = 0;
      for (let k = 0; k < count; k++) sum += f32.load(X + 4 * (r * count + k)) * f32.load(W + 4 * (k * 8 + c));
      expect(f32.load(ACC + 4 * i)).toBe(sum);
    }
  });
});

describe("f32 tiles", () => {
  test("sum in order of k; rows beyond the last repeat it", () => {
    grow();
    const count = 37;
    fill(X, 6 * count, 11);
    fill(W, 8 * count, 23);
    for (let at: usize = 0; at < 16 * 6 * count; at += 16) v128.store(X + at, roundBf16(v128.load(X + at)));
    for (let at: usize = 0; at < 32 * count; at += 16) v128.store(W + at, roundBf16(v128.load(W + at)));
    for (let last = 0; last < 4; last++) {
      for (let kind = 0; kind < 2 * FORMS; kind++) {
        const form = kind >> 1, pinned = (kind & 1) == 0;
        memory.fill(ACC, 0x55, 32 * 6);
        packRows(X, PACKED, last + 1, count, pinned ? PINNED_ROWS : EXACT_ROWS);
        if (pinned) tilePinned(form, ACC, PACKED, W, count, true);
        else tileExact(form, ACC, PACKED, W, count, true);
        for (let r = 0; r < 4; r++) {
          for (let c = 0; c < 8; c++) {
            let sum: f32 = 0;
            for (let k = 0; k < count; k++) sum += f32.load(X + 4 * (min(r, last) * count + k)) * f32.load(W + 4 * (k * 8 + c));
            const got = f32.load(ACC + 32 * r + 4 * c);
            expect(reinterpret<i32>(got)).toBe(reinterpret<i32>(sum));
          }
        }
      }
    }
  });
  test("go on from earlier sums", () => {
    grow();
    fill(X, 64, 3);
    fill(W, 8 * 64, 4);
    packRows(X, PACKED, 1, 64, PINNED_ROWS);
    tilePinned(TURNS, ACC, PACKED, W, 64, true);
    const whole = f32.load(ACC);
    for (let form = 0; form < FORMS; form++) {
      // Fewer inputs than a turn takes, and some that are over.
      for (let count = 2; count < 64; count += 39) {
        tilePinned(form, ACC, PACKED, W, count, true);
        tilePinned(form, ACC, PACKED + count * 4 * PINNED_ROWS, W + count * 32, 64 - count, false);
        expect(f32.load(ACC)).toBe(whole);
      }
    }
  });
});

describe("tilePlain", () => {
  test("is the integer sum of each block times its two scales", () => {
    grow();
    const count = 3, inner = 96;
    for (let i = 0; i < 4 * inner; i++) store<i16>(X + 2 * i, <i16>((i * 73) % 255) - 127);
    for (let i = 0; i < 8 * inner; i++) store<i16>(W + 2 * i, <i16>((i * 31) % 16) - 8);
    for (let r = 0; r < 4; r++) {
      for (let b = 0; b < count; b++) {
        const magic: f32 = <f32>(1 << b) / 256 * 12582912;
        f32.store(BLOCKS + 8 * (r * count + b), magic);
        f32.store(BLOCKS + 8 * (r * count + b) + 4, magic);
      }
    }
    fill(SCALES, 8 * count, 77);
    packRows(X, PACKED, 4, inner / 2, PLAIN_ROWS);
    packRows(BLOCKS, PACKED + (1 << 17), 4, 2 * count, PLAIN_ROWS);
    for (let kind = 0; kind < 4 * 8 * FORMS; kind++) {
      const form = kind / 32, r = kind / 8 % 4, c = kind % 8;
      if (kind % 32 == 0) {
        memory.fill(ACC, 0, 128);
        tilePlain(form, ACC, PACKED, PACKED + (1 << 17), W, SCALES, count);
      }
      let sum: f32 = 0;
      for (let b = 0; b < count; b++) {
        let d = 0;
        for (let k = b * 32; k < b * 32 + 32; k++) {
          d += <i32>load<i16>(X + 2 * (r * inner + k)) * <i32>load<i16>(W + 2 * ((k >> 1) * 16 + (c >> 2) * 8 + (c & 3) * 2 + (k & 1)));
        }
        sum += <f32>d * (f32.load(SCALES + 4 * (b * 8 + c)) * (<f32>(1 << b) / 256));
      }
      expect(f32.load(ACC + 32 * r + 4 * c)).toBe(sum);
    }
  });
});
