/**
 * Images for calibrating a model without photos: noise with the spectrum of photographs, made of integer hashes and of + - * / alone, so
 * every engine makes the same.
 */
import type { IJepaConfig } from "../config/config.js";
import type { Pixels } from "../encoder/pixels.js";

/** The share of white noise in each image: photographs range from smooth sky to grass. */
const ROUGHNESS = [0, 0.1, 0.3, 1];
/** Colour beside brightness. */
const CHROMA = 0.5;
const VARIANCE_OF_UNIFORM = 1 / 3;

/** Four images of the model's size with mean about 0 and variance about 1, as processors make them. */
export function syntheticImages(config: IJepaConfig): Pixels {
  const { numChannels: channels, imageHeight: height, imageWidth: width } = config;
  const plane = height * width, data = new Float32Array(ROUGHNESS.length * channels * plane);
  ROUGHNESS.forEach((roughness, image) => {
    const brightness = octaves(height, width, image * (channels + 1));
    for (let c = 0; c < channels; c++) {
      const seed = image * (channels + 1) + c + 1, colour = octaves(height, width, seed);
      const smooth = Math.sqrt((1 - roughness) / (1 + CHROMA * CHROMA)), rough = Math.sqrt(roughness / VARIANCE_OF_UNIFORM);
      const to = data.subarray((image * channels + c) * plane, (image * channels + c + 1) * plane);
      for (let i = 0; i < plane; i++) to[i] = smooth * (brightness[i] + CHROMA * colour[i]) + rough * uniform(seed + 1000, i);
    }
  });
  return { data, images: ROUGHNESS.length, height, width };
}

/** [images][count] random patch indices, different ones for each image, none twice. */
export function drawPatches(patches: number, images: number, count: number): Int32Array {
  return Int32Array.from(Array.from({ length: images }, (_, image) => draw(patches, count, image)).flat());
}

/** Noise of variance 1: lattices of random values, with cells from the image's size down by halves, each interpolated linearly. */
function octaves(height: number, width: number, seed: number): Float64Array {
  const sum = new Float64Array(height * width);
  let levels = 0;
  for (let cell = Math.max(height, width); cell >= 1; cell = Math.floor(cell / 2), levels++) {
    const columns = Math.floor(width / cell) + 2, rows = Math.floor(height / cell) + 2;
    const lattice = Float64Array.from({ length: rows * columns }, (_, i) => uniform(seed * 64 + levels + 2000, i));
    for (let y = 0; y < height; y++) {
      const row = Math.floor(y / cell), down = y / cell - row;
      for (let x = 0; x < width; x++) {
        const column = Math.floor(x / cell), right = x / cell - column, at = row * columns + column;
        const upper = lattice[at] * (1 - right) + lattice[at + 1] * right;
        const lower = lattice[at + columns] * (1 - right) + lattice[at + columns + 1] * right;
        sum[y * width + x] += upper * (1 - down) + lower * down;
      }
    }
  }
  // Interpolation keeps 4 / 9 of a lattice's variance on average.
  const scale = 1 / Math.sqrt(levels * VARIANCE_OF_UNIFORM * (4 / 9));
  return sum.map((value) => value * scale);
}

/** `count` of 0 ... from - 1, each at most once. */
function draw(from: number, count: number, seed: number): number[] {
  const all = Array.from({ length: from }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(((uniform(seed + 3000, i) + 1) / 2) * (from - i));
    [all[i], all[other]] = [all[other], all[i]];
  }
  return all.slice(0, count);
}

/** -1 to 1, below 1, from an integer hash. */
function uniform(seed: number, index: number): number {
  let h = (Math.imul(index + 1, 0x9e3779b1) + Math.imul(seed + 1, 0x85ebca6b)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 8) / 2 ** 23 - 1;
}
