/**
 * One command in a process of its own, over the images of several folders. Its peak counts from where it has read those of the first
 * folder: then the engine and its threads are warm, and V8's young generation is as large as in any long run. Prints the peak, in MB, as
 * a line of JSON.
 *
 * Arguments: index or embed, a folder for results, the folder of the first images, the folders of the others.
 */
import { readdirSync, writeFileSync } from "node:fs";
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
  /** From where the peak counts to the end. */
  readonly seconds: number;
}

const [name, results, warm, ...photos] = process.argv.slice(2), host = openCliHost();
let start = 0;

/** The lines of a list of images. The command asks for more of it as it reads them. */
async function* namesOfImages(): AsyncGenerator<Uint8Array, void, undefined> {
  for (const folder of [warm, ...photos]) {
    if (folder === photos[0]) {
      // From here on the system counts the peak anew.
      writeFileSync("/proc/self/clear_refs", "5");
      start = performance.now();
    }
    for (const file of readdirSync(folder)) yield Buffer.from(`${join(folder, file)}\n`);
  }
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
const target = name === "index" ? ["--collection", join(results, "photos.collection")] : ["--pool", "mean", "--out", join(results, "features.parquet")];
const argv = [name, "--from-file", "-", ...target, ...MODEL], stdout = { columns: undefined, gone: false, write: async () => {} };
const code = await run({ ...host, argv, stdinChunks: namesOfImages, stdout });
if (code !== 0 || start === 0) throw new Error(`ijepa ${name} ended with ${code}; nothing was measured.`);
console.log(JSON.stringify({ peak: peakMemory(), seconds: (performance.now() - start) / 1000 } satisfies Peak));
