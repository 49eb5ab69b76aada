/** The part that runs in Node, Bun or Deno: `process.js JOB`, a Job as JSON, from the root of a built checkout; prints a Report. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { timeEngine, type Host, type Job, type Ort } from "./timing.js";

const at = async <T>(path: string) => (await import(pathToFileURL(resolve(path)).href)) as T;
const host: Host = {
  library: await at<Host["library"]>("dist/index.js"),
  // Deno finds no packages beside a file; this build needs none.
  ort: () => at<Ort>(`bench/peers/node_modules/onnxruntime-web/dist/${"Deno" in globalThis ? "ort.wasm.bundle.min.mjs" : "ort.node.min.mjs"}`),
  read: (file) => readFile(file),
};
console.log(JSON.stringify(await timeEngine(host, JSON.parse(process.argv[2]) as Job)));
process.exit(0);
