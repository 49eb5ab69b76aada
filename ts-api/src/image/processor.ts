/** From pixels of any size to the tensor that a model takes. */
import { runtime } from "#runtime";
import { IJepaError } from "../core/errors.js";
import { checkNames as checkKnown, isRecord, readOptions, wrongType } from "../core/options.js";
import { show } from "../core/show.js";
import { Tensor } from "../core/tensor.js";
import { readProcessorConfig } from "../weights/checkpoint.js";
import { modelAndOptions, type ModelRef } from "../weights/model-folder.js";
import { SOURCE_OPTIONS, type SourceOptions } from "../weights/source-options.js";
import { centerCrop, resizedSize } from "./geometry.js";
import { CONFIG_NAMES, DEFAULT_SETTINGS, isInert, MAX_RESULT_PIXELS, readSettings } from "./processor-settings.js";
import type { ImageProcessorOptions, ImageProcessorSettings, ImageSize, ResizeTarget, SettingError } from "./processor-settings.js";
import { checkRawImage, toRgb, type RawImage } from "./raw-image.js";
import { resize } from "./resize.js";
import { openResizer } from "./resizer.js";
import type { Resample } from "./resample-table.js";

export type { ImageProcessorOptions, ImageProcessorSettings, ImageSize, ResizeTarget } from "./processor-settings.js";

const DEFAULT_TYPE = "ViTImageProcessor";
/** Settings that configs leave out when they are off. */
const RARE: readonly (keyof ImageProcessorSettings)[] = ["defaultToSquare", "doCenterCrop", "cropSize", "doPad", "padSize"];
/** The names under which transformers has saved this processor. */
const KNOWN_TYPES = /^(ViT|IJepa)(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/;

/**
 * Turns pixels into model inputs, exactly as transformers' ViTImageProcessor does with Pillow (not its torchvision variant, whose bits
 * depend on the machine): resize to 8-bit pixels, crop, rescale, normalize, pad, channels first.
 */
export class IJepaImageProcessor implements ImageProcessorSettings {
  readonly doResize: boolean;
  /** Size to resize to, in pixels. */
  readonly size: ResizeTarget;
  readonly defaultToSquare: boolean;
  readonly resample: Resample;
  readonly doCenterCrop: boolean;
  /** Size of the centre crop, in pixels; undefined without one. */
  readonly cropSize: ImageSize | undefined;
  readonly doRescale: boolean;
  /** Factor of every 8-bit value; 1/255 maps them to 0 to 1. */
  readonly rescaleFactor: number;
  readonly doNormalize: boolean;
  readonly imageMean: number | readonly number[];
  /** Divides the values after the mean was subtracted: one number, or one for each channel. */
  readonly imageStd: number | readonly number[];
  readonly doConvertRgb: boolean;
  readonly doPad: boolean;
  /** Size to pad to with zeros, in pixels; undefined without padding. */
  readonly padSize: ImageSize | undefined;
  /** `image_processor_type` of the config. */
  readonly imageProcessorType: string;
  /** Keys of the config that are not used here; `toConfig` gives them back. */
  readonly otherFields: Readonly<Record<string, unknown>>;

  /**
   * @param options settings that differ from ViTImageProcessor's defaults (224 x 224, bilinear, 1/255, mean and std 0.5)
   * @param imageProcessorType the name that `toConfig` writes
   * @param otherFields further fields that `toConfig` writes
   * @throws IJepaError `input/value`
   */
  constructor(options: ImageProcessorOptions = {}, imageProcessorType = DEFAULT_TYPE, otherFields: Record<string, unknown> = {}) {
    const settings = readSettings(checkNames(options), DEFAULT_SETTINGS, inputError);
    this.doResize = settings.doResize;
    this.size = settings.size;
    this.defaultToSquare = settings.defaultToSquare;
    this.resample = settings.resample;
    this.doCenterCrop = settings.doCenterCrop;
    this.cropSize = settings.cropSize;
    this.doRescale = settings.doRescale;
    this.rescaleFactor = settings.rescaleFactor;
    this.doNormalize = settings.doNormalize;
    this.imageMean = settings.imageMean;
    this.imageStd = settings.imageStd;
    this.doConvertRgb = settings.doConvertRgb;
    this.doPad = settings.doPad;
    this.padSize = settings.padSize;
    this.imageProcessorType = imageProcessorType;
    this.otherFields = otherFields;
  }

  /** The image processor of the model of the package. Throws the same errors as with a named model. */
  static fromPretrained(options: SourceOptions): Promise<IJepaImageProcessor>;
  /**
   * The image processor of a model; no weights are read.
   *
   * @param ref a folder or URL with preprocessor_config.json, or the name of a model on the Hugging Face Hub; default: the model of the
   *   package
   * @throws IJepaError `config/missing` without preprocessor_config.json, `config/field`, `hub/*`, `io/*`, `aborted`
   */
  static fromPretrained(ref?: ModelRef | URL, options?: SourceOptions | null): Promise<IJepaImageProcessor>;
  static async fromPretrained(ref?: ModelRef | URL | SourceOptions, options?: SourceOptions | null): Promise<IJepaImageProcessor> {
    const [model = runtime.defaultModel, rest] = modelAndOptions(ref, options);
    const [config] = await Promise.all([readProcessorConfig(model, readOptions(rest, SOURCE_OPTIONS, "IJepaImageProcessor.fromPretrained")), openResizer()]);
    return IJepaImageProcessor.fromConfig(config);
  }

  /**
   * A processor with the settings of a model.
   *
   * @param config a parsed preprocessor_config.json
   * @throws IJepaError `config/field` for a field with an invalid value, and for one that requests an unsupported step
   */
  static fromConfig(config: unknown): IJepaImageProcessor {
    if (!isRecord(config)) {
      const message = "preprocessor_config.json must hold an object of fields.";
      throw new IJepaError("config/field", message, { field: "preprocessor_config.json", value: config });
    }
    const rest: Record<string, unknown> = { ...config };
    const given: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(CONFIG_NAMES)) {
      given[name] = rest[field];
      delete rest[field];
    }
    const { image_processor_type, ...otherFields } = rest, type = image_processor_type ?? DEFAULT_TYPE;
    // The older name of the field; it counts, as in transformers, where the newer one is not given.
    const older = otherFields["feature_extractor_type"] ?? undefined;
    const [field, named] = older === undefined || type === image_processor_type ? ["image_processor_type", type] : ["feature_extractor_type", older];
    if (typeof named !== "string" || !KNOWN_TYPES.test(named)) {
      const message = `${field} ${show(named)} is not supported; I-JEPA checkpoints have "${DEFAULT_TYPE}".`;
      throw new IJepaError("config/field", message, { field, value: named });
    }
    for (const [field, value] of Object.entries(otherFields)) {
      if (isInert(field, value)) continue;
      const message = `${field} in preprocessor_config.json is ${show(value)}, which is not supported. Remove it, or set it to null, if the model does without.`;
      throw new IJepaError("config/field", message, { field, value });
    }
    const settings = readSettings(given, DEFAULT_SETTINGS, configError);
    return new IJepaImageProcessor(settings, type as string, otherFields);
  }

  /** The fields as preprocessor_config.json has them; `fromConfig` reads them back. */
  toConfig(): Record<string, unknown> {
    const settings = Object.keys(CONFIG_NAMES) as (keyof ImageProcessorSettings)[];
    const written = settings.filter((name) => !RARE.includes(name) || this[name] !== DEFAULT_SETTINGS[name]);
    const fields = written.map((name): [string, unknown] => [CONFIG_NAMES[name], this[name]]);
    return { ...this.otherFields, ...Object.fromEntries(fields), image_processor_type: this.imageProcessorType };
  }

  /**
   * Turns images into the model's inputs.
   *
   * @param images one image or several; several must have one size after resizing
   * @param overrides settings for this call only
   * @returns `pixelValues` of shape [images, channels, height, width]
   * @throws IJepaError `input/value` for a wrong override, `input/shape` for images that do not fit each other or the
   *   mean and std, and what `checkRawImage` throws
   */
  preprocess(images: RawImage | readonly RawImage[], overrides?: ImageProcessorOptions | null): { pixelValues: Tensor<"float32"> } {
    const settings = readSettings(checkNames(overrides ?? {}), this, inputError);
    const list: readonly RawImage[] = Array.isArray(images) ? images : [images as RawImage];
    if (list.length === 0) throw new IJepaError("input/missing", "preprocess needs at least one image.", { name: "images" });
    const prepared = list.map((image, i) => prepare(image, `images[${i}]`, settings));
    const [{ channels }] = prepared;
    const { height, width } = paddedSize(prepared, settings);
    prepared.forEach((image, i) => checkFits(image, prepared[0], i, settings.doPad ? { height, width } : undefined));

    const tables = valueTables(channels, settings);
    const pixels = height * width;
    const values = new Float32Array(list.length * channels * pixels);
    prepared.forEach((image, i) => {
      for (let c = 0; c < channels; c++) {
        const table = tables[c];
        for (let y = 0, from = c; y < image.height; y++) {
          let to = (i * channels + c) * pixels + y * width;
          for (const end = to + image.width; to < end; to++, from += channels) values[to] = table[image.data[from]];
        }
      }
    });
    return { pixelValues: new Tensor("float32", values, [list.length, channels, height, width]) };
  }
}

/** Converts one image to the channels and the size of the model's input, still in 8 bits. */
function prepare(image: RawImage, name: string, settings: ImageProcessorSettings): RawImage {
  checkRawImage(image, name);
  const converted = settings.doConvertRgb ? toRgb(image) : image;
  const { height, width, channels } = converted;
  if (channels !== 1 && channels !== 3) {
    throw new IJepaError("input/shape", `${name} has ${channels} channels; drop its alpha, or set doConvertRgb.`, {
      name,
      expected: "1 or 3 channels",
      actual: [height, width, channels],
    });
  }
  const { doResize, doCenterCrop, cropSize } = settings;
  let resized = converted;
  if (doResize) {
    const size = resizedSize(converted, settings.size);
    if (size.height < 1 || size.width < 1) {
      const message = `${name} of ${height} x ${width} pixels would be resized to ${size.height} x ${size.width}: nothing is left of it.`;
      throw new IJepaError("input/shape", message, { name, expected: "sides that differ less", actual: [height, width, channels] });
    }
    if (size.height * size.width > MAX_RESULT_PIXELS) {
      const message = `${name} of ${height} x ${width} pixels would be resized to ${size.height} x ${size.width}, over the limit of ${MAX_RESULT_PIXELS} pixels.`;
      throw new IJepaError("input/shape", message, { name, expected: "sides that differ less", actual: [height, width, channels] });
    }
    resized = resize(converted, size.width, size.height, settings.resample);
  }
  return doCenterCrop && cropSize !== undefined ? centerCrop(resized, cropSize) : resized;
}

/** The size to pad images to: `padSize`, or the largest of the batch. Without padding it is the first image's size. */
function paddedSize(images: readonly RawImage[], { doPad, padSize }: ImageProcessorSettings): ImageSize {
  if (!doPad) return images[0];
  return padSize ?? { height: Math.max(...images.map(({ height }) => height)), width: Math.max(...images.map(({ width }) => width)) };
}

/** @param padded the size of the result; images may be smaller */
function checkFits(image: RawImage, first: RawImage, index: number, padded: ImageSize | undefined): void {
  const name = `images[${index}]`, shape = ({ height, width, channels }: RawImage) => `${height} x ${width} with ${channels} channels`;
  const refuse = (message: string, expected: string) =>
    new IJepaError("input/shape", message, { name, expected, actual: [image.height, image.width, image.channels] });
  if (padded !== undefined && (image.height > padded.height || image.width > padded.width)) {
    const size = `${padded.height} x ${padded.width}`;
    throw refuse(`${name} is ${shape(image)}, larger than the ${size} that it would be padded to.`, `at most ${size}`);
  }
  const sameSize = padded !== undefined || (image.height === first.height && image.width === first.width);
  if (sameSize && image.channels === first.channels) return;
  const both = `images[0] is ${shape(first)}, ${name} is ${shape(image)}`;
  throw refuse(`All images of a batch must have one size: ${both}. Set doResize, or give them one by one.`, shape(first));
}

/**
 * For each channel the model input of every pixel value 0 to 255. The roundings are numpy's: the product is a double
 * that is rounded to f32; mean and std are f32, and each of the two steps with them is rounded to f32.
 */
function valueTables(channels: number, settings: ImageProcessorSettings): Float32Array[] {
  const { doRescale, rescaleFactor, doNormalize } = settings;
  const means = doNormalize ? perChannel("imageMean", settings.imageMean, channels) : [];
  const stds = doNormalize ? perChannel("imageStd", settings.imageStd, channels) : [];
  return Array.from({ length: channels }, (_, c) =>
    Float32Array.from({ length: 256 }, (_unused, pixel) => {
      const value = doRescale ? Math.fround(pixel * rescaleFactor) : pixel;
      return doNormalize ? Math.fround(value - Math.fround(means[c])) / Math.fround(stds[c]) : value;
    }),
  );
}

function perChannel(name: "imageMean" | "imageStd", value: number | readonly number[], channels: number): readonly number[] {
  if (typeof value === "number") return new Array<number>(channels).fill(value);
  if (value.length === channels) return value;
  const message = `The images have ${channels} channels, but ${name} has ${value.length} numbers: [${value.join(", ")}].`;
  throw new IJepaError("input/shape", message, { name, expected: `${channels} numbers`, actual: [value.length] });
}

/** Returns the options if all their names are known, and refuses a misspelt one. */
function checkNames(options: ImageProcessorOptions): Record<string, unknown> {
  if (!isRecord(options)) throw wrongType("The settings of the image processor", "an object", options);
  checkKnown(options, CONFIG_NAMES, "The image processor has no setting");
  return { ...options };
}

const inputError: SettingError = (name, value, expected) =>
  new IJepaError("input/value", `${name} must be ${expected}; it is ${show(value)}.`, { name, value });

const configError: SettingError = (name, value, expected) => {
  const field = CONFIG_NAMES[name];
  const message = `${field} in preprocessor_config.json must be ${expected}; it is ${show(value)}.`;
  return new IJepaError("config/field", message, { field, value });
};
