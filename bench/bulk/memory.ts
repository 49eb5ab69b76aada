/** Memory of the command on many small images: the most that a warm process holds, with few and with many of them. Linux only. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { KINDS, makePicture } from "../../tests/support/pictures.js";
import { median } from "../support/measure.js";
import { table } from "../support/table.js";
import type { Peak } from "./memory-child.js";

export interface MemoryOptions {
  /** Images of each run, fewest first. */
  readonly counts: readonly number[];
  /** Images that make a process warm. */
  readonly warm: number;
  /** Pixels of a side. */
  readonly side: number;
  /** Processes for each command and number of images. */
  readonly rounds: number;
}

/** The median of the rounds. */
export interface MeasuredPeak extends Peak {
  readonly command: string;
  readonly images: number;
  /** The peak over that of the fewest images. */
  readonly ofFirst: number;
}

const CHILD = fileURLToPath(new URL("memory-child.js", import.meta.url));

export async function benchBulkMemory(options: MemoryOptions): Promise<void> {
  const lines = (await peaks(options)).map(({ command, images, peak, seconds, ofFirst }) => [command, String(images), peak.toFixed(0), ofFirst.toFixed(3), (images / seconds).toFixed(0)]);
  console.log(`\nPictures of ${options.side} x ${options.side}, a third each JPEG, PNG and WebP, after ${options.warm} others in the same run; medians of ${options.rounds}\n`);
  console.log(table(["command", "images", "peak resident, MB", "of the first", "images a second"], lines));
}

/** For each command and number of images the peak of processes of its own. */
export async function peaks({ counts, warm, side, rounds }: MemoryOptions): Promise<MeasuredPeak[]> {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-memory-")), cases = counts.flatMap((images) => ["index", "embed"].map((command) => ({ command, images, runs: [] as Peak[] })));
  try {
    await makePictures(join(folder, "warm"), 0, warm, side);
    for (const [i, count] of counts.entries()) await makePictures(join(folder, String(count)), warm + (counts[i - 1] ?? 0), warm + count, side);
    for (let round = 0; round < rounds; round++) {
      for (const { command, images, runs } of cases) {
        const results = mkdtempSync(join(folder, "results-")), folders = ["warm", ...counts.filter((count) => count <= images)].map((name) => join(folder, String(name)));
        const { stdout } = await promisify(execFile)(process.execPath, [CHILD, command, results, ...folders]);
        runs.push(JSON.parse(stdout) as Peak);
        rmSync(results, { recursive: true });
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const medians = cases.map(({ runs, ...rest }) => ({ ...rest, peak: median(runs.map(({ peak }) => peak)), seconds: median(runs.map(({ seconds }) => seconds)) }));
  return medians.map((one) => ({ ...one, ofFirst: one.peak / medians.find(({ command }) => command === one.command)!.peak }));
}

/** Pictures of the numbers from `first` on, below `end`. */
async function makePictures(folder: string, first: number, end: number, side: number): Promise<void> {
  mkdirSync(folder);
  for (let i = first; i < end; i++) writeFileSync(join(folder, `${i}.${KINDS[i % 3]}`), await makePicture(KINDS[i % 3], i, side));
}
