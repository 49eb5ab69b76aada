/** Decodes and prepares one image file, in a thread or in place. */
import type { Tensor } from "../core/tensor.js";
import { decodeImage, type DecodeOptions } from "../image/decode.js";
import { IJepaImageProcessor } from "../image/processor.js";

/** An image as the tensor that the encoder takes. */
export interface PreparedImage {
  /** Pixels of a row of the upright image, before it was resized. */
  readonly width: number;
  /** Rows of pixels of the upright image, before it was resized. */
  readonly height: number;
  /** What is wrong with the file; empty for an intact one. */
  readonly warnings: readonly string[];
  /** [1, channels, height, width]. */
  readonly pixelValues: Tensor<"float32">;
}

/** The settings of an image processor as `toConfig` gives them. */
export type ProcessorConfig = Record<string, unknown>;

let known: { config: string; processor: IJepaImageProcessor } | undefined;

export async function prepareImage(bytes: Uint8Array, processor: ProcessorConfig, options: DecodeOptions): Promise<PreparedImage> {
  const image = await decodeImage(bytes, options), { width, height, warnings } = image;
  return { width, height, warnings, pixelValues: processorOf(processor).preprocess(image).pixelValues };
}

/** The last one is kept: all images of a job have the same. */
function processorOf(settings: ProcessorConfig): IJepaImageProcessor {
  const config = JSON.stringify(settings);
  if (known?.config !== config) known = { config, processor: IJepaImageProcessor.fromConfig(settings) };
  return known.processor;
}
