/** Seeded values that any language can make: hashes of a name and an index (the recipe of the golden models). */

export function seedOf(name: string): number {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
}

export function hash(seed: number, index: number): number {
  let h = (Math.imul(index, 0x9e3779b1) + seed) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** About standard normal: the sum of the four bytes of the hash. */
export function gauss(seed: number, index: number): number {
  const h = hash(seed, index);
  return ((h & 255) + ((h >>> 8) & 255) + ((h >>> 16) & 255) + (h >>> 24) - 510) / 147.8;
}

export function gaussArray(name: string, count: number, scale = 1, offset = 0): Float32Array {
  const seed = seedOf(name), data = new Float32Array(count);
  for (let i = 0; i < count; i++) data[i] = offset + scale * gauss(seed, i);
  return data;
}
