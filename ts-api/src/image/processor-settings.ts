/** The fields of preprocessor_config.json that ViTImageProcessor uses, their defaults and their checks. */
import type { IJepaError } from "../core/errors.js";
import type { ImageSize, ResizeTarget } from "./geometry.js";
import { DEFAULT_MAX_PIXELS } from "./raw-image.js";
import { RESAMPLE, type Resample } from "./resample-table.js";

export type { ImageSize, ResizeTarget } from "./geometry.js";

export interface ImageProcessorSettings {
  /** Resize to `size`. */
  readonly doResize: boolean;
  readonly size: ResizeTarget;
  /** Take one number as `size` for both sides (true), or for the shorter one. */
  readonly defaultToSquare: boolean;
  /** Pillow's filter number: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming. */
  readonly resample: Resample;
  /** Cut the middle of `cropSize` out of the resized image; a smaller image gets a black border. */
  readonly doCenterCrop: boolean;
  readonly cropSize: ImageSize | undefined;
  /** Multiply the pixels (0 to 255) by `rescaleFactor`. */
  readonly doRescale: boolean;
  readonly rescaleFactor: number;
  /** Subtract `imageMean`, then divide by `imageStd`. */
  readonly doNormalize: boolean;
  /** One number for all channels or one for each. */
  readonly imageMean: number | readonly number[];
  readonly imageStd: number | readonly number[];
  /** Make RGB of images that are not. */
  readonly doConvertRgb: boolean;
  /** As the last step, add zeros to the right and below up to `padSize`; without it up to the largest image of the batch. */
  readonly doPad: boolean;
  readonly padSize: ImageSize | undefined;
}

type Sizes = "size" | "cropSize" | "padSize";
/** Settings as a caller gives them: all optional, sizes also as one number (a square) or [height, width], `resample` also by name. */
export type ImageProcessorOptions = {
  readonly [K in Exclude<keyof ImageProcessorSettings, Sizes | "resample">]?: ImageProcessorSettings[K] | null | undefined;
} & {
  readonly [K in Sizes]?: ImageProcessorSettings[K] | number | readonly [number, number] | null | undefined;
} & { readonly resample?: Resample | keyof typeof RESAMPLE | null | undefined };

/** The defaults of ViTImageProcessor. */
export const DEFAULT_SETTINGS: ImageProcessorSettings = {
  doResize: true,
  size: { height: 224, width: 224 },
  defaultToSquare: true,
  resample: RESAMPLE.bilinear,
  doCenterCrop: false,
  cropSize: undefined,
  doRescale: true,
  rescaleFactor: 1 / 255,
  doNormalize: true,
  imageMean: [0.5, 0.5, 0.5],
  imageStd: [0.5, 0.5, 0.5],
  doConvertRgb: false,
  doPad: false,
  padSize: undefined,
};

/** Each setting's name in preprocessor_config.json. */
export const CONFIG_NAMES: { readonly [K in keyof ImageProcessorSettings]: string } = {
  doResize: "do_resize",
  size: "size",
  defaultToSquare: "default_to_square",
  resample: "resample",
  doCenterCrop: "do_center_crop",
  cropSize: "crop_size",
  doRescale: "do_rescale",
  rescaleFactor: "rescale_factor",
  doNormalize: "do_normalize",
  imageMean: "image_mean",
  imageStd: "image_std",
  doConvertRgb: "do_convert_rgb",
  doPad: "do_pad",
  padSize: "pad_size",
};

/** Most pixels that an image is made into: as many as are read by default, and more than any model takes. */
export const MAX_RESULT_PIXELS = DEFAULT_MAX_PIXELS;

/** Fields that say nothing about pixels. */
const INERT = new Set(["processor_class", "feature_extractor_type", "auto_map", "transformers_version", "return_tensors", "device", "disable_grouping", "image_seq_length", "model_input_names"]);

/** The order of the axes that images come in, and that the pixels for the model have. */
const LAYOUTS: Record<string, string> = { input_data_format: "channels_last", data_format: "channels_first" };

/** Whether an unknown field has no effect: irrelevant here, switched off, or done anyway. */
export function isInert(field: string, value: unknown): boolean {
  return value === null || value === undefined || value === false || field.startsWith("_") || INERT.has(field) || value === LAYOUTS[field];
}

/** Makes the error for a setting with a wrong value; `expected` completes "must be ...". */
export type SettingError = (name: keyof ImageProcessorSettings, value: unknown, expected: string) => IJepaError;

/** `given` over `base`; null and undefined count as not given. Throws what `error` makes. */
export function readSettings(
  given: Record<string, unknown>,
  base: ImageProcessorSettings,
  error: SettingError,
): ImageProcessorSettings {
  const read = <K extends keyof ImageProcessorSettings>(
    name: K,
    parse: (value: unknown) => ImageProcessorSettings[K] | undefined,
    expected: string,
  ): ImageProcessorSettings[K] => {
    const value = given[name];
    if (value === undefined || value === null) return base[name];
    const parsed = parse(value);
    if (parsed === undefined) throw error(name, value, expected);
    return parsed;
  };
  const bool = "true or false";
  const defaultToSquare = read("defaultToSquare", parseBoolean, bool);
  const settings: ImageProcessorSettings = {
    doResize: read("doResize", parseBoolean, bool),
    size: read("size", (value) => parseTarget(value, defaultToSquare), "{ height, width }, { shortest_edge }, { shortest_edge, longest_edge } or { max_height, max_width } in whole pixels from 1 up"),
    defaultToSquare,
    resample: read("resample", parseResample, "a number from 0 to 5, or the filter's name (nearest, lanczos, bilinear, bicubic, box, hamming)"),
    doCenterCrop: read("doCenterCrop", parseBoolean, bool),
    cropSize: read("cropSize", parseSize, "{ height, width } in whole pixels from 1 up"),
    doRescale: read("doRescale", parseBoolean, bool),
    rescaleFactor: read("rescaleFactor", (value) => (isFinite(value) && value > 0 ? value : undefined), "a number above 0"),
    doNormalize: read("doNormalize", parseBoolean, bool),
    imageMean: read("imageMean", (value) => parsePerChannel(value, isFinite), "a number, or a list with one for each channel"),
    imageStd: read("imageStd", (value) => parsePerChannel(value, isStd), "a number above 0, or a list with one for each channel"),
    doConvertRgb: read("doConvertRgb", parseBoolean, bool),
    doPad: read("doPad", parseBoolean, bool),
    padSize: read("padSize", parseSize, "{ height, width } in whole pixels from 1 up"),
  };
  for (const name of ["size", "cropSize", "padSize"] as const) {
    const size = settings[name];
    if (size !== undefined && "height" in size && size.height * size.width > MAX_RESULT_PIXELS) throw error(name, given[name], `at most ${MAX_RESULT_PIXELS} pixels`);
  }
  if (settings.doCenterCrop && settings.cropSize === undefined) throw error("cropSize", null, "given when doCenterCrop is true");
  const { imageMean, imageStd } = settings;
  if (typeof imageMean !== "number" && typeof imageStd !== "number" && imageMean.length !== imageStd.length) {
    throw error("imageStd", imageStd, `a list of ${imageMean.length} numbers, as the mean is`);
  }
  return settings;
}

function isFinite(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Must still be above 0 when rounded to f32. */
function isStd(value: unknown): value is number {
  return isFinite(value) && Math.fround(value) > 0;
}

function parseBoolean(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

/** Also as `PILImageResampling.BICUBIC` or `InterpolationMode.BICUBIC`, as Python prints them. */
function parseResample(value: unknown): Resample | undefined {
  if (typeof value !== "string") return Object.values(RESAMPLE).find((known) => known === value);
  const name = value.toLowerCase().replace(/^(pilimageresampling|resampling|interpolationmode)\./, "");
  return Object.hasOwn(RESAMPLE, name) ? RESAMPLE[name as keyof typeof RESAMPLE] : undefined;
}

function parseTarget(value: unknown, square: boolean): ResizeTarget | undefined {
  if (typeof value === "number" && !square) return isSide(value) ? { shortest_edge: value } : undefined;
  const sides = withoutNulls(value), names = Object.keys(sides).sort().join();
  if (!Object.values(sides).every(isSide)) return parseSize(value);
  if (names === "shortest_edge" || names === "longest_edge,shortest_edge" || names === "max_height,max_width") return sides as unknown as ResizeTarget;
  return parseSize(value);
}

function parseSize(value: unknown): ImageSize | undefined {
  const sides = withoutNulls(value);
  let { height, width } = sides;
  if (typeof value === "number") height = width = value;
  else if (Array.isArray(value) && value.length === 2) [height, width] = value as unknown[];
  else if (Object.keys(sides).length !== 2) return undefined;
  return isSide(height) && isSide(width) ? { height, width } : undefined;
}

/** The entries of a size that have a value: transformers writes those that do not apply as null. */
function withoutNulls(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([, side]) => side !== null && side !== undefined));
}

function isSide(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1;
}

function parsePerChannel(value: unknown, valid: (entry: unknown) => entry is number): number | readonly number[] | undefined {
  if (Array.isArray(value)) return value.length > 0 && value.every(valid) ? [...value] : undefined;
  return valid(value) ? value : undefined;
}
