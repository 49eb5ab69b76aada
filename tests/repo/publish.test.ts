/** Nothing is published before package.json says where the project lives. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { textOf } from "./tree.js";

const script: string = pathToFileURL(resolve("scripts/publish.mjs")).href;
const { missingAddresses } = (await import(script)) as { missingAddresses(manifest: object): string[] };
const manifest = JSON.parse(textOf("package.json")) as Record<string, unknown>;
const COMPLETE = { repository: { type: "git", url: "git+https://code.example/ijepa/ijepa.git" }, homepage: "https://code.example/ijepa/ijepa#readme", bugs: "https://code.example/ijepa/ijepa/issues" };

test("what is missing is named, field by field", () => {
  assert.deepEqual(missingAddresses({}), ["repository", "homepage", "bugs"]);
  assert.deepEqual(missingAddresses(COMPLETE), []);
  for (const name of Object.keys(COMPLETE)) {
    for (const value of [undefined, "", "somewhere", "http://code.example/x"]) assert.deepEqual(missingAddresses({ ...COMPLETE, [name]: value }), [name], `${name} ${value}`);
  }
});

test("the publishing command refuses as long as something is missing, and npm is told to", () => {
  const missing = missingAddresses(manifest);
  if (missing.length === 0) return;
  for (const args of [[], ["--publish"]]) {
    const { status, stderr } = spawnSync(process.execPath, ["scripts/publish.mjs", ...args], { encoding: "utf8" });
    assert.equal(status, 1);
    for (const name of missing) assert.match(stderr, new RegExp(name));
  }
  // npm's word for that it must not be published; a dry run of npm's own does not mind.
  assert.equal(manifest["private"], true);
});
