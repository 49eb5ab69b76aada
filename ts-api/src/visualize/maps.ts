/** From features and attention to small images, one pixel a patch. */
import { IJepaError } from "../core/errors.js";
import { checkType, readOptions, wrongType, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import { checkTensor, shapeError, Tensor } from "../core/tensor.js";
import type { RawImage, RgbImage } from "../image/raw-image.js";
import { cosineSimilarity } from "../model/pooling.js";
import { principalComponents } from "./components.js";

/** A patch by its column and row, from 0, from the top left. */
export type Patch = readonly [column: number, row: number];

/** Which attention is drawn; default: all of it. */
export interface AttentionOptions {
  /** Which head; default: the mean of all. */
  head?: number | undefined;
  /** Draw what this patch attends to; default: how much each patch is attended to, averaged over all patches. */
  patch?: Patch | undefined;
}

/** A map with one value a patch: grey, the least value black (0), the greatest white (255). */
export interface GreyMap extends RawImage {
  /** The value that is black. */
  readonly least: number;
  /** The value that is white. */
  readonly greatest: number;
}

const ATTENTION: OptionNames<AttentionOptions> = { head: "number", patch: true };
/** A score this many standard deviations away has the full colour. */
const FULL_COLOUR = 2;

/**
 * The three strongest principal components of an image's patch features as red, green and blue: patches of one colour have
 * features alike.
 *
 * @param features [1, tokens, width] or [tokens, width]
 * @param columns of the patch grid, `config.gridWidth`
 * @throws IJepaError `input/shape`
 */
export function pcaMap(features: Tensor<"float32">, columns: number): RgbImage {
  const { tokens, rows } = gridOf(features, columns);
  const { scores, energies } = principalComponents(features.data, tokens, 3);
  const data = new Uint8Array(tokens * 3);
  scores.forEach((score, channel) => {
    const deviation = Math.sqrt(energies[channel] / tokens);
    for (let t = 0; t < tokens; t++) data[t * 3 + channel] = toByte(deviation === 0 ? 0.5 : 0.5 + score[t] / (2 * FULL_COLOUR * deviation));
  });
  return { data, width: columns, height: rows, channels: 3 };
}

/**
 * The similarity of each patch's features to those of one patch: cosines, the least black, the greatest white.
 *
 * @param features [1, tokens, width] or [tokens, width]
 * @param columns of the patch grid
 * @throws IJepaError `input/shape`, `input/value` for a patch outside the grid
 */
export function similarityMap(features: Tensor<"float32">, columns: number, patch: Patch): GreyMap {
  const { tokens, rows } = gridOf(features, columns), width = features.size / tokens;
  const token = (index: number) => features.data.subarray(index * width, (index + 1) * width);
  const chosen = token(tokenOf(patch, columns, rows));
  return stretched(Float64Array.from({ length: tokens }, (_, t) => cosineSimilarity(chosen, token(t))), columns);
}

/**
 * A layer's attention, the least black, the greatest white. Values are parts of all attention: the patches of a map share 1.
 *
 * @param attention [1, heads, tokens, tokens] or [heads, tokens, tokens]: one of the `attentions` of a forward pass
 * @param columns of the patch grid
 * @throws IJepaError `input/shape`, `input/value` for a patch or head that does not exist
 */
export function attentionMap(attention: Tensor<"float32">, columns: number, options: AttentionOptions = {}): GreyMap {
  const { head, patch } = readOptions(options, ATTENTION, "attentionMap");
  checkTensor("attention", attention, "float32");
  const [heads, tokens, keys] = attention.dims.slice(-3);
  if (attention.dims.length < 3 || tokens !== keys || heads * tokens * tokens !== attention.size) throw shapeError("attention", "[1, heads, tokens, tokens]", attention.dims);
  const { rows } = gridOf(new Tensor("float32", attention.data.subarray(0, tokens * tokens), [tokens, tokens]), columns);
  if (head !== undefined && !(Number.isInteger(head) && head >= 0 && head < heads)) {
    throw new IJepaError("input/value", `head must be a whole number from 0 to ${heads - 1}, not ${head}.`, { name: "head", value: head });
  }
  const chosen = head === undefined ? Array.from({ length: heads }, (_, h) => h) : [head];
  const from = patch === undefined ? 0 : tokenOf(patch, columns, rows), to = patch === undefined ? tokens : from + 1;
  const sums = new Float64Array(tokens);
  for (const h of chosen) {
    for (let query = from; query < to; query++) {
      const row = (h * tokens + query) * tokens;
      for (let key = 0; key < tokens; key++) sums[key] += attention.data[row + key];
    }
  }
  const shared = chosen.length * (to - from);
  return { ...stretched(sums, columns), ...range(sums.map((sum) => sum / shared)) };
}

/** The place of a patch among the tokens. Throws IJepaError `input/value` for a patch outside the grid. */
export function tokenOf(patch: Patch, columns: number, rows: number): number {
  if (!Array.isArray(patch) || patch.length !== 2) throw wrongType("patch", "[column, row]", patch);
  const [column, row] = patch as Patch;
  const inside = Number.isInteger(column) && Number.isInteger(row) && column >= 0 && row >= 0 && column < columns && row < rows;
  if (inside) return row * columns + column;
  throw new IJepaError("input/value", `patch must be a column from 0 to ${columns - 1} and a row from 0 to ${rows - 1}, not ${show(patch)}.`, { name: "patch", value: patch });
}

function gridOf(features: Tensor<"float32">, columns: number): { tokens: number; rows: number } {
  checkTensor("features", features, "float32");
  checkColumns(columns);
  const { dims } = features, tokens = dims.at(-2) ?? 0;
  const one = dims.length === 2 || (dims.length === 3 && dims[0] === 1);
  if (!one || tokens === 0 || tokens % columns !== 0) throw shapeError("features", `[1, tokens, width] with a multiple of ${columns} tokens`, dims);
  return { tokens, rows: tokens / columns };
}

/** @throws TypeError, IJepaError `input/value` */
function checkColumns(columns: unknown): void {
  checkType("columns", columns, "number");
  if (Number.isInteger(columns) && (columns as number) > 0) return;
  throw new IJepaError("input/value", `columns must be the width of the patch grid, config.gridWidth, not ${show(columns)}.`, { name: "columns", value: columns });
}

/** Values from the least to the greatest as 0 to 255. */
function stretched(values: Float64Array, columns: number): GreyMap {
  const { least, greatest } = range(values), width = greatest - least;
  const data = Uint8Array.from(values, (value) => toByte(width === 0 ? 0.5 : (value - least) / width));
  return { data, width: columns, height: values.length / columns, channels: 1, least, greatest };
}

function range(values: Float64Array): { least: number; greatest: number } {
  return { least: values.reduce((a, b) => Math.min(a, b)), greatest: values.reduce((a, b) => Math.max(a, b)) };
}

/** 0 ... 1 as 0 ... 255, clipped. */
function toByte(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value * 255)));
}
