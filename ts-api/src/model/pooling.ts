import { IJepaError } from "../core/errors.js";
import { Tensor } from "../core/tensor.js";

const fround = Math.fround;

/**
 * `last_hidden_state.mean(dim=1)`: tokens in order from +0, then times f32(1 / tokens). It runs here for every backend, so its
 * bits are the same by construction (docs/decisions/0004).
 *
 * @param hidden [images, tokens, width]
 * @returns [images, width]
 */
export function meanPool(hidden: Tensor<"float32">): Tensor<"float32"> {
  if (hidden.dims.length !== 3) throw shapeError("hidden", "[images, tokens, width]", hidden.dims);
  const [images, tokens, width] = hidden.dims;
  const inverse = fround(1 / tokens), pooled = new Float32Array(images * width);
  for (let image = 0; image < images; image++) {
    const sums = pooled.subarray(image * width, (image + 1) * width);
    for (let token = 0; token < tokens; token++) {
      const from = (image * tokens + token) * width;
      for (let c = 0; c < width; c++) sums[c] += hidden.data[from + c];
    }
    for (let c = 0; c < width; c++) sums[c] *= inverse;
  }
  return new Tensor("float32", pooled, [images, width]);
}

/**
 * Cosine of the angle between two vectors of the same length, in double precision; 0 when either is zero.
 * Takes tensors of any shape, or plain arrays, and sees them as flat.
 */
export function cosineSimilarity(a: Tensor<"float32"> | ArrayLike<number>, b: Tensor<"float32"> | ArrayLike<number>): number {
  const x = a instanceof Tensor ? a.data : a, y = b instanceof Tensor ? b.data : b;
  if (x.length !== y.length) throw shapeError("b", `${x.length} elements`, [y.length]);
  let dot = 0, xx = 0, yy = 0;
  for (let i = 0; i < x.length; i++) {
    dot += x[i] * y[i];
    xx += x[i] * x[i];
    yy += y[i] * y[i];
  }
  return xx === 0 || yy === 0 ? 0 : dot / Math.sqrt(xx * yy);
}

function shapeError(name: string, expected: string, actual: readonly number[]): IJepaError {
  return new IJepaError("input/shape", `${name} must be ${expected}, not [${actual.join(", ")}].`, { name, expected, actual });
}
