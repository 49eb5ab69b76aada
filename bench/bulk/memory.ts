/** Memory of the command on many small images: the most that a process held, with few and with many of them. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KINDS, makePicture } from "../../tests/support/pictures.js";
import { table } from "../support/table.js";

const SIDE = 64, LOOK_EVERY_MS = 100;
/** A tiny model, so that what is measured is not its weights. */
const MODEL = ["--model", "tests/goldens/models/tiny", "--dtype", "fp32"];

/** @param counts images of each run, fewest first */
export async function benchBulkMemory(counts: readonly number[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-memory-")), photos = join(folder, "photos"), lines: string[][] = [];
  try {
    mkdirSync(photos);
    const measured = new Map<string, number>();
    let made = 0;
    for (const count of counts) {
      for (; made < count; made++) writeFileSync(join(photos, `${made}.${KINDS[made % 3]}`), await makePicture(KINDS[made % 3], made, SIDE));
      const commands = {
        index: ["index", photos, "--collection", join(folder, `${count}.collection`), ...MODEL],
        embed: ["embed", photos, "--pool", "mean", "--out", join(folder, `${count}.parquet`), ...MODEL],
      };
      for (const [name, args] of Object.entries(commands)) {
        const start = performance.now(), peak = await peakOf(args), seconds = (performance.now() - start) / 1000, first = measured.get(name) ?? peak;
        measured.set(name, first);
        lines.push([name, String(count), peak.toFixed(0), (peak / first).toFixed(2), (count / seconds).toFixed(0)]);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log(`\nPictures of ${SIDE} x ${SIDE}, a third each JPEG, PNG and WebP\n`);
  console.log(table(["command", "images", "peak resident, MB", "of the first", "images a second"], lines));
}

/** In MB, as Linux counts it. */
async function peakOf(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, ["dist/cli.js", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  let peak = 0;
  const look = (): void => {
    if (child.exitCode !== null) return;
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
    if (kilobytes !== undefined) peak = Math.max(peak, (Number(kilobytes) * 1024) / 1e6);
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("exit", resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`ijepa ${args[0]} ended with ${code}; nothing was measured.`);
  return peak;
}
