/** From hidden states to one vector per image, and the cosine of two such vectors. */
import { wrongType } from "../core/options.js";
import { show } from "../core/show.js";
import { checkTensor, shapeError, Tensor } from "../core/tensor.js";

const fround = Math.fround;

/**
 * `last_hidden_state.mean(dim=1)`: tokens in order from +0, then times f32(1 / tokens). It runs here for every backend, so its
 * bits are the same by construction (docs/decisions/0004).
 *
 * @param hidden [images, tokens, width]
 * @returns [images, width]
 * @throws IJepaError `input/shape` for another number of axes; TypeError for anything but a float32 tensor
 */
export function meanPool(hidden: Tensor<"float32">): Tensor<"float32"> {
  checkTensor("hidden", hidden, "float32");
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

/** Tensors of one shape, joined along their last axis; a single one is given back as it is. */
export function sideBySide(tensors: readonly Tensor<"float32">[]): Tensor<"float32"> {
  const [{ dims, size }] = tensors, width = dims.at(-1)!;
  if (tensors.length === 1) return tensors[0];
  const joined = new Float32Array(size * tensors.length);
  tensors.forEach(({ data }, i) => {
    for (let row = 0; row < size / width; row++) joined.set(data.subarray(row * width, (row + 1) * width), (row * tensors.length + i) * width);
  });
  return new Tensor("float32", joined, [...dims.slice(0, -1), width * tensors.length]);
}

/**
 * The first token of each image, which is the first patch: I-JEPA has no class token.
 *
 * @param hidden [images, tokens, width]
 * @returns [images, width]
 * @throws IJepaError `input/shape` for another number of axes; TypeError for anything but a float32 tensor
 */
export function firstToken(hidden: Tensor<"float32">): Tensor<"float32"> {
  checkTensor("hidden", hidden, "float32");
  if (hidden.dims.length !== 3) throw shapeError("hidden", "[images, tokens, width]", hidden.dims);
  const [images, tokens, width] = hidden.dims, first = new Float32Array(images * width);
  for (let i = 0; i < images; i++) first.set(hidden.data.subarray(i * tokens * width, (i * tokens + 1) * width), i * width);
  return new Tensor("float32", first, [images, width]);
}

/**
 * Divides each row of the last axis by its Euclidean norm, in double precision, rounded once; rows of zeros stay.
 *
 * @param tensor [..., width]
 * @returns a new tensor of the same shape
 * @throws TypeError for anything but a float32 tensor
 */
export function normalizeRows(tensor: Tensor<"float32">): Tensor<"float32"> {
  checkTensor("tensor", tensor, "float32");
  const width = tensor.dims.at(-1) ?? 1, rows = new Float32Array(tensor.size);
  for (let from = 0; from < tensor.size; from += width) {
    const row = tensor.data.subarray(from, from + width);
    const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    if (norm > 0) rows.set(row.map((v) => v / norm), from);
  }
  return new Tensor("float32", rows, tensor.dims);
}

/**
 * Cosine of the angle between two vectors of the same length, in double precision; 0 when either is zero. Takes tensors of any shape, or
 * plain arrays, as flat vectors.
 *
 * @throws TypeError for anything else; IJepaError `input/shape` for vectors of different lengths
 */
export function cosineSimilarity(a: Tensor<"float32"> | ArrayLike<number>, b: Tensor<"float32"> | ArrayLike<number>): number {
  const x = numbersOf("a", a), y = numbersOf("b", b);
  if (x.length !== y.length) throw shapeError("b", `${x.length} elements`, [y.length]);
  let dot = 0, xx = 0, yy = 0;
  for (let i = 0; i < x.length; i++) {
    dot += x[i] * y[i];
    xx += x[i] * x[i];
    yy += y[i] * y[i];
  }
  return xx === 0 || yy === 0 ? 0 : dot / Math.sqrt(xx * yy);
}

/** The numbers of a tensor or a list; anything else would silently count as zeros or NaN. */
function numbersOf(name: string, value: Tensor<"float32"> | ArrayLike<number>): ArrayLike<number> {
  if (value instanceof Tensor) {
    checkTensor(name, value, "float32");
    return value.data;
  }
  if (ArrayBuffer.isView(value) && "BYTES_PER_ELEMENT" in value && typeof value[0] !== "bigint") return value;
  const length: unknown = typeof value === "object" && value !== null && "length" in value ? value.length : undefined;
  if (!Number.isInteger(length) || ArrayBuffer.isView(value)) throw wrongType(name, "a float32 Tensor or a list of numbers", value);
  for (let i = 0; i < value.length; i++) {
    if (typeof value[i] !== "number") throw new TypeError(`${name} must be a float32 Tensor or a list of numbers, but holds ${show(value[i])} at index ${i}.`);
  }
  return value;
}
