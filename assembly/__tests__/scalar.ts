/** What the tests compare with: one lane in and out, and seeded values. */

export function bits(value: f32): i32 {
  return reinterpret<i32>(value);
}

export function lane(v: v128): f32 {
  return f32x4.extract_lane(v, 0);
}

/** The bits of lane 3, so that a test sees that lanes do not differ. */
export function lastBits(v: v128): i32 {
  return i32x4.extract_lane(v, 3);
}

/** Small whole numbers over 64, of both signs: sums of their products round. */
export function value(index: i32): f32 {
  const h = (index * 0x9e3779b1) ^ ((index * 0x9e3779b1) >>> 15);
  return <f32>((h & 0xffff) - 0x8000) / 4099;
}

export function fill(at: usize, count: i32, seed: i32): void {
  for (let i = 0; i < count; i++) f32.store(at + (<usize>i << 2), value(i + seed));
}
