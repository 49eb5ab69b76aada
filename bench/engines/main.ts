/**
 * The same model and image in every engine that this machine has, on one thread: all dtypes in the same process or page, and
 * onnxruntime-web beside them. The engines take turns, so that a change of the machine's pace meets all of them.
 */
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { BrowserName } from "../../tests/support/browsers.js";
import { absent, BUN, DENO, NODE22, NODE24, NODE26 } from "../../tests/support/engines.js";
import { onnxFile } from "../peers/main.js";
import { median } from "../support/measure.js";
import { recipeFolder, type ModelName } from "../support/models.js";
import { digits, table } from "../support/table.js";
import { absentBrowser, timeBrowser } from "./page.js";
import type { OnnxFormat } from "../peers/graph.js";
import type { Job, Peer, Report, TimedDtype } from "./timing.js";

export interface EnginesOptions {
  rounds: number;
  model: ModelName;
  dtypes: readonly TimedDtype[];
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

const ENGINES: readonly Engine[] = [
  inProcess("Node 20", resolve("bench/engines/node_modules/node20/bin/node")),
  inProcess("Node 22", NODE22),
  inProcess(MEASURE, NODE24),
  inProcess("Node 26", NODE26),
  inProcess("Bun", BUN),
  inProcess("Deno", DENO, ["run", "--allow-all", "--no-lock", "--no-config"]),
  ...(["Chromium", "Firefox", "WebKit"] as const).map(inBrowser),
];

/** What stands beside each dtype: int4 the same codes, the others unquantized weights. */
const BESIDE: Record<TimedDtype, readonly OnnxFormat[]> = { int4: ["q4-level0", "q4-level4"], int8: ["fp32"], bf16: ["fp32"], fp32: ["fp32"] };

export async function benchEngines({ rounds, model, dtypes, only }: EnginesOptions): Promise<void> {
  const engines = ENGINES.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()));
  for (const { name, absent } of engines) if (absent !== undefined) console.log(`${name}: ${absent}`);
  const formats = [...new Map(dtypes.flatMap((beside) => BESIDE[beside].map((format) => [format, beside] as const)))];
  const peers: Peer[] = [];
  for (const [format, beside] of formats) peers.push({ name: peerName(format), beside, file: await onnxFile(model, format) });
  const job: Job = { dtypes, rounds, model: await recipeFolder(model), peers }, reports = new Map<string, Report[]>();
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { name, time } of engines.filter(({ absent }) => absent === undefined)) {
      try {
        reports.set(name, [...(reports.get(name) ?? []), await time(job)]);
      } catch (error) {
        console.log(`${name}: not run: ${error instanceof Error ? error.message.slice(0, 600) : String(error)}`);
      }
    }
  }
  for (const dtype of dtypes) printDtype(dtype, reports, model);
  if (dtypes.length > 1) printDtypes(dtypes, reports);
  for (const [name, [{ absent }]] of reports) {
    for (const [peer, why] of Object.entries(absent)) console.log(`${name}: ${peer} not run: ${why}`);
  }
}

function peerName(format: OnnxFormat): string {
  return `onnxruntime-web ${format}`;
}

function printDtype(dtype: TimedDtype, reports: ReadonlyMap<string, readonly Report[]>, model: ModelName): void {
  const digests = new Set([...reports.values()].flat().map((report) => report.digests[dtype]));
  if (digests.size > 1) throw new Error(`${dtype}: the engines' bits differ: ${[...digests].join(", ")}`);
  const measure = bestOf(reports.get(MEASURE) ?? [], dtype), peers = BESIDE[dtype].map(peerName);
  const rows = [...reports].map(([name, ofEngine]) => {
    const ours = bestOf(ofEngine, dtype)!, others = peers.map((peer) => bestOf(ofEngine, peer));
    const best = others.filter((other) => other !== undefined).sort((a, b) => a.min - b.min)[0];
    return [
      name, digits(ours.min), digits(ours.median), ratio(ours.min, measure?.min), ratio(ours.median, measure?.median),
      ...others.map((other) => (other === undefined ? "-" : digits(other.min))), ratio(best?.min, ours.min), ratio(best?.median, ours.median),
    ];
  });
  const ort = peers.map((peer) => `${peer} min`);
  console.log(`\n${model} ${dtype}, one image, one thread; milliseconds; the last columns: the faster peer's time over ours\n`);
  console.log(table(["engine", "min", "median", `min : ${MEASURE}`, "median", ...ort, "peer : ours, min", "median"], rows));
  for (const [name, [{ devices }]] of reports) console.log(`${name}: ${devices[dtype]}`);
}

/** How many times as long the last dtype takes as each of the others. */
function printDtypes(dtypes: readonly TimedDtype[], reports: ReadonlyMap<string, readonly Report[]>): void {
  const others = dtypes.slice(0, -1), last = dtypes.at(-1)!;
  const rows = [...reports].map(([name, ofEngine]) => {
    const base = bestOf(ofEngine, last)!;
    return [name, ...others.map((dtype) => bestOf(ofEngine, dtype)!).flatMap((other) => [ratio(base.min, other.min), ratio(base.median, other.median)])];
  });
  console.log(`\nTime in ${last} over time in the others, in one process\n`);
  console.log(table(["engine", ...others.flatMap((dtype) => [`${last} : ${dtype}, min`, "median"])], rows));
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
    absent: absent(program),
    async time(job) {
      const { stdout } = await promisify(execFile)(program, [...args, "build/bench/engines/process.js", JSON.stringify(job)], { timeout: TIMEOUT_MS, maxBuffer: 2 ** 26 });
      return JSON.parse(stdout.trim().split("\n").at(-1)!) as Report;
    },
  };
}

function inBrowser(name: BrowserName): Engine {
  return { name, absent: absentBrowser(name), time: (job) => timeBrowser(name, job) };
}
