/** `IJepaImageProcessor`: the reference's bits, settings, overrides, refused values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { IJepaImageProcessor } from "../../../ts-api/src/image/processor.js";
import type { ImageProcessorOptions } from "../../../ts-api/src/image/processor.js";
import type { RawImage } from "../../../ts-api/src/image/raw-image.js";
import { sha256 } from "../../support/sha256.js";
import { fails, readBytes, readJson } from "./helpers.js";

interface ProcessorCase {
  case: string;
  file: string;
  processor: Record<string, unknown>;
  pixel_values_shape: number[];
  pixel_values_sha256: string;
}

function filled(width: number, height: number, channels: number, value = 100): RawImage {
  return { data: new Uint8Array(width * height * channels).fill(value), width, height, channels };
}

test("pixel values have the bits of the reference", async () => {
  const { cases } = readJson<{ cases: ProcessorCase[] }>("images.json");
  for (const { case: name, file, processor, pixel_values_shape, pixel_values_sha256 } of cases) {
    const image = await decodeImage(readBytes(`files/${file}`));
    const { pixelValues } = IJepaImageProcessor.fromConfig(processor).preprocess(image);
    assert.deepEqual(pixelValues.dims, [1, ...pixel_values_shape], name);
    assert.equal(sha256(pixelValues.data), pixel_values_sha256, name);
  }
  assert.equal(cases.length, 17);
});

test("the fields of a config become properties, and come back with the unknown ones", () => {
  const config = {
    do_convert_rgb: null,
    do_normalize: true,
    do_rescale: false,
    do_resize: true,
    image_mean: [0.485, 0.456, 0.406],
    image_processor_type: "ViTImageProcessorFast",
    image_std: 0.25,
    resample: 3,
    rescale_factor: 0.00392156862745098,
    size: { height: 448, width: 320 },
    processor_class: "SomethingElse",
  };
  const processor = IJepaImageProcessor.fromConfig(config);
  assert.equal(processor.doRescale, false);
  assert.equal(processor.doConvertRgb, false);
  assert.equal(processor.imageProcessorType, "ViTImageProcessorFast");
  assert.deepEqual(processor.size, { height: 448, width: 320 });
  assert.deepEqual([processor.imageMean, processor.imageStd], [[0.485, 0.456, 0.406], 0.25]);
  assert.deepEqual([processor.resample, processor.rescaleFactor], [3, 1 / 255]);
  assert.deepEqual(processor.otherFields, { processor_class: "SomethingElse" });
  assert.deepEqual(processor.toConfig(), { ...config, do_convert_rgb: false });
  assert.deepEqual(IJepaImageProcessor.fromConfig(processor.toConfig()), processor);
});

test("an empty config is ViTImageProcessor with its defaults", () => {
  const processor = IJepaImageProcessor.fromConfig({});
  assert.deepEqual(processor, new IJepaImageProcessor());
  assert.deepEqual(processor.size, { height: 224, width: 224 });
  assert.deepEqual([processor.resample, processor.rescaleFactor, processor.imageMean], [2, 1 / 255, [0.5, 0.5, 0.5]]);
  assert.equal(processor.imageProcessorType, "ViTImageProcessor");
});

test("size may be one number or [height, width]", () => {
  assert.deepEqual(IJepaImageProcessor.fromConfig({ size: 96 }).size, { height: 96, width: 96 });
  assert.deepEqual(new IJepaImageProcessor({ size: [32, 64] }).size, { height: 32, width: 64 });
});

test("overrides hold for one call", () => {
  const processor = new IJepaImageProcessor({ size: 8 });
  const overrides = { size: { height: 2, width: 4 }, doNormalize: false, doRescale: null };
  const { pixelValues } = processor.preprocess(filled(5, 5, 3, 255), overrides);
  assert.deepEqual(pixelValues.dims, [1, 3, 2, 4]);
  assert.deepEqual([...pixelValues.data], new Array(24).fill(1));
  assert.deepEqual(processor.preprocess(filled(5, 5, 3)).pixelValues.dims, [1, 3, 8, 8]);
});

test("pixels stay whole numbers when nothing is asked for", () => {
  const processor = new IJepaImageProcessor({ doResize: false, doRescale: false, doNormalize: false });
  const image = { data: Uint8Array.of(1, 2, 3, 4, 5, 6), width: 2, height: 1, channels: 3 };
  assert.deepEqual([...processor.preprocess(image).pixelValues.data], [1, 4, 2, 5, 3, 6]);
});

test("each step is rounded to f32, with mean and std as f32", () => {
  const { fround } = Math;
  const [mean, std] = [0.123, 0.321];
  const processor = new IJepaImageProcessor({ doResize: false, imageMean: mean, imageStd: std });
  const image = { data: Uint8Array.from({ length: 256 }, (_, i) => i), width: 256, height: 1, channels: 1 };
  const expected = Float32Array.from(image.data, (v) => fround(fround(fround(v * (1 / 255)) - fround(mean)) / fround(std)));
  assert.deepEqual(processor.preprocess(image).pixelValues.data, expected);
});

test("a batch is stacked in order; grey images have one channel", () => {
  const processor = new IJepaImageProcessor({ size: 2, imageMean: 0, imageStd: 1 });
  const { pixelValues } = processor.preprocess([filled(3, 9, 1, 0), filled(2, 2, 1, 255)]);
  assert.deepEqual(pixelValues.dims, [2, 1, 2, 2]);
  assert.deepEqual([...pixelValues.data], [0, 0, 0, 0, 1, 1, 1, 1]);
});

test("doConvertRgb makes RGB of grey and of RGBA", () => {
  const processor = new IJepaImageProcessor({ doResize: false, doNormalize: false, doRescale: false, doConvertRgb: true });
  assert.deepEqual([...processor.preprocess(filled(1, 1, 1, 9)).pixelValues.data], [9, 9, 9]);
  const rgba = { data: Uint8Array.of(1, 2, 3, 4), width: 1, height: 1, channels: 4 };
  assert.deepEqual([...processor.preprocess(rgba).pixelValues.data], [1, 2, 3]);
});

const BAD_FIELDS: Record<string, unknown>[] = [
  { size: { shortest_edge: 0 } },
  { size: { longest_edge: 224 } },
  { size: { shortest_edge: 224, height: 224, width: 224 } },
  { size: { max_height: 224 } },
  { do_center_crop: true },
  { do_center_crop: true, crop_size: { shortest_edge: 32 } },
  { crop_size: 0 },
  { do_pad: "yes" },
  { pad_size: { height: 48 } },
  { size_divisor: 32 },
  { do_reduce_labels: true },
  { crop_pct: 0.875 },
  { data_format: "channels_last" },
  { do_flip_channel_order: true },
  { size: { height: 224 } },
  { size: { height: -1, width: 224 } },
  { size: 0 },
  { size: 2.5 },
  { size: "224" },
  { size: [1, 2, 3] },
  { resample: 6 },
  { resample: "sinc" },
  { do_resize: "yes" },
  { do_normalize: 1 },
  { rescale_factor: 0 },
  { rescale_factor: "1/255" },
  { image_std: [0.5, 0, 0.5] },
  { image_std: 1e-60 },
  { image_std: [] },
  { image_mean: [0.5, 0.5] },
  { image_mean: [0.5, "0.5", 0.5] },
  { image_mean: "half" },
  { image_processor_type: "CLIPImageProcessor" },
  { image_processor_type: "CLIPImageProcessor", feature_extractor_type: "ViTFeatureExtractor" },
  { feature_extractor_type: "CLIPFeatureExtractor", size: 224, resample: 3 },
  { feature_extractor_type: 3, image_processor_type: null },
  { input_data_format: "channels_first" },
  { data_format: "channels_last" },
  { image_processor_type: 3 },
];

for (const config of BAD_FIELDS) {
  test(`config ${JSON.stringify(config)} is refused`, () => fails(() => IJepaImageProcessor.fromConfig(config), "config/field"));
}

test("the type may be null, or stand under its older name", () => {
  for (const config of [{ image_processor_type: null }, { feature_extractor_type: "ViTFeatureExtractor" }, { image_processor_type: null, feature_extractor_type: null, input_data_format: "channels_last" }]) {
    assert.equal(IJepaImageProcessor.fromConfig(config).imageProcessorType, "ViTImageProcessor");
  }
  assert.equal(IJepaImageProcessor.fromConfig({ image_processor_type: "ViTImageProcessorFast", feature_extractor_type: "CLIPFeatureExtractor" }).imageProcessorType, "ViTImageProcessorFast");
});

test("a config that is no object is refused", async () => {
  for (const config of [null, [], "text", 3]) {
    await fails(() => IJepaImageProcessor.fromConfig(config), "config/field", /preprocessor_config\.json/);
  }
});

test("wrong overrides are refused, misspelt ones too", async () => {
  const processor = new IJepaImageProcessor();
  const refuse = (options: unknown, message: RegExp) =>
    fails(() => processor.preprocess(filled(2, 2, 3), options as ImageProcessorOptions), "input/value", message);
  await refuse({ do_resize: false }, /no setting "do_resize"/);
  await refuse({ size: { shortestEdge: 224 } }, /size must be/);
  await refuse({ resample: 9 }, /resample must be/);
  await refuse({ imageStd: 0 }, /imageStd must be/);
  await fails(() => new IJepaImageProcessor({ size: -4 }), "input/value", /size must be/);
});

test("images that fit neither each other nor the mean are refused", async () => {
  const processor = new IJepaImageProcessor({ doResize: false });
  await fails(() => processor.preprocess([filled(2, 2, 3), filled(3, 2, 3)]), "input/shape", /images\[1\] is 2 x 3 with 3 channels/);
  await fails(() => processor.preprocess([filled(2, 2, 3), filled(2, 2, 1)]), "input/shape", /one size/);
  await fails(() => processor.preprocess(filled(2, 2, 1)), "input/shape", /1 channels, but imageMean has 3 numbers/);
  await fails(() => processor.preprocess(filled(2, 2, 4)), "input/shape", /4 channels; drop its alpha/);
  await fails(() => processor.preprocess({ ...filled(2, 2, 3), height: 3 }), "input/shape", /images\[0\]/);
  await fails(() => processor.preprocess([]), "input/missing");
  assert.throws(() => processor.preprocess([undefined as unknown as RawImage]), TypeError);
});

const plain = { doNormalize: false, doRescale: false };
const shapeOf = (config: Record<string, unknown>, width: number, height: number) =>
  IJepaImageProcessor.fromConfig(config).preprocess(filled(width, height, 3)).pixelValues.dims.slice(2);

test("sizes by edge and by frame, as transformers computes them", () => {
  assert.deepEqual(shapeOf({ size: { shortest_edge: 32 } }, 50, 40), [32, 40]);
  assert.deepEqual(shapeOf({ size: { shortest_edge: 32 } }, 37, 101), [87, 32]);
  assert.deepEqual(shapeOf({ size: 32, default_to_square: false }, 50, 40), [32, 40]);
  assert.deepEqual(shapeOf({ size: { height: null, width: null, shortest_edge: 32, longest_edge: null } }, 50, 40), [32, 40]);
  assert.deepEqual(shapeOf({ size: { shortest_edge: 32, longest_edge: 40 } }, 100, 50), [20, 40]);
  assert.deepEqual(shapeOf({ size: { shortest_edge: 32, longest_edge: 41 } }, 60, 100), [41, 25]);
  assert.deepEqual(shapeOf({ size: { shortest_edge: 32, longest_edge: 400 } }, 32, 77), [77, 32]);
  assert.deepEqual(shapeOf({ size: { max_height: 32, max_width: 32 } }, 50, 40), [25, 32]);
});

test("the middle is cropped, and black is put around what is smaller", () => {
  const row = (...values: number[]) => ({ data: Uint8Array.from(values), width: values.length, height: 1, channels: 1 });
  const crop = (image: RawImage, width: number, height = 1) =>
    [...new IJepaImageProcessor({ ...plain, doResize: false, doCenterCrop: true, cropSize: { height, width } }).preprocess(image).pixelValues.data];
  assert.deepEqual(crop(row(1, 2, 3, 4, 5), 3), [2, 3, 4]);
  assert.deepEqual(crop(row(1, 2, 3, 4, 5), 2), [2, 3]);
  assert.deepEqual(crop(row(1, 2), 5), [0, 0, 1, 2, 0]);
  assert.deepEqual(crop(row(1, 2, 3, 4), 2, 2), [0, 0, 2, 3]);
});

test("padding comes last, with zeros, to the right and below", () => {
  const processor = IJepaImageProcessor.fromConfig({ do_resize: false, do_pad: true, pad_size: { height: 2, width: 3 } });
  const image = { data: Uint8Array.of(255, 0), width: 2, height: 1, channels: 1 };
  const { pixelValues } = processor.preprocess(image, { imageMean: 0.5, imageStd: 0.5 });
  assert.deepEqual([[...pixelValues.data], pixelValues.dims], [[1, -1, 0, 0, 0, 0], [1, 1, 2, 3]]);
  assert.throws(() => processor.preprocess(filled(4, 1, 3)), /larger than the 2 x 3/);
});

test("without a size a batch is padded to its largest sides", () => {
  const processor = new IJepaImageProcessor({ ...plain, doResize: false, doPad: true });
  const { pixelValues } = processor.preprocess([filled(2, 1, 1, 7), filled(1, 2, 1, 8)]);
  assert.deepEqual([[...pixelValues.data], pixelValues.dims], [[7, 7, 0, 0, 8, 0, 8, 0], [2, 1, 2, 2]]);
});

test("a config that crops and pads, by names and with nulls, comes back", () => {
  const config = {
    do_resize: null, size: { shortest_edge: 40 }, resample: "bicubic", do_center_crop: true, crop_size: { height: 32, width: 32 },
    do_pad: true, pad_size: { height: 48, width: 48 }, size_divisor: null, data_format: "channels_first", _valid_processor_keys: ["images"],
  };
  const processor = IJepaImageProcessor.fromConfig(config);
  assert.deepEqual(processor.preprocess(filled(90, 60, 3)).pixelValues.dims, [1, 3, 48, 48]);
  assert.equal(processor.resample, 3);
  assert.deepEqual(IJepaImageProcessor.fromConfig(processor.toConfig()), processor);
  for (const resample of ["BICUBIC", "PILImageResampling.BICUBIC", "InterpolationMode.BICUBIC"]) {
    assert.equal(IJepaImageProcessor.fromConfig({ resample }).resample, 3);
  }
});
