/**
 * Everything about a GPU in one call of less than ten minutes: builds, names the adapter, times ViT-H/14 beside two ceilings, then checks
 * every kernel, digest and model. gpu-report.json is rewritten after each step, so that an interrupted run leaves its results. A step for
 * which the ten minutes are too short is reported as not run, and fails the call.
 *
 * npm run gpu [-- --software] [--size vith14|vitb16|tiny] [--out FILE] [--built]
 * --software: SwiftShader in place of the machine's driver. --built: build/ and dist/ are there already.
 * The environment: OUT, a folder for the reports. IJEPA_WEBGPU_PACKAGE, a folder of the package webgpu, where npm has no network.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { root, tryRun } from "./run.mjs";
import { webgpuEnv } from "./webgpu.mjs";

const { values } = parseArgs({
  options: {
    software: { type: "boolean", default: false },
    built: { type: "boolean", default: false },
    size: { type: "string", default: "vith14" },
    out: { type: "string", default: join(process.env.OUT ?? ".", "gpu-report.json") },
  },
});
/** Seconds for all steps, and the least that must be left to begin a step. */
const LIMIT = 570, LEAST = 10;
/** Suites that share the device: they mostly wait for the compiler of shaders and for the oracle. */
const MOST_AT_ONCE = 3;
/** With all goldens and the digests of the demo model: models first, then conformance, verify, splitting, devices. */
const SUITES = ["webgpu-model", "webgpu-packed", "webgpu", "webgpu-verify", "webgpu-split", "webgpu-device"];

const started = Date.now(), seconds = () => (Date.now() - started) / 1e3;
const out = resolve(values.out), report = { size: values.size, software: values.software, adapter: undefined, ceilings: {}, models: [], steps: [] };
mkdirSync(dirname(out), { recursive: true });

function save() {
  writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
}

/** Runs node for at most the remaining time; returns the step for the report, and the output unless it goes to the terminal. */
async function step(name, args, stdio = "pipe") {
  const entry = { name, outcome: "not run", seconds: 0 }, from = seconds(), room = LIMIT - from;
  let stdout = "", stderr = "";
  report.steps.push(entry);
  if (room > LEAST) {
    // Its state until it ends, which an interrupted call leaves in the report.
    entry.outcome = "cut";
    save();
    const child = spawn(process.execPath, args, { cwd: root, env, stdio, timeout: Math.round(room * 1e3), killSignal: "SIGKILL" });
    child.stdout?.on("data", (text) => (stdout += text));
    child.stderr?.on("data", (text) => (stderr += text));
    const [status, signal] = await once(child, "close");
    if (signal !== "SIGKILL" || seconds() < LIMIT) entry.outcome = status === 0 ? "passed" : "failed";
    entry.seconds = Math.round(seconds() - from);
  }
  save();
  return { entry, stdout, stderr };
}

/** Ends without the other steps, which would mean nothing. */
function stop(problem) {
  console.error(problem);
  report.problem = problem;
  save();
  process.exit(1);
}

if (!values.built && tryRun(process.execPath, ["scripts/build.mjs"]) !== 0) stop("the build failed");
if (!values.software) process.env.IJEPA_WEBGPU = "hardware";
const env = { ...process.env, ...(await webgpuEnv()) };
if (env.IJEPA_WEBGPU_PACKAGE === undefined) stop("the package webgpu is not there: npm could not install it. Set IJEPA_WEBGPU_PACKAGE to a folder that has it.");

const found = await step("adapter", [join(root, "build/bench/webgpu/adapter.js")]);
if (found.entry.outcome !== "passed") {
  stop(`no adapter: ${found.stderr.trim()}\nVulkan needs a driver's file (VK_DRIVER_FILES names one in an unusual place), and libvulkan.so.1.`);
}
report.adapter = JSON.parse(found.stdout);
console.log(`adapter: ${report.adapter.name}`);
if (report.adapter.software !== values.software) {
  found.entry.outcome = "failed";
  stop(values.software ? "--software, but this is no software adapter." : "This adapter computes on the CPU: the GPU's driver was not found. VK_DRIVER_FILES names it; --software accepts the CPU.");
}

for (const dtype of ["int4", "int8", "bf16"]) {
  const part = join(dirname(out), `gpu-${dtype}.json`);
  const args = [join(root, "build/bench/main.js"), "webgpu", "--model", values.size, "--dtype", dtype, "--batch", "1", "--batch", "8", "--out", part];
  writeFileSync(part, JSON.stringify({ ceilings: {}, models: [] }));
  const { entry } = await step(`${values.size} ${dtype}`, args, "inherit");
  const { ceilings, models } = JSON.parse(readFileSync(part, "utf8"));
  report.ceilings = { ...report.ceilings, ...ceilings };
  report.models.push(...models);
  save();
  console.log(`\n${values.size} ${dtype}: ${entry.outcome} (${seconds().toFixed(0)} s)\n`);
}

async function runSuite(name) {
  // Without --test there is one process, which a limit can end.
  const { entry, stdout, stderr } = await step(name, ["--test-reporter=tap", join(root, `build/tests/conformance/${name}.test.js`)]);
  const results = stdout.match(/^(not )?ok .*$/gm) ?? [], failures = results.filter((line) => line.startsWith("not ok"));
  const skipped = results.filter((line) => line.includes("# SKIP")).length, passed = results.length - failures.length - skipped;
  // A suite without a device skips its tests: that does not count as passed.
  if (entry.outcome === "passed" && (skipped > 0 || passed === 0)) entry.outcome = "failed";
  Object.assign(entry, { passed, failed: failures.length, skipped, failures });
  save();
  console.log(`${name}: ${entry.outcome}, ${passed} passed, ${failures.length} failed, ${skipped} not run (${seconds().toFixed(0)} s)`);
  if (entry.outcome !== "failed") return;
  const log = join(dirname(out), `gpu-${name}.tap`);
  writeFileSync(log, `${stdout}\n${stderr}`);
  for (const failure of failures.slice(0, 10)) console.log(`  ${failure}`);
  console.log(`  all of it: ${log}`);
}

const waiting = [...SUITES];
async function runWaiting() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await runSuite(name);
}
await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, availableParallelism()) }, runWaiting));

const wrong = report.steps.filter(({ outcome }) => outcome !== "passed");
console.log(`\n${out} after ${seconds().toFixed(0)} s; ${wrong.length === 0 ? "everything passed" : `${wrong.map(({ name, outcome }) => `${name}: ${outcome}`).join(", ")}`}`);
process.exit(wrong.length === 0 ? 0 : 1);
