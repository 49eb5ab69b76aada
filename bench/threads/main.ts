/**
 * One image on one thread and on several, turn by turn. Two rows for each: all rounds, and those in which a host that shares its
 * processors took no time from this machine, because a second thread can only be as fast as the processor it is given.
 */
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { IJepaModel } from "../../ts-api/src/model/model.js";
import { imageOf } from "../encoder/main.js";
import { stolenTime } from "../support/machine.js";
import { race, timingOf, type Contestant } from "../support/measure.js";
import { recipeConfig, recipeFolder, type ModelName } from "../support/models.js";
import { digits, table } from "../support/table.js";

export interface ThreadsOptions {
  rounds: number;
  model: ModelName;
  dtypes: readonly Dtype[];
  /** Beside one. */
  threads: number;
  revectorize: boolean;
}

export async function benchThreads({ rounds, model: name, dtypes, threads, revectorize }: ThreadsOptions): Promise<void> {
  const pixelValues = imageOf(recipeConfig(name)), folder = await recipeFolder(name), rows: string[][] = [];
  for (const dtype of dtypes) {
    const contestants: (Contestant & { stolen: number[] })[] = [], digests = new Set<string>(), models: IJepaModel[] = [];
    for (const count of [1, threads]) {
      const model = await IJepaModel.fromPretrained(folder, { dtype, device: "wasm", threads: count, revectorize });
      models.push(model);
      digests.add((await model.forward({ pixelValues })).numerics.digest);
      const stolen: number[] = [];
      const run = async () => {
        const before = stolenTime();
        await model.forward({ pixelValues });
        stolen.push(stolenTime() - before);
      };
      contestants.push({ name: `${count}`, run, stolen });
    }
    if (digests.size !== 1) throw new Error(`${dtype}: ${threads} threads give other words than one; nothing was timed.`);
    const timings = await race(contestants, { rounds, sampleMs: 0 });
    for (const model of models) await model.dispose();

    // The rounds come after the warm-up.
    const stolen = contestants.map((contestant) => contestant.stolen.slice(-rounds));
    const quiet = Array.from({ length: rounds }, (_, round) => round).filter((round) => stolen.every((times) => times[round] === 0));
    const kinds: [string, number[][]][] = [
      ["all", timings.map(({ samples }) => samples)],
      ["nothing taken", timings.map(({ samples }) => quiet.map((round) => samples[round]))],
    ];
    for (const [kind, samples] of kinds.filter(([, [first]]) => first.length > 0)) {
      const [one, many] = samples.map((times) => timingOf(kind, times));
      const times = [one, many].flatMap(({ min, median }) => [digits(min), digits(median)]);
      rows.push([dtype, kind, `${one.samples.length}`, ...times, (one.min / many.min).toFixed(2), (one.median / many.median).toFixed(2)]);
    }
  }
  const several = `${threads} threads`;
  console.log(table(["dtype", "rounds", "count", "1 thread min", "median", `${several} min`, "median", "ratio of minima", "of medians"], rows));
}
