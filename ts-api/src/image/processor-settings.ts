/** The fields of preprocessor_config.json that ViTImageProcessor uses, their defaults and their checks. */
import type { IJepaError } from "../core/errors.js";
import { RESAMPLE } from "./resample-table.js";
import type { Resample } from "./resample-table.js";

/** Pixels down and across. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

export interface ImageProcessorSettings {
  /** Resize to `size`. */
  readonly doResize: boolean;
  readonly size: ImageSize;
  /** Pillow's filter number: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming. */
  readonly resample: Resample;
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
}

/** Settings as a caller gives them: all optional, and `size` also as one number (a square) or [height, width]. */
export type ImageProcessorOptions = {
  readonly [K in Exclude<keyof ImageProcessorSettings, "size">]?: ImageProcessorSettings[K] | null | undefined;
} & { readonly size?: ImageSize | number | readonly [number, number] | null | undefined };

/** What ViTImageProcessor takes for fields that are absent. */
export const DEFAULT_SETTINGS: ImageProcessorSettings = {
  doResize: true,
  size: { height: 224, width: 224 },
  resample: RESAMPLE.bilinear,
  doRescale: true,
  rescaleFactor: 1 / 255,
  doNormalize: true,
  imageMean: [0.5, 0.5, 0.5],
  imageStd: [0.5, 0.5, 0.5],
  doConvertRgb: false,
};

/** Each setting's name in preprocessor_config.json. */
export const CONFIG_NAMES: { readonly [K in keyof ImageProcessorSettings]: string } = {
  doResize: "do_resize",
  size: "size",
  resample: "resample",
  doRescale: "do_rescale",
  rescaleFactor: "rescale_factor",
  doNormalize: "do_normalize",
  imageMean: "image_mean",
  imageStd: "image_std",
  doConvertRgb: "do_convert_rgb",
};

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
  const settings: ImageProcessorSettings = {
    doResize: read("doResize", parseBoolean, bool),
    size: read("size", parseSize, "{ height, width } in whole pixels from 1 up; ViTImageProcessor has no sizes by edge"),
    resample: read("resample", parseResample, "a number from 0 to 5 (nearest, lanczos, bilinear, bicubic, box, hamming)"),
    doRescale: read("doRescale", parseBoolean, bool),
    rescaleFactor: read("rescaleFactor", (value) => (isFinite(value) && value > 0 ? value : undefined), "a number above 0"),
    doNormalize: read("doNormalize", parseBoolean, bool),
    imageMean: read("imageMean", (value) => parsePerChannel(value, isFinite), "a number, or a list with one for each channel"),
    imageStd: read("imageStd", (value) => parsePerChannel(value, isStd), "a number above 0, or a list with one for each channel"),
    doConvertRgb: read("doConvertRgb", parseBoolean, bool),
  };
  const { imageMean, imageStd } = settings;
  if (typeof imageMean !== "number" && typeof imageStd !== "number" && imageMean.length !== imageStd.length) {
    throw error("imageStd", imageStd, `a list of ${imageMean.length} numbers, as the mean is`);
  }
  return settings;
}

function isFinite(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Also above 0 once it is an f32. */
function isStd(value: unknown): value is number {
  return isFinite(value) && Math.fround(value) > 0;
}

function parseBoolean(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function parseResample(value: unknown): Resample | undefined {
  return Object.values(RESAMPLE).find((known) => known === value);
}

function parseSize(value: unknown): ImageSize | undefined {
  let { height, width } = value as Partial<Record<"height" | "width", unknown>>;
  if (typeof value === "number") height = width = value;
  else if (Array.isArray(value) && value.length === 2) [height, width] = value as unknown[];
  return isSide(height) && isSide(width) ? { height, width } : undefined;
}

function isSide(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1;
}

function parsePerChannel(value: unknown, valid: (entry: unknown) => entry is number): number | readonly number[] | undefined {
  if (Array.isArray(value)) return value.length > 0 && value.every(valid) ? [...value] : undefined;
  return valid(value) ? value : undefined;
}
