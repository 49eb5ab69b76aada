/**
 * Everything about a GPU in one call: builds, checks every kernel, digest and model on its adapter, times ViT-H/14 beside two
 * ceilings, prints a table and writes gpu-report.json. It takes minutes, less than ten.
 *
 * npm run gpu [-- --software] [--size vith14|vitb16|tiny] [--out FILE] [--built]
 * --software: SwiftShader in place of the machine's driver. --built: build/ and dist/ are there already.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root, run } from "./run.mjs";
import { webgpuEnv } from "./webgpu.mjs";

const { values } = parseArgs({
  options: {
    software: { type: "boolean", default: false },
    built: { type: "boolean", default: false },
    size: { type: "string", default: "vith14" },
    out: { type: "string", default: "gpu-report.json" },
  },
});
/** Conformance, devices, splitting, verify, models: with all goldens and the digests of the demo model. */
const SUITES = ["webgpu", "webgpu-device", "webgpu-split", "webgpu-verify", "webgpu-model"];

if (!values.built) run(process.execPath, ["scripts/build.mjs"]);
if (!values.software) process.env.IJEPA_WEBGPU = "hardware";
const env = { ...process.env, ...(await webgpuEnv()) };

const started = Date.now();
const suites = SUITES.map((name) => {
  const args = ["--test", "--test-reporter=tap", join(root, `build/tests/conformance/${name}.test.js`)];
  const { stdout, status } = spawnSync(process.execPath, args, { cwd: root, env, encoding: "utf8", maxBuffer: 2 ** 28 });
  const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(stdout)?.[1] ?? 0);
  const result = { name, passed: count("pass"), failed: count("fail"), skipped: count("skipped"), failures: stdout.match(/^not ok .*$/gm) ?? [] };
  console.log(`${name}: ${result.passed} passed, ${result.failed} failed, ${result.skipped} not run (${((Date.now() - started) / 1e3).toFixed(0)} s)`);
  for (const failure of result.failures.slice(0, 10)) console.log(`  ${failure}`);
  return { ...result, status };
});
const bench = ["webgpu", "--model", values.size, "--dtype", "int4", "--dtype", "bf16", "--batch", "1", "--batch", "8", "--out", values.out];
writeFileSync(values.out, "{}");
const { status } = spawnSync(process.execPath, [join(root, "build/bench/main.js"), ...bench], { cwd: root, env, stdio: "inherit" });
writeFileSync(values.out, `${JSON.stringify({ suites, ...JSON.parse(readFileSync(values.out, "utf8")) }, null, 2)}\n`);
console.log(`\n${values.out} after ${((Date.now() - started) / 1e3).toFixed(0)} s`);
process.exit(suites.every((suite) => suite.status === 0 && suite.skipped === 0) ? (status ?? 1) : 1);
