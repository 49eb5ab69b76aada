/** Models of published size without files to download: tests/support/recipe.ts makes their weights. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTensors } from "../../tests/support/models.js";
import { recipeWeights } from "../../tests/support/recipe.js";
import { bytesView } from "../../ts-api/src/backends/backend.js";
import { IJepaConfig } from "../../ts-api/src/config/config.js";
import { expectedTensors } from "../../ts-api/src/weights/tensor-names.js";
import { serializeSafetensors, type TensorBytes } from "../../ts-api/src/weights/safetensors/writer.js";

export const MODELS = ["vitb16", "vith14"] as const;
export type ModelName = (typeof MODELS)[number];

export function recipeConfig(model: ModelName): IJepaConfig {
  const file = `tests/goldens/full/${model}/config.json`;
  return IJepaConfig.fromJSON(JSON.parse(readFileSync(file, "utf8")), file);
}

/** The tokens of PyTorch's f64 run on the recipe's image, [tokens][hidden]. */
export async function expectedTokens(model: ModelName): Promise<Float32Array> {
  const tensors = await readTensors(`tests/goldens/full/${model}/expected.safetensors`);
  return tensors.get("last_hidden_state")!.data;
}

/**
 * Path of a file or folder below the system's temporary folder that is made once and kept for later runs.
 * @param make writes it at the path that it is given; renamed to its place when it is complete
 */
export async function kept(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const folder = join(tmpdir(), "ijepa-bench"), path = join(folder, name);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const partial = `${path}.${process.pid}.tmp`;
  console.log(`making ${path} (once)`);
  try {
    await make(partial);
    renameSync(partial, path);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return path;
}

/** The model as a folder in Hugging Face's layout. */
export function recipeFolder(model: ModelName): Promise<string> {
  return kept(model, (folder) => writeRecipe(recipeConfig(model), folder));
}

/** Makes the folder: f32, one shard a layer, so that one layer is in memory at a time. */
export async function writeRecipe(config: IJepaConfig, folder: string): Promise<void> {
  mkdirSync(folder);
  const read = recipeWeights(config), shapes = expectedTensors(config);
  const weightMap = Object.fromEntries([...shapes.keys()].map((name) => [name, shardOf(name)]));
  for (const file of new Set(Object.values(weightMap))) {
    const tensors = new Map<string, TensorBytes>();
    for (const [name, shape] of shapes) {
      if (weightMap[name] === file) tensors.set(name, { dtype: "F32", shape, bytes: bytesView(await read(name)) });
    }
    writeFileSync(join(folder, file), serializeSafetensors(tensors));
  }
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
  writeFileSync(join(folder, "config.json"), JSON.stringify(config.toJSON(), null, 2));
}

function shardOf(name: string): string {
  const layer = /^encoder\.layer\.(\d+)/.exec(name)?.[1];
  return layer === undefined ? "model-ends.safetensors" : `model-layer${layer}.safetensors`;
}
