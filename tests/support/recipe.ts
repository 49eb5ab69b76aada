/** Models of published sizes, with weights from a hash in place of a file. */
import { expectedTensors } from "../../ts-api/src/weights/tensor-names.js";
import { sizeOf } from "../../ts-api/src/core/tensor.js";
import type { IJepaConfig } from "../../ts-api/src/config/config.js";
import type { Pixels } from "../../ts-api/src/encoder/pixels.js";
import type { TensorReader } from "../../ts-api/src/loading/pack-checkpoint.js";
import { gaussArray } from "./random.js";

/** Weights of a published size without the file: every value a hash of its tensor's name and index (tests/goldens/README.md). */
export function recipeWeights(config: IJepaConfig): TensorReader {
  const shapes = expectedTensors(config);
  return async (name) => {
    const shape = shapes.get(name);
    if (shape === undefined) throw new Error(`No tensor ${name}.`);
    const { offset, scale } = statistics(name, shape);
    return gaussArray(name, sizeOf(shape), scale, offset);
  };
}

/** One image. */
export function recipePixels(config: IJepaConfig): Pixels {
  const { numChannels, imageHeight: height, imageWidth: width } = config;
  return { data: gaussArray("pixel_values", numChannels * height * width), images: 1, height, width };
}

function statistics(name: string, shape: readonly number[]): { offset: number; scale: number } {
  if (name.includes("layernorm") && name.endsWith(".weight")) return { offset: 1, scale: 0.3 };
  if (name.endsWith(".bias")) return { offset: 0, scale: 0.1 };
  if (name === "embeddings.position_embeddings") return { offset: 0, scale: 0.3 };
  return { offset: 0, scale: 1 / Math.sqrt(sizeOf(shape.slice(1))) };
}
