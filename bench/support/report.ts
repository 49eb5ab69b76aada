/** Rows of a report: times, and what they mean as operations per second and share of the machine's limit. */
import type { DotLoopName, Peak } from "./dot-loop.js";
import type { Timing } from "./measure.js";
import { digits, percent, table } from "./table.js";

/** Operations per second of each dot loop. */
export type PeakRates = ReadonlyMap<DotLoopName, number>;

/** Giga-operations per second. */
export function rate(operations: number, ms: number): number {
  return operations / ms / 1e6;
}

export function peakRates(peaks: readonly Peak[], timings: readonly Timing[], of: "median" | "min" = "median"): PeakRates {
  return new Map(peaks.map(({ name, operations }, i) => [name, rate(operations, timings[i][of])]));
}

export function peakTable(peaks: readonly Peak[], timings: readonly Timing[]): string {
  const rows = peaks.map(({ name, operations }, i) => {
    const { min, median } = timings[i];
    return [name, digits(rate(operations, median)), digits(rate(operations, min))];
  });
  return table(["dot loop", "Gop/s", "best Gop/s"], rows);
}

export const RATE_HEADERS = ["Mop", "Gop/s", "of peak"] as const;

/** Cells of one op; `peak` is the rate of its dot loop. */
export function rateCells(operations: number, ms: number, peak: number): string[] {
  const gops = rate(operations, ms);
  return [digits(operations / 1e6), digits(gops), percent(gops / peak)];
}
