/** A table of the time that one image spends in each kind of call. */
import { loadOn } from "../../tests/support/models.js";
import { modulesHere } from "../../tests/support/modules.js";
import { recipePixels } from "../../tests/support/recipe.js";
import { openCpu } from "../../ts-api/src/backends/open-cpu.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { median, race } from "../support/measure.js";
import { openPeaks, peakOf } from "../support/peaks.js";
import { peakRates, peakTable, rateCells, RATE_HEADERS } from "../support/report.js";
import { digits, percent, table } from "../support/table.js";
import { profiled, type Spent } from "./profile.js";

/** Prints where the time of one image goes on one thread, kind of call by kind of call, beside the dot loops in the same rounds. */
export async function printBreakdown(folder: string, dtype: Dtype, rounds: number, revectorize: boolean): Promise<void> {
  const relaxed = (await modulesHere()).some(({ name }) => name === "relaxed");
  const plain = await openCpu({ revectorize });
  const backend = profiled(plain);
  const { config, encoder } = await loadOn(backend, folder, dtype);
  const pixels = recipePixels(config), passes: Spent[][] = [];
  const pass = async () => {
    await encoder.encode(pixels);
    passes.push(backend.take());
  };
  const peaks = await openPeaks(relaxed);
  const timings = await race([...peaks, { name: "pass", run: pass }], { rounds, sampleMs: 20 });
  const rates = peakRates(peaks, timings), bestRates = peakRates(peaks, timings, "min"), timed = passes.slice(-rounds);

  const kinds = timed[0].map((spent, i) => {
    const times = timed.map((kindsOfPass) => kindsOfPass[i].ms);
    return { ...spent, ms: median(times), best: Math.min(...times) };
  });
  const total = kinds.reduce((sum, { ms }) => sum + ms, 0);
  const rows: string[][] = [];
  for (const { kind, call, calls, ms, best, operations } of kinds) {
    const [kernel] = plain.kernelsOf(await plain.compile([call])), loop = peakOf(kernel, relaxed ? "relaxed" : "simd128");
    const [, ...bestCells] = rateCells(operations, best, bestRates.get(loop)!);
    rows.push([kind, kernel, String(calls), digits(ms), percent(ms / total), ...rateCells(operations, ms, rates.get(loop)!), ...bestCells]);
  }
  const products = kinds.filter(({ call }) => call.op === "linear").reduce((sum, { ms }) => sum + ms, 0);
  console.log(`\n${dtype}: ${digits(total)} ms in calls on one thread, ${percent(products / total)} of it in products\n`);
  console.log(`${peakTable(peaks, timings)}\n`);
  console.log(table(["call", "kernel", "calls", "median ms", "of time", ...RATE_HEADERS, "best Gop/s", "of best peak"], rows));
  backend.dispose();
}
