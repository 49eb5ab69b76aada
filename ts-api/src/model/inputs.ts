/** From the arguments of `forward` to checked options of the encoder. Names are Hugging Face's, if it has them. */
import { IJepaError } from "../core/errors.js";
import { isRecord, readOptions, wrongType, type OptionNames } from "../core/options.js";
import { checkTensor, shapeError, Tensor } from "../core/tensor.js";
import { firstNonFinite } from "../weights/dtypes.js";
import type { IJepaConfig } from "../config/config.js";
import type { EncodeOptions } from "../encoder/encoder.js";
import type { Pixels } from "../encoder/pixels.js";
import { passSize } from "../encoder/plan.js";

/** Options that may be given with the inputs, as in Hugging Face, or among the options, which take precedence. */
export interface EitherPlace {
  /** Also return `hiddenStates`. */
  outputHiddenStates?: boolean | undefined;
  /** Also return `attentions`. */
  outputAttentions?: boolean | undefined;
  /** Accept images of another size than the config's, and interpolate the position embeddings (torch's bicubic). Default false. */
  interpolatePosEncoding?: boolean | undefined;
}

/** Options of `forward`; none changes a bit of the features. */
export interface ForwardOptions extends EitherPlace {
  /** Looked at before each layer. */
  signal?: AbortSignal | undefined;
}

/** What `IJepaModel.forward` takes. */
export interface ModelInputs extends EitherPlace {
  /** [images, channels, height, width], as IJepaImageProcessor makes it. */
  pixelValues: Tensor<"float32">;
  /**
   * [images, tokens], 1 where a patch is replaced by the mask token, before positions are added. Needs `useMaskToken`. As in all
   * masks, the tokens are those that are encoded: with `keepPatches` the kept ones.
   */
  boolMaskedPos?: Tensor | undefined;
  /**
   * [images, tokens], 0 for tokens that no token attends to, else 1: transformers 5's bidirectional mask, as its eager attention applies
   * it. If all values of an image are 0, every token attends equally to all.
   */
  attentionMask?: Tensor | undefined;
  /** [heads] or [layers, heads]: factors of the attention probabilities, as Hugging Face's eager attention applies them. */
  headMask?: Tensor<"float32"> | undefined;
  /**
   * [images, kept] int32: encode only these patches of each image, counted row by row, in this order and at the positions they
   * have in the whole image, as I-JEPA's context encoder does in training. The output has `kept` tokens.
   */
  keepPatches?: Tensor<"int32"> | undefined;
}

/** What `IJepaForImageClassification.forward` takes. */
export interface ClassifierInputs extends Omit<ModelInputs, "boolMaskedPos"> {
  /** [images] class numbers, or [images, classes] values: with labels the output has `loss`. */
  labels?: Tensor | undefined;
}

const EITHER: OptionNames<EitherPlace> = { outputHiddenStates: "boolean", outputAttentions: "boolean", interpolatePosEncoding: "boolean" };
const FORWARD: OptionNames<ForwardOptions> = { ...EITHER, signal: "AbortSignal" };
export const MODEL_INPUTS: OptionNames<ModelInputs> = {
  ...EITHER, pixelValues: true, boolMaskedPos: true, attentionMask: true, headMask: true, keepPatches: true,
};
export const CLASSIFIER_INPUTS: OptionNames<ClassifierInputs> = {
  ...EITHER, pixelValues: true, attentionMask: true, headMask: true, keepPatches: true, labels: true,
};

/**
 * Reads both arguments of `forward`; values that may be given in either end up among the options.
 *
 * @throws TypeError, IJepaError `input/value`
 */
export function readForward<I extends EitherPlace>(given: I, options: ForwardOptions | undefined, names: OptionNames<I>): { inputs: I; options: ForwardOptions } {
  if (given instanceof Tensor || (given !== undefined && given !== null && !isRecord(given))) throw wrongType("The inputs of forward", "an object such as { pixelValues }", given);
  const inputs = readOptions(given, names, "forward"), { outputHiddenStates, outputAttentions, interpolatePosEncoding } = inputs;
  const either = { outputHiddenStates, outputAttentions, interpolatePosEncoding };
  return { inputs, options: { ...either, ...readOptions(options, FORWARD, "forward") } };
}

/** Every argument of `forward`; the encoder's options are those that were given. */
export interface CheckedInputs extends Pick<EncodeOptions, "keep" | "mask" | "headMask" | "attentionMask" | "interpolatePosEncoding"> {
  pixels: Pixels;
}

/**
 * @param hasMaskToken whether the model was loaded with it
 * @throws IJepaError `input/missing`, `input/shape`, `input/value`; TypeError for tensors of a wrong type
 */
export function checkInputs(inputs: ModelInputs, config: IJepaConfig, interpolatePosEncoding = false, hasMaskToken = false): CheckedInputs {
  const pixels = checkPixels(inputs.pixelValues, config, interpolatePosEncoding);
  const { images, height, width } = pixels, keep = checkKeep(inputs.keepPatches, config, pixels);
  const tokens = keep === undefined ? passSize(config, 1, height, width).tokens : keep.length / images;
  return {
    pixels,
    keep,
    interpolatePosEncoding,
    mask: checkMask(inputs.boolMaskedPos, images, tokens, hasMaskToken),
    headMask: checkHeadMask(inputs.headMask, config),
    attentionMask: checkAttentionMask(inputs.attentionMask, images, tokens),
  };
}

/**
 * @param pixels [images, channels, height, width]; of the config's size unless `interpolate`
 * @throws IJepaError `input/missing`, `input/shape`, `input/value`; TypeError for no float32 tensor
 */
export function checkPixels(pixels: Tensor<"float32"> | undefined, config: IJepaConfig, interpolate = false): Pixels {
  if (pixels === undefined) throw new IJepaError("input/missing", "You have to specify pixelValues.", { name: "pixelValues" });
  checkTensor("pixelValues", pixels, "float32");
  const { numChannels, imageHeight, imageWidth } = config;
  const expected = `[images, ${numChannels}, ${interpolate ? "height, width" : `${imageHeight}, ${imageWidth}`}]`;
  const wrong = (message: string) => new IJepaError("input/shape", message, { name: "pixelValues", expected, actual: pixels.dims });
  const [images, channels, height, width] = pixels.dims;
  if (pixels.dims.length !== 4 || images === 0) throw shapeError("pixelValues", expected, pixels.dims);
  if (channels !== numChannels) {
    throw wrong(
      "Make sure that the channel dimension of the pixel values match with the one set in the configuration. " +
        `Expected ${numChannels} but got ${channels}.`,
    );
  }
  if (!interpolate && (height !== imageHeight || width !== imageWidth)) {
    throw wrong(`Input image size (${height}*${width}) doesn't match model (${imageHeight}*${imageWidth}).`);
  }
  const bad = firstNonFinite(pixels.data);
  if (bad >= 0) {
    throw new IJepaError("input/value", `pixelValues holds ${pixels.data[bad]} at index ${bad}; pixels must be finite.`, {
      name: "pixelValues",
      value: pixels.data[bad],
    });
  }
  return { data: pixels.data, images, height, width };
}

/**
 * @param keep [images, kept] int32: numbers of patches, row by row
 * @returns [images][kept]
 * @throws IJepaError `input/shape`, `input/value`
 */
export function checkKeep(keep: Tensor | undefined, config: IJepaConfig, pixels: Pixels): Int32Array | undefined {
  if (keep === undefined) return undefined;
  checkTensor("keepPatches", keep, "int32");
  const { tokens } = passSize(config, 1, pixels.height, pixels.width), [images, kept] = keep.dims;
  if (keep.dims.length !== 2 || images !== pixels.images || kept === 0) {
    const expected = `[${pixels.images}, kept]`;
    const message = `keepPatches must be ${expected} with at least one patch of each image, not [${keep.dims.join(", ")}].`;
    throw new IJepaError("input/shape", message, { name: "keepPatches", expected, actual: keep.dims });
  }
  const { data } = keep, bad = data.findIndex((patch) => patch < 0 || patch >= tokens);
  if (bad >= 0) {
    const message = `keepPatches holds ${data[bad]} at index ${bad}; patches go from 0 to ${tokens - 1}.`;
    throw new IJepaError("input/value", message, { name: "keepPatches", value: data[bad] });
  }
  return data;
}

/**
 * @param mask [images, patches], bool, uint8 or int32: 1 where a patch is replaced by the mask token
 * @param tokens those of one image
 * @throws IJepaError `input/shape`, `input/value`; `input/missing` without a mask token
 */
export function checkMask(mask: Tensor | undefined, images: number, tokens: number, hasMaskToken: boolean): Uint8Array | undefined {
  if (mask !== undefined && !hasMaskToken) {
    throw new IJepaError("input/missing", "boolMaskedPos needs a mask token: load the model with useMaskToken.", { name: "mask_token" });
  }
  return checkBits("boolMaskedPos", mask, images, tokens);
}

/**
 * @param mask [images, tokens], bool, uint8 or int32: 0 for tokens that no token attends to
 * @param tokens those of one image
 * @throws IJepaError `input/shape`, `input/value`
 */
export function checkAttentionMask(mask: Tensor | undefined, images: number, tokens: number): Uint8Array | undefined {
  return checkBits("attentionMask", mask, images, tokens);
}

function checkBits(name: string, mask: Tensor | undefined, images: number, tokens: number): Uint8Array | undefined {
  if (mask === undefined) return undefined;
  checkTensor(name, mask, "bool", "uint8", "int32");
  if (mask.dims.length !== 2 || mask.dims[0] !== images || mask.dims[1] !== tokens) {
    const expected = `[${images}, ${tokens}]`;
    const message = `${name} must be ${expected}, one place a patch, not [${mask.dims.join(", ")}].`;
    throw new IJepaError("input/shape", message, { name, expected, actual: mask.dims });
  }
  const bad = mask.data.findIndex((value) => value !== 0 && value !== 1);
  if (bad >= 0) {
    throw new IJepaError("input/value", `${name} holds ${mask.data[bad]} at index ${bad}; only 0 and 1 are allowed.`, { name, value: mask.data[bad] });
  }
  return Uint8Array.from(mask.data);
}

/**
 * @param mask [heads], for all layers, or [layers, heads]; the factors of the attention probabilities
 * @returns [layers][heads]
 * @throws IJepaError `input/shape`, `input/value`
 */
export function checkHeadMask(mask: Tensor<"float32"> | undefined, config: IJepaConfig): Float32Array | undefined {
  if (mask === undefined) return undefined;
  checkTensor("headMask", mask, "float32");
  const { numHiddenLayers: layers, numAttentionHeads: heads } = config;
  const shape = mask.dims.join();
  if (shape !== `${heads}` && shape !== `${layers},${heads}`) throw shapeError("headMask", `[${heads}] or [${layers}, ${heads}]`, mask.dims);
  const bad = firstNonFinite(mask.data);
  if (bad >= 0) {
    throw new IJepaError("input/value", `headMask holds ${mask.data[bad]} at index ${bad}; factors must be finite.`, { name: "headMask", value: mask.data[bad] });
  }
  return Float32Array.from({ length: layers * heads }, (_, i) => mask.data[i % mask.size]);
}
