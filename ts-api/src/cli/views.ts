/** What `ijepa visualize` draws: maps of one photo, of several, or of all layers and heads, and the words that go with them. */
import { attentionMap, IJepaError, pcaMap, similarityMap, Tensor } from "../index.js";
import type { GreyMap, IJepaConfig, ModelOutput, Patch, RawImage } from "../index.js";
import type { KINDS } from "./args.js";

export type Kind = (typeof KINDS)[number];

/** The requested view; layer and head from 1. */
export interface Request {
  readonly kind: Kind;
  readonly patch: Patch | undefined;
  readonly layer: number | undefined;
  readonly head: number | undefined;
}

/** One picture. */
export interface View {
  /** Which of the photos it is of. */
  readonly photo: number;
  readonly map: RawImage;
  /** The patch that is framed. */
  readonly patch?: Patch | undefined;
  readonly label?: string;
}

/** Pictures, how many are in a row, and the legend. */
export interface Views {
  readonly views: readonly View[];
  readonly columns: number;
  readonly text: string;
  readonly scale?: readonly [least: string, greatest: string];
}

/** Photos side by side, at most so many in a row. */
const IN_A_ROW = 4;

/**
 * The request, with the middle patch where similarity is asked for without one.
 * @throws IJepaError `input/value` for a layer or head that the model does not have
 */
export function checked({ kind, patch, layer, head }: Request, config: IJepaConfig): Request {
  const { gridWidth, gridHeight, numHiddenLayers: layers, numAttentionHeads: heads } = config;
  if (layer !== undefined && layer > layers) throw beyond("layer", layer, layers);
  if (head !== undefined && head > heads) throw beyond("head", head, heads);
  const middle = [Math.floor(gridWidth / 2), Math.floor(gridHeight / 2)] as const;
  return { kind, patch: kind === "similarity" ? (patch ?? middle) : patch, layer, head };
}

/** One map of each photo. Features are compared across all of them, so that colours mean the same in each. */
export function viewsOfPhotos(outputs: readonly ModelOutput[], names: readonly string[], request: Request, columns: number): Views {
  const { kind, patch, layer, head } = request, shape = { columns: Math.min(IN_A_ROW, outputs.length) }, isOne = outputs.length === 1;
  if (kind === "attention") {
    const maps = outputs.map(({ attentions }) => attentionMap(attentions!.at(layer === undefined ? -1 : layer - 1)!, columns, { patch, head: head === undefined ? undefined : head - 1 }));
    const views = maps.map((map, photo) => ({ photo, map, patch, label: names[photo] }));
    return { ...shape, views, text: attentionText(patch) + (isOne ? "" : " Each picture has a scale of its own."), scale: scaleOf(isOne ? maps[0] : undefined, percent) };
  }
  const features = joined(outputs.map((output) => featuresOf(output, layer))), similarity = kind === "similarity" ? similarityMap(features, columns, patch!) : undefined;
  const views = parts(similarity ?? pcaMap(features, columns), outputs.length).map((map, photo) => ({ photo, map, patch: photo === 0 ? patch : undefined, label: names[photo] }));
  if (similarity === undefined) return { ...shape, views, text: PCA + (isOne ? "" : " Colours mean the same in all pictures.") };
  return { ...shape, views, text: SIMILARITY, scale: scaleOf(similarity, cosine) };
}

/** Every layer; for attention the mean of each layer's heads, then every head. --layer and --head restrict the choice. */
export function viewsOfLayers({ lastHiddenState, hiddenStates, attentions }: ModelOutput, request: Request, { gridWidth: columns, numAttentionHeads, numHiddenLayers }: IJepaConfig): Views {
  const { kind, patch, layer, head } = request;
  const layers = layer === undefined ? Array.from({ length: numHiddenLayers }, (_, i) => i + 1) : [layer];
  if (kind === "attention") {
    const heads = head === undefined ? [undefined, ...Array.from({ length: numAttentionHeads }, (_, i) => i + 1)] : [head];
    const views = layers.flatMap((number) =>
      heads.map((one) => ({
        photo: 0,
        map: attentionMap(attentions![number - 1], columns, { patch, head: one === undefined ? undefined : one - 1 }),
        patch,
        label: one === undefined ? `layer ${number} mean` : `layer ${number} head ${one}`,
      })),
    );
    return { views, columns: heads.length, text: `${attentionText(patch)} Each picture has a scale of its own.`, scale: scaleOf(undefined, percent) };
  }
  const states = [...layers.map((number) => ({ label: `layer ${number}`, state: hiddenStates![number] })), ...(layer === undefined ? [{ label: "output", state: lastHiddenState }] : [])];
  const views = states.map(({ label, state }) => ({ photo: 0, label, patch, map: kind === "pca" ? pcaMap(state, columns) : similarityMap(state, columns, patch!) }));
  const inRow = Math.ceil(Math.sqrt(views.length));
  if (kind === "pca") return { views, columns: inRow, text: `${PCA} Each picture has colours of its own.` };
  return { views, columns: inRow, text: `${SIMILARITY} Each picture has a scale of its own.`, scale: scaleOf(undefined, cosine) };
}

const PCA = "Patches of one colour look alike to the model.";
const SIMILARITY = "How much each patch looks like the framed one to the model.";

function attentionText(patch: Patch | undefined): string {
  return patch === undefined ? "How much attention each patch receives." : "How much the framed patch attends to each patch.";
}

function scaleOf(map: GreyMap | undefined, word: (value: number) => string): [least: string, greatest: string] {
  return map === undefined ? ["least", "most"] : [word(map.least), word(map.greatest)];
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const cosine = (value: number): string => value.toFixed(2);

/** @param layer from 1; the first of `hiddenStates` is the embedding */
function featuresOf({ lastHiddenState, hiddenStates }: ModelOutput, layer: number | undefined): Tensor<"float32"> {
  return layer === undefined ? lastHiddenState : hiddenStates![layer];
}

/** The patches of all photos as those of one, each photo below the one before. */
function joined(features: readonly Tensor<"float32">[]): Tensor<"float32"> {
  const width = features[0].dims.at(-1)!, data = new Float32Array(features.reduce((size, one) => size + one.size, 0));
  let at = 0;
  for (const one of features) {
    data.set(one.data, at);
    at += one.size;
  }
  return new Tensor("float32", data, [data.length / width, width]);
}

/** Cuts a map of photos below each other into one map a photo. */
function parts({ data, width, height, channels }: RawImage, count: number): RawImage[] {
  const size = data.length / count;
  return Array.from({ length: count }, (_, i) => ({ data: data.subarray(i * size, (i + 1) * size), width, height: height / count, channels }));
}

function beyond(name: string, value: number, count: number): IJepaError {
  return new IJepaError("input/value", `--${name} must be from 1 to ${count}, as many as the model has, not ${value}.`, { name, value });
}
