/**
 * Sums in the pinned order of the numeric contract: 32 lanes, element i to lane i mod 32, each lane in order from +0,
 * then lanes l and l + 16, 8, 4, 2, 1.
 *
 * Twins: laneSum in ts-api/src/backends/oracle/math.ts, gpu/lib/lanes.wgsl.
 */

/** Sum of the floats at x; `count` is a multiple of 32 (fill with +0). */
export function laneSum(x: usize, count: i32): f32 {
  let a = f32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  for (const end = x + (<usize>count << 2); x < end; x += 128) {
    a = f32x4.add(a, v128.load(x));
    b = f32x4.add(b, v128.load(x, 16));
    c = f32x4.add(c, v128.load(x, 32));
    d = f32x4.add(d, v128.load(x, 48));
    e = f32x4.add(e, v128.load(x, 64));
    f = f32x4.add(f, v128.load(x, 80));
    g = f32x4.add(g, v128.load(x, 96));
    h = f32x4.add(h, v128.load(x, 112));
  }
  return foldLanes(a, b, c, d, e, f, g, h);
}

/** Sum of the squares of the floats at x; `count` is a multiple of 32 (fill with +0). */
export function laneSumOfSquares(x: usize, count: i32): f32 {
  let a = f32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a, v: v128;
  for (const end = x + (<usize>count << 2); x < end; x += 128) {
    v = v128.load(x); a = f32x4.add(a, f32x4.mul(v, v));
    v = v128.load(x, 16); b = f32x4.add(b, f32x4.mul(v, v));
    v = v128.load(x, 32); c = f32x4.add(c, f32x4.mul(v, v));
    v = v128.load(x, 48); d = f32x4.add(d, f32x4.mul(v, v));
    v = v128.load(x, 64); e = f32x4.add(e, f32x4.mul(v, v));
    v = v128.load(x, 80); f = f32x4.add(f, f32x4.mul(v, v));
    v = v128.load(x, 96); g = f32x4.add(g, f32x4.mul(v, v));
    v = v128.load(x, 112); h = f32x4.add(h, f32x4.mul(v, v));
  }
  return foldLanes(a, b, c, d, e, f, g, h);
}

/** The sums of the columns of x [count][8], added as in laneSum. `lanes` [32][8] is scratch memory; its first row receives the sums. */
export function laneSums(x: usize, count: i32, lanes: usize): void {
  const end = x + (<usize>count << 5);
  for (let to = lanes; to < lanes + 1024; to += 128) {
    let a = f32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    for (let at = x; at < end; at += 1024) {
      a = f32x4.add(a, v128.load(at));
      b = f32x4.add(b, v128.load(at, 16));
      c = f32x4.add(c, v128.load(at, 32));
      d = f32x4.add(d, v128.load(at, 48));
      e = f32x4.add(e, v128.load(at, 64));
      f = f32x4.add(f, v128.load(at, 80));
      g = f32x4.add(g, v128.load(at, 96));
      h = f32x4.add(h, v128.load(at, 112));
    }
    v128.store(to, b, 16); v128.store(to, a);
    v128.store(to, d, 48); v128.store(to, c, 32);
    v128.store(to, f, 80); v128.store(to, e, 64);
    v128.store(to, h, 112); v128.store(to, g, 96);
    x += 128;
  }
  for (let half: usize = 512; half >= 32; half >>= 1) {
    for (let at = lanes; at < lanes + half; at += 32) {
      const a = f32x4.add(v128.load(at), v128.load(at + half)), b = f32x4.add(v128.load(at, 16), v128.load(at + half, 16));
      v128.store(at, b, 16);
      v128.store(at, a);
    }
  }
}

@inline
function foldLanes(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128): f32 {
  a = f32x4.add(a, e);
  b = f32x4.add(b, f);
  c = f32x4.add(c, g);
  d = f32x4.add(d, h);
  a = f32x4.add(a, c);
  b = f32x4.add(b, d);
  a = f32x4.add(a, b);
  a = f32x4.add(a, v128.shuffle<f32>(a, a, 2, 3, 2, 3));
  return f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1);
}
