/**
 * Builds, then tries random inputs until the time is over:
 *
 * npm run fuzz -- [PART ...] [--seconds N] [--seed N] [--runs N] [--built]
 *
 * The parts are in tests/fuzz/parts.ts; without a name each of them runs for so many seconds. --built: build/ and dist/ are there already.
 */
import { root, run } from "./run.mjs";
import { webgpuEnv } from "./webgpu.mjs";

const args = process.argv.slice(2);
if (!args.includes("--built")) run(process.execPath, ["scripts/build.mjs"]);
run(process.execPath, ["build/tests/fuzz/main.js", ...args.filter((arg) => arg !== "--built")], { cwd: root, env: await webgpuEnv() });
