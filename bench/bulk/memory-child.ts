/**
 * One command in a process of its own: first over few images, until engine and threads are warm, then over those that count. Prints the
 * peak of the second run, in MB, as a line of JSON.
 *
 * Arguments: index or embed, a folder for results, the folder of the first images, the folders of the others.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../ts-api/src/cli/run.js";
import { openCliHost } from "../../ts-api/src/runtime/cli-host.js";
import { peakMemory } from "../support/machine.js";

/** A tiny model, so that what is measured is not its weights. */
const MODEL = ["--model", "tests/goldens/models/tiny", "--dtype", "fp32"];

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

await work(1, [warm]);
// From here on the system counts the peak anew.
writeFileSync("/proc/self/clear_refs", "5");
const start = performance.now();
await work(2, photos);
console.log(JSON.stringify({ peak: peakMemory(), seconds: (performance.now() - start) / 1000 } satisfies Peak));
