/**
 * One command in a process of its own: first over few images, so that the engine and its threads are warm and V8's young generation is as
 * large as in any long run, then over those that count. Prints the peak of the second run, in MB, as a line of JSON.
 *
 * Arguments: index or embed, a folder for results, the folder of the first images, the folders of the others.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { getHeapSpaceStatistics } from "node:v8";
import { run } from "../../ts-api/src/cli/run.js";
import { openCliHost } from "../../ts-api/src/runtime/cli-host.js";
import { peakMemory } from "../support/machine.js";

/** A tiny model, so that what is measured is not its weights. */
const MODEL = ["--model", "tests/goldens/models/tiny", "--dtype", "fp32"];

/** The heap counts as grown after so many looks without growth. */
const STEADY_LOOKS = 20;

export interface Peak {
  readonly peak: number;
  /** Of the second run. */
  readonly seconds: number;
}

const [name, results, warm, ...photos] = process.argv.slice(2), host = openCliHost();

async function work(number: number, folders: readonly string[]): Promise<void> {
  const target = name === "index" ? ["--collection", join(results, `${number}.collection`)] : ["--pool", "mean", "--out", join(results, `${number}.parquet`)];
  const argv = [name, ...folders, ...target, ...MODEL], code = await run({ ...host, argv, stdout: { columns: undefined, gone: false, write: async () => {} } });
  if (code !== 0) throw new Error(`ijepa ${name} ended with ${code}; nothing was measured.`);
}

/** Makes objects that live for a short while, until V8 gives them no more room. */
function growYoungGeneration(): void {
  const roomOf = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")!.space_size;
  for (let room = 0, steady = 0; steady < STEADY_LOOKS; ) {
    let alive: object[] = [];
    for (let i = 0; i < 100_000; i++) {
      alive.push({ i, list: [i] });
      if (alive.length > 20_000) alive = [];
    }
    const now = roomOf();
    steady = now > room ? 0 : steady + 1;
    room = Math.max(room, now);
  }
}

growYoungGeneration();
await work(1, [warm]);
// From here on the system counts the peak anew.
writeFileSync("/proc/self/clear_refs", "5");
const start = performance.now();
await work(2, photos);
console.log(JSON.stringify({ peak: peakMemory(), seconds: (performance.now() - start) / 1000 } satisfies Peak));
