/**
 * Runs all tests, the cheapest to fail first: build, lint, as-pect, then the suites.
 *
 * `node scripts/test.mjs unit/image cli` runs only the suites under tests/unit/image and tests/cli.
 */
import { existsSync } from "node:fs";
import { globSync } from "./glob.mjs";
import { run, root } from "./run.mjs";
import { installBrowsers, installEngines } from "./engines.mjs";
import { has, installDebian } from "./debian.mjs";
import { installBench } from "./setup.mjs";
import { installLlvmpipe, webgpuEnv } from "./webgpu.mjs";

const only = process.argv.slice(2);
/** Whether to run suites under this folder of tests/. */
const needs = (folder) => only.length === 0 || only.some((name) => name === "." || name.startsWith(folder));

run(process.execPath, ["scripts/build.mjs"]);
if (only.length === 0) {
  run(process.execPath, ["node_modules/eslint/bin/eslint.js", "."]);
  const tests = "assembly/__tests__";
  run(process.execPath, [
    "node_modules/@as-pect/cli/bin/asp.js", "--config", `${tests}/as-pect.config.js`, "--as-config", `${tests}/as-pect.asconfig.json`, "--summary", "--no-logo",
  ]);
}
for (const bench of ["tests/databases", "tests/examples", "tests/queue", "tests/runtimes/node24", "tests/runtimes/bun", "tests/package", "docs/site"]) installBench(`${root}/${bench}`);
const wanted = only.length === 0 ? ["."] : only;
const files = wanted.flatMap((folder) => globSync(`${root}/build/tests/${folder}`, ".test.js"));
if (files.length === 0) {
  console.error(`No test files under ${wanted.join(", ")}.`);
  process.exit(1);
}
if (needs("runtimes")) installEngines();
else if (needs("examples")) installBrowsers();
if (needs("queue")) {
  for (const server of ["redis-server", "valkey-server"]) if (!has(server)) installDebian(server);
  if (!existsSync("/usr/lib/postgresql")) installDebian("postgresql");
}
installLlvmpipe();
run(process.execPath, ["--test", "--test-reporter=spec", ...files], { env: await webgpuEnv() });
