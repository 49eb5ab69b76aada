/**
 * Models of published size without files to download: every weight is a hash of its tensor's name and its index
 * (tests/support/random.ts), scaled so that activations look like those of a trained model.
 */
import { mkdirSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gaussArray } from "../../tests/support/random.js";
import { bytesView } from "../../ts-api/src/backends/backend.js";
import { sizeOf } from "../../ts-api/src/core/tensor.js";
import { IJepaConfig } from "../../ts-api/src/model/config.js";
import { expectedTensors } from "../../ts-api/src/weights/names.js";
import { serializeSafetensors, type TensorBytes } from "../../ts-api/src/weights/safetensors-writer.js";

export const MODELS = {
  vitb16: new IJepaConfig({ layerNormEps: 1e-6 }),
  vith14: new IJepaConfig({
    hiddenSize: 1280, numHiddenLayers: 32, numAttentionHeads: 16, intermediateSize: 5120, patchSize: 14, layerNormEps: 1e-6,
  }),
} as const;
export type ModelName = keyof typeof MODELS;

/** One tensor of the recipe, row-major. */
export function recipeTensor(name: string, shape: readonly number[]): Float32Array {
  const count = sizeOf(shape);
  if (name.endsWith(".bias")) return gaussArray(name, count, 0.1);
  if (name.includes("layernorm")) return gaussArray(name, count, 0.3, 1);
  if (name.endsWith("position_embeddings")) return gaussArray(name, count, 0.3);
  return gaussArray(name, count, 1 / Math.sqrt(sizeOf(shape.slice(1))));
}

/** One image, [1][channels][height][width]. */
export function recipePixels(config: IJepaConfig): Float32Array {
  return gaussArray("pixel_values", config.numChannels * config.imageHeight * config.imageWidth);
}

/**
 * A file or folder under the system's temporary folder that is made once and kept for later runs.
 * @param make writes it at the path it is given; renamed to its place when complete
 */
export function kept(name: string, make: (path: string) => void): string {
  const folder = join(tmpdir(), "ijepa-bench");
  const path = join(folder, name);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const partial = `${path}.${process.pid}.tmp`;
  console.log(`making ${path} (once)`);
  try {
    make(partial);
    renameSync(partial, path);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return path;
}

/** The recipe model as a folder in Hugging Face's layout, f32, one shard a layer. */
export function recipeFolder(model: ModelName): string {
  const config = MODELS[model];
  return kept(model, (folder) => {
    mkdirSync(folder);
    writeFileSync(join(folder, "config.json"), JSON.stringify(config.toJSON(), null, 2));
    const shards = new Map<string, Map<string, readonly number[]>>();
    for (const [name, shape] of expectedTensors(config)) {
      const file = `model-${/^encoder\.layer\.(\d+)/.exec(name)?.[1].padStart(2, "0") ?? "ends"}.safetensors`;
      shards.set(file, (shards.get(file) ?? new Map<string, readonly number[]>()).set(name, shape));
    }
    for (const [file, shapes] of shards) writeFileSync(join(folder, file), shardBytes(shapes));
    const weightMap = [...shards].flatMap(([file, shapes]) => [...shapes.keys()].map((name) => [name, file]));
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: Object.fromEntries(weightMap) }));
  });
}

function shardBytes(shapes: ReadonlyMap<string, readonly number[]>): Uint8Array {
  const tensors = new Map<string, TensorBytes>();
  for (const [name, shape] of shapes) tensors.set(name, { dtype: "F32", shape, bytes: bytesView(recipeTensor(name, shape)) });
  return serializeSafetensors(tensors);
}
