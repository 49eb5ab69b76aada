/** From hidden states to the similarity of tokens, and from attention of all layers to rollout. */
import { IJepaError } from "../core/errors.js";
import { checkList } from "../core/options.js";
import { show } from "../core/show.js";
import { checkTensor, shapeError, Tensor } from "../core/tensor.js";
import { cosineSimilarity } from "./pooling.js";

/**
 * The cosine between one token's features and those of every token of the same image, itself included (1); 0 with a token of
 * zeros. In double precision, rounded once. Reshaped to the patch grid it is a map of what looks like the patch.
 *
 * @param hidden [images, tokens, width], such as `lastHiddenState`
 * @param token its number, row by row
 * @returns [images, tokens]
 * @throws IJepaError `input/shape`, `input/value` for a token that does not exist
 */
export function tokenSimilarity(hidden: Tensor<"float32">, token: number): Tensor<"float32"> {
  checkTensor("hidden", hidden, "float32");
  if (hidden.dims.length !== 3) throw shapeError("hidden", "[images, tokens, width]", hidden.dims);
  const [images, tokens, width] = hidden.dims;
  if (!Number.isInteger(token) || token < 0 || token >= tokens) {
    throw new IJepaError("input/value", `token must be a whole number from 0 to ${tokens - 1}, not ${show(token)}.`, { name: "token", value: token });
  }
  const row = (image: number, t: number) => hidden.data.subarray((image * tokens + t) * width, (image * tokens + t + 1) * width);
  const cosines = Float32Array.from({ length: images * tokens }, (_, i) => {
    const image = Math.floor(i / tokens);
    return cosineSimilarity(row(image, token), row(image, i % tokens));
  });
  return new Tensor("float32", cosines, [images, tokens]);
}

/**
 * Attention rollout (Abnar and Zuidema, "Quantifying Attention Flow in Transformers", 2020): how much of each token of the input
 * is in each token of the output. Heads are averaged, half of every layer is the residual path, rows are made to sum to 1, and the
 * layers multiplied. In double precision, rounded once.
 *
 * @param attentions of all layers, the first one first, each [images, heads, tokens, tokens]: `attentions` of a model's output
 * @returns `[images, tokens, tokens]`: a row for each token of the output, with sum 1
 * @throws IJepaError `input/missing` without layers, `input/shape`
 */
export function attentionRollout(attentions: readonly Tensor<"float32">[]): Tensor<"float32"> {
  checkList("attentions", attentions, "a list of float32 Tensors, one a layer");
  attentions.forEach((layer, i) => checkTensor(`attentions[${i}]`, layer, "float32"));
  if (attentions.length === 0) throw new IJepaError("input/missing", "attentionRollout needs the attentions of at least one layer: run the model with outputAttentions.", { name: "attentions" });
  const [{ dims }] = attentions, [images, , tokens] = dims;
  for (const layer of attentions) {
    const fits = dims.length === 4 && dims[2] === dims[3] && layer.dims.join() === dims.join();
    if (!fits) throw shapeError("attentions", "layers of one shape [images, heads, tokens, tokens]", layer.dims);
  }
  const rollout = new Float32Array(images * tokens * tokens);
  for (let image = 0; image < images; image++) {
    let flow: Float64Array | undefined;
    for (const layer of attentions) {
      const step = withResidual(layer, image);
      flow = flow === undefined ? step : multiply(step, flow, tokens);
    }
    rollout.set(flow!, image * tokens * tokens);
  }
  return new Tensor("float32", rollout, [images, tokens, tokens]);
}

/** [tokens][tokens]: the mean of the heads and the identity in equal parts, rows of sum 1. */
function withResidual({ data, dims }: Tensor<"float32">, image: number): Float64Array {
  const [, heads, tokens] = dims, size = tokens * tokens, step = new Float64Array(size);
  for (let head = 0; head < heads; head++) {
    const from = (image * heads + head) * size;
    for (let i = 0; i < size; i++) step[i] += data[from + i] / heads;
  }
  for (let row = 0; row < tokens; row++) {
    const part = step.subarray(row * tokens, (row + 1) * tokens);
    part[row] += 1;
    const sum = part.reduce((a, b) => a + b, 0);
    for (let i = 0; i < tokens; i++) part[i] /= sum;
  }
  return step;
}

function multiply(a: Float64Array, b: Float64Array, size: number): Float64Array {
  const product = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      const factor = a[i * size + k];
      for (let j = 0; j < size; j++) product[i * size + j] += factor * b[k * size + j];
    }
  }
  return product;
}
