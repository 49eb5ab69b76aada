/** Memory of the command on many small images: the most that a warm process holds, with few and with many of them. Linux only. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { KINDS, makePicture } from "../../tests/support/pictures.js";
import { table } from "../support/table.js";
import type { Peak } from "./memory-child.js";

export interface MemoryOptions {
  /** Images of each run, fewest first. */
  readonly counts: readonly number[];
  /** Images that make a process warm. */
  readonly warm: number;
  /** Pixels of a side. */
  readonly side: number;
}

const CHILD = fileURLToPath(new URL("memory-child.js", import.meta.url));

export async function benchBulkMemory(options: MemoryOptions): Promise<void> {
  const lines = (await peaks(options)).map(({ command, images, peak, seconds, ofFirst }) => [command, String(images), peak.toFixed(0), ofFirst.toFixed(3), (images / seconds).toFixed(0)]);
  console.log(`\nPictures of ${options.side} x ${options.side}, a third each JPEG, PNG and WebP, after ${options.warm} others in the same process\n`);
  console.log(table(["command", "images", "peak resident, MB", "of the first", "images a second"], lines));
}

/** For each command and count the peak of a process of its own. */
export async function peaks({ counts, warm, side }: MemoryOptions): Promise<(Peak & { command: string; images: number; ofFirst: number })[]> {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-memory-")), measured: (Peak & { command: string; images: number; ofFirst: number })[] = [];
  try {
    await makePictures(join(folder, "warm"), 0, warm, side);
    const folders: string[] = [];
    for (const [i, count] of counts.entries()) {
      folders.push(join(folder, `photos-${i}`));
      await makePictures(folders[i], warm + (counts[i - 1] ?? 0), warm + count, side);
      for (const command of ["index", "embed"]) {
        const results = join(folder, `${command}-${count}`);
        mkdirSync(results);
        const { stdout } = await promisify(execFile)(process.execPath, [CHILD, command, results, join(folder, "warm"), ...folders]);
        const { peak, seconds } = JSON.parse(stdout) as Peak, first = measured.find((one) => one.command === command);
        measured.push({ command, images: count, peak, seconds, ofFirst: peak / (first?.peak ?? peak) });
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return measured;
}

/** Pictures of the numbers from `first` on, below `end`. */
async function makePictures(folder: string, first: number, end: number, side: number): Promise<void> {
  mkdirSync(folder);
  for (let i = first; i < end; i++) writeFileSync(join(folder, `${i}.${KINDS[i % 3]}`), await makePicture(KINDS[i % 3], i, side));
}
