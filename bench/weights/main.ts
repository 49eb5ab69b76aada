/** Packed files of a published size: converting, loading and streaming, each in a process of its own. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { recipeConfig, recipeFolder, type ModelName } from "../support/models.js";
import { median } from "../support/measure.js";
import { digits, table } from "../support/table.js";
import type { Outcome, Step } from "./child.js";

export interface WeightsOptions {
  rounds: number;
  model: ModelName;
  dtypes: readonly Dtype[];
}

/** Peak in MB of a process that does nothing. */
function emptyPeak(): number {
  const script = `import { peakMemory } from ${JSON.stringify(new URL("../support/machine.js", import.meta.url).href)}; console.log(peakMemory());`;
  return Number(spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }).stdout);
}

const CHILD = fileURLToPath(new URL("child.js", import.meta.url));

export async function benchWeights({ rounds, model, dtypes }: WeightsOptions): Promise<void> {
  const source = await recipeFolder(model), config = recipeConfig(model);
  const { hiddenSize: hidden, intermediateSize: mlp, numHiddenLayers: layers } = config;
  const weights = layers * (4 * hidden * hidden + 2 * hidden * mlp);
  for (const dtype of dtypes) {
    const work = mkdtempSync(join(tmpdir(), "ijepa-bench-weights-")), target = join(work, "packed");
    const empty = emptyPeak();
    const run = (step: Step): Outcome => {
      const { stdout, stderr, status } = spawnSync(process.execPath, [CHILD, step, model, source, target, dtype, String(rounds)], { encoding: "utf8" });
      if (status !== 0) throw new Error(`${step} failed: ${stderr}`);
      return JSON.parse(stdout) as Outcome;
    };
    try {
      const outcomes = (["convert", "resident", "streamed"] as const).map((step) => ({ step, ...run(step) }));
      const [, resident, streamed] = outcomes;
      if (resident.digest !== streamed.digest) throw new Error(`streamed ${streamed.digest}, resident ${resident.digest}; no number is printed.`);
      const bytes = readdirSync(target).reduce((sum, name) => sum + statSync(join(target, name)).size, 0);
      console.log(`\n${model} ${dtype}: ${digits(bytes / 1e6)} MB, ${((8 * bytes) / weights).toFixed(3)} bits for each weight of the layers' matrices; digest ${resident.digest}\n`);
      const rows = outcomes.map(({ step, ready, forwards, peak }) => {
        const [first] = forwards, later = forwards.length > 1 ? forwards.slice(1) : forwards;
        const times = forwards.length === 0 ? ["", "", ""] : [first, Math.min(...later), median(later)].map(digits);
        return [step, digits(ready), ...times, digits(peak), digits(peak - empty)];
      });
      console.log(table(["step", "ready ms", "first ms", "min ms", "median ms", "peak MB", "above empty MB"], rows));
    } finally {
      rmSync(work, { recursive: true });
    }
  }
}
