/** The functions of lib/math.ts, lib/activation.ts and lib/normal-tail.ts: limits, ties, special values. */
import { MAX_BITS as MAX, MIN_BITS as MIN } from "../lib/constants";
import { bound, exp, reciprocal, roundBf16, roundToInt, rsqrt, sigmoid } from "../lib/math";
import { activate, GELU } from "../lib/activation";
import { BYTES, normalTails, tail } from "../lib/normal-tail";
import { bits, lane, lastBits } from "./scalar";

const MAX_BITS = i32.load(MAX), MIN_BITS = i32.load(MIN);

function boundBits(input: i32): i32 {
  return lastBits(bound(i32x4.splat(input)));
}

function bf16Bits(input: i32): i32 {
  return lastBits(roundBf16(i32x4.splat(input)));
}

describe("bound", () => {
  test("zeros, subnormals and magnitudes under 2^-50 become +0", () => {
    expect(boundBits(0)).toBe(0);
    expect(boundBits(<i32>0x80000000)).toBe(0);
    expect(boundBits(1)).toBe(0);
    expect(boundBits(MIN_BITS - 1)).toBe(0);
    expect(boundBits((MIN_BITS - 1) | <i32>0x80000000)).toBe(0);
  });
  test("the limits stay, what is beyond them is held", () => {
    expect(boundBits(MIN_BITS)).toBe(MIN_BITS);
    expect(boundBits(MAX_BITS)).toBe(MAX_BITS);
    expect(boundBits(MAX_BITS + 1)).toBe(MAX_BITS);
    expect(boundBits(0x7f800000)).toBe(MAX_BITS);
    expect(boundBits(<i32>0xff800000)).toBe(MAX_BITS | <i32>0x80000000);
    expect(boundBits(0x7fc00001)).toBe(MAX_BITS);
  });
  test("ordinary values pass unchanged", () => {
    expect(boundBits(bits(-1.5))).toBe(bits(-1.5));
    expect(boundBits(bits(3.14159))).toBe(bits(3.14159));
  });
});

describe("roundBf16", () => {
  test("ties go to the even neighbour", () => {
    expect(bf16Bits(0x3f808000)).toBe(0x3f800000);
    expect(bf16Bits(0x3f818000)).toBe(0x3f820000);
    expect(bf16Bits(0x3f808001)).toBe(0x3f810000);
    expect(bf16Bits(0x3f807fff)).toBe(0x3f800000);
  });
  test("a carry reaches the exponent", () => {
    expect(bf16Bits(0x3fffffff)).toBe(0x40000000);
  });
});

describe("roundToInt", () => {
  test("halves go to the even neighbour", () => {
    expect(lastBits(roundToInt(f32x4.splat(0.5)))).toBe(0);
    expect(lastBits(roundToInt(f32x4.splat(1.5)))).toBe(2);
    expect(lastBits(roundToInt(f32x4.splat(2.5)))).toBe(2);
    expect(lastBits(roundToInt(f32x4.splat(-0.5)))).toBe(0);
    expect(lastBits(roundToInt(f32x4.splat(-127.5)))).toBe(-128);
  });
});

describe("exp", () => {
  test("is exact at 0", () => {
    expect(lane(exp(f32x4.splat(0)))).toBe(<f32>1);
  });
  test("is within 3e-7 of the double result from -69 to 69", () => {
    for (let x: f64 = -69; x <= 69; x += 0.37) {
      const got = <f64>lane(exp(f32x4.splat(<f32>x))), want = Math.exp(<f64>(<f32>x));
      expect(Math.abs(got / want - 1) < 3e-7).toBe(true);
    }
  });
  test("clamps beyond", () => {
    expect(lane(exp(f32x4.splat(-1e30)))).toBe(lane(exp(f32x4.splat(-69))));
    expect(lane(exp(f32x4.splat(1e30)))).toBe(lane(exp(f32x4.splat(69))));
  });
});

describe("reciprocal and rsqrt", () => {
  test("are within 2e-7", () => {
    for (let i = 1; i < 400; i++) {
      const v = <f32>i * <f32>i / 97;
      expect(Math.abs(<f64>lane(reciprocal(f32x4.splat(v))) * <f64>v - 1) < 2e-7).toBe(true);
      expect(Math.abs(<f64>lane(rsqrt(f32x4.splat(v))) * Math.sqrt(<f64>v) - 1) < 2e-7).toBe(true);
    }
  });
  test("rsqrt of zero is finite", () => {
    expect(isFinite(lane(rsqrt(f32x4.splat(0))))).toBe(true);
  });
});

describe("sigmoid", () => {
  test("is one half at 0", () => {
    expect(Math.abs(<f64>lane(sigmoid(f32x4.splat(0))) - 0.5) < 2e-7).toBe(true);
  });
});

describe("GELU", () => {
  test("its tail stays from 7 on; nothing beyond the 576 bytes after it changes", () => {
    const at = heap.alloc(<usize>(64 + 576 + 16));
    for (let i = 0; i < 16; i++) f32.store(at + (i << 2), -7);
    f32.store(at + 4, -14);
    f32.store(at + 8, -7168);
    f32.store(at + 12, 1000);
    f32.store(at + 64 + 576, 7);
    activate(GELU, at, at + 64);
    expect(f32.load(at) < 0).toBe(true);
    expect(f32.load(at + 4)).toBe(f32.load(at) * 2);
    expect(f32.load(at + 8)).toBe(f32.load(at) * 1024);
    expect(f32.load(at + 12)).toBe(1000);
    expect(f32.load(at + 64 + 576)).toBe(7);
  });
});

describe("normalTails", () => {
  test("are one half at 0, and fall; nothing beside them and their room changes", () => {
    const at = heap.alloc(<usize>(2 * BYTES + 16)), count = <i32>(BYTES >> 2);
    for (let i = 0; i < count; i++) f32.store(at + (i << 2), <f32>i * 7 / <f32>(count - 1));
    f32.store(at + 2 * BYTES, 7);
    normalTails(at, at + BYTES);
    for (let i: usize = 0; i < BYTES; i += 16) v128.store(at + i, tail(v128.load(at + i), v128.load(at + BYTES + i)));
    expect(Math.abs(<f64>f32.load(at) - 0.5) < 2e-7).toBe(true);
    for (let i = 1; i < count; i++) expect(f32.load(at + (i << 2)) < f32.load(at + ((i - 1) << 2))).toBe(true);
    expect(f32.load(at + 2 * BYTES)).toBe(7);
  });
});
