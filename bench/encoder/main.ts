/** One image through the whole encoder: load time, time per image, and where that time goes. */
import { meanCosine } from "../../tests/support/models.js";
import { recipePixels } from "../../tests/support/recipe.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { Tensor } from "../../ts-api/src/core/tensor.js";
import type { IJepaConfig } from "../../ts-api/src/config/config.js";
import { IJepaModel } from "../../ts-api/src/model/model.js";
import { peakMemory } from "../support/machine.js";
import { race } from "../support/measure.js";
import { expectedTokens, recipeConfig, recipeFolder, type ModelName } from "../support/models.js";
import { digits, table } from "../support/table.js";
import { printBreakdown } from "./breakdown.js";

export interface EncoderOptions {
  rounds: number;
  model: ModelName;
  dtypes: readonly Dtype[];
  threads: number;
  /** With vectors of 256 bits, where the engine can. */
  revectorize: boolean;
}

/** Below this mean cosine of the tokens to PyTorch's f64 run, the model is wrong and no time is printed. */
const LEAST_COSINE: Record<Dtype, number> = { fp32: 0.999999, bf16: 0.9998, int8: 0.9998, int4: 0.95, nf4: 0.95, fp4: 0.95 };

export async function benchEncoder({ rounds, model: name, dtypes, threads, revectorize }: EncoderOptions): Promise<void> {
  const config = recipeConfig(name), folder = await recipeFolder(name);
  const pixelValues = imageOf(config), truth = await expectedTokens(name);
  const models: IJepaModel[] = [], checks: string[][] = [];
  for (const dtype of dtypes) {
    const start = performance.now();
    const model = await IJepaModel.fromPretrained(folder, { dtype, device: "wasm", threads, revectorize });
    const loaded = performance.now() - start;
    const { lastHiddenState } = await model.forward({ pixelValues });
    const first = performance.now() - start - loaded;
    const cosine = meanCosine(lastHiddenState.data, truth, config.hiddenSize);
    if (!(cosine >= LEAST_COSINE[dtype])) {
      throw new Error(`${name} ${dtype} has cosine ${cosine} to f64, less than ${LEAST_COSINE[dtype]}; nothing was timed.`);
    }
    models.push(model);
    checks.push([cosine.toFixed(6), digits(loaded), digits(first)]);
  }
  console.log(`device   ${models[0].deviceDescription}\n`);

  const contestants = models.map((model) => ({ name: model.dtype, run: async () => void (await model.forward({ pixelValues })) }));
  const timings = await race(contestants, { rounds, sampleMs: 0 });
  const rows = timings.map(({ name: dtype, min, median }, i) => [`${name} ${dtype}`, ...checks[i], digits(min), digits(median)]);
  console.log(table(["model", "cosine to f64", "load ms", "first image ms", "min ms", "median ms"], rows));
  console.log(`\npeak memory of the process: ${peakMemory().toFixed(0)} MB`);
  for (const model of models) await model.dispose();
  for (const dtype of dtypes) await printBreakdown(folder, dtype, rounds, revectorize);
}

/** The image of the recipe. */
export function imageOf(config: IJepaConfig): Tensor<"float32"> {
  return new Tensor("float32", recipePixels(config).data, [1, config.numChannels, config.imageHeight, config.imageWidth]);
}
