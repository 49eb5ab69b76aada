/** One step in a process of its own, so that its peak memory is its own: prints a line of JSON. */
import { convertModel } from "../../weights-tools/index.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { IJepaModel } from "../../ts-api/src/model/model.js";
import { imageOf } from "../encoder/main.js";
import { peakMemory } from "../support/machine.js";
import { recipeConfig, type ModelName } from "../support/models.js";

export type Step = "convert" | "resident" | "streamed";

export interface Outcome {
  /** Milliseconds for converting or loading. */
  ready: number;
  /** Milliseconds of each forward; of the first, compiling included. */
  forwards: number[];
  digest: string;
  /** Peak of the process's memory in MB. */
  peak: number;
}

const [step, model, source, target, dtype, forwards] = process.argv.slice(2) as [Step, ModelName, string, string, Dtype, string];
const outcome: Outcome = { ready: 0, forwards: [], digest: "", peak: 0 };
const start = performance.now();
if (step === "convert") {
  await convertModel(source, target, { dtype });
  outcome.ready = performance.now() - start;
} else {
  const loaded = await IJepaModel.fromPretrained(target, { device: "wasm", resident: step === "resident" });
  outcome.ready = performance.now() - start;
  const pixelValues = imageOf(recipeConfig(model));
  for (let i = 0; i < Number(forwards); i++) {
    const begin = performance.now();
    outcome.digest = (await loaded.forward({ pixelValues })).numerics.digest;
    outcome.forwards.push(performance.now() - begin);
  }
  await loaded.dispose();
}
outcome.peak = peakMemory();
console.log(JSON.stringify(outcome));
