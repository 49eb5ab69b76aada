/**
 * Runs all tests, the cheapest to fail first: build, lint, as-pect, then the suites.
 *
 * `node scripts/test.mjs unit/image cli/serve` runs only the suites under tests/unit/image and tests/cli/serve.test.ts.
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
const unknown = wanted.filter((name) => testsOf(name).length === 0);
if (unknown.length > 0) {
  console.error(`There are no tests of the name ${unknown.join(", ")}. A name is a folder or a file below tests/, such as unit/image or cli/serve.`);
  process.exit(1);
}
const files = wanted.flatMap(testsOf);
if (needs("runtimes")) installEngines();
else if (needs("examples")) installBrowsers();
if (needs("queue")) {
  for (const server of ["redis-server", "valkey-server"]) if (!has(server)) installDebian(server);
  if (!existsSync("/usr/lib/postgresql")) installDebian("postgresql");
}
installLlvmpipe();
run(process.execPath, ["--test", "--test-reporter=spec", ...files], { env: await webgpuEnv() });

/** The built files of the tests in a folder, or of one file, named without its ending. */
function testsOf(name) {
  const path = `${root}/build/tests/${name}`, file = `${path}.test.js`;
  if (existsSync(path)) return globSync(path, ".test.js");
  return existsSync(file) ? [file] : [];
}
