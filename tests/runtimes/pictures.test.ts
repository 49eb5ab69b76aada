/** The same pixels, and the same PNG files, on every engine. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { absent, ENGINES, unless } from "../support/engines.js";
import { pictureDigests, type PictureDigests } from "./pictures.js";

const FILE = "tests/runtimes/picture-digests.json";

if (process.env.IJEPA_UPDATE_DIGESTS === "1") writeFileSync(FILE, `${JSON.stringify(await pictureDigests(), null, 2)}\n`);
const stored = JSON.parse(readFileSync(FILE, "utf8")) as Record<string, PictureDigests>;

test("pictures of the demo model on this Node", async () => {
  assert.deepEqual(await pictureDigests(), stored);
});

for (const [name, binary, ...args] of ENGINES) {
  test(`pictures of the demo model on ${name}`, unless(absent(binary)), () => {
    const { status, stdout, stderr } = spawnSync(binary, [...args, "build/tests/runtimes/pictures.js", "--print"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), stored);
  });
}
