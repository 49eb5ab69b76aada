/**
 * Position embeddings for another grid: torch's bicubic interpolation (align_corners=False, A = -0.75, no antialiasing), as
 * Hugging Face's `interpolate_pos_encoding` uses it. In double precision, rounded to f32 once at the end.
 */
import { IJepaError } from "../core/errors.js";
import type { IJepaConfig } from "../config/config.js";

const A = -0.75;

/** Source rows (or columns) of one destination place, and their weights. */
interface Taps {
  index: [number, number, number, number];
  weight: [number, number, number, number];
}

/**
 * @param positions [patches][width] of the config's grid
 * @param height pixels of the image; its patches are floor(height / patch height) rows
 * @returns [rows * columns][width]; the same array if Hugging Face changes nothing: the same number of patches, and a square image
 * @throws IJepaError `input/shape` when the config's patches form no square, or the image has no whole patch
 */
export function interpolatePositions(positions: Float32Array, config: IJepaConfig, height: number, width: number): Float32Array {
  const { numPatches, hiddenSize } = config;
  const rows = Math.floor(height / config.patchHeight), cols = Math.floor(width / config.patchWidth);
  const wrong = (message: string) => new IJepaError("input/shape", message, { name: "pixelValues", expected: "at least one patch", actual: [height, width] });
  if (rows < 1 || cols < 1) throw wrong(`An image of ${height}*${width} pixels has no whole patch of ${config.patchHeight}*${config.patchWidth}.`);
  if (rows * cols === numPatches && height === width) return positions;
  const side = Math.floor(Math.sqrt(numPatches));
  if (side * side !== numPatches) {
    throw wrong(`The ${numPatches} position embeddings of this model do not form a square grid, so they cannot be interpolated.`);
  }
  const vertical = tapsOf(side, rows), horizontal = tapsOf(side, cols);
  const result = new Float32Array(rows * cols * hiddenSize);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      const to = (i * cols + j) * hiddenSize;
      for (let c = 0; c < hiddenSize; c++) result[to + c] = sample(positions, side, hiddenSize, c, vertical[i], horizontal[j]);
    }
  }
  return result;
}

/** Horizontal, then vertical. */
function sample(positions: Float32Array, side: number, width: number, c: number, vertical: Taps, horizontal: Taps): number {
  let value = 0;
  for (let y = 0; y < 4; y++) {
    let row = 0;
    for (let x = 0; x < 4; x++) row += horizontal.weight[x] * positions[(vertical.index[y] * side + horizontal.index[x]) * width + c];
    value += vertical.weight[y] * row;
  }
  return value;
}

function tapsOf(from: number, to: number): Taps[] {
  return Array.from({ length: to }, (_, place) => {
    const source = (from / to) * (place + 0.5) - 0.5, first = Math.floor(source), t = source - first;
    const clamp = (index: number) => Math.min(Math.max(index, 0), from - 1);
    return {
      index: [clamp(first - 1), clamp(first), clamp(first + 1), clamp(first + 2)],
      weight: [far(t + 1), near(t), near(1 - t), far(2 - t)],
    };
  });
}

/** The cubic within one place of the centre. */
function near(x: number): number {
  return ((A + 2) * x - (A + 3)) * x * x + 1;
}

/** The cubic from one to two places from the centre. */
function far(x: number): number {
  return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
}
