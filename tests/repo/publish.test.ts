/** Nothing is published before package.json says where the project lives. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
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

/** The repository as npm's publish reads it, in a folder of its own, with other fields; what npm says. */
function publish(fields: object, ...args: string[]): { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-publish-"));
  for (const path of [".npmrc", "scripts"]) cpSync(path, join(folder, path), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, files: ["package.json"], ...fields }));
  try {
    // No registry is asked: this port answers nothing.
    const offline = ["--registry=http://127.0.0.1:1/", "--fetch-retries=0"];
    const { status, stdout, stderr } = spawnSync("npm", ["publish", ...offline, ...args], { cwd: folder, shell: process.platform === "win32", encoding: "utf8" });
    return { status, said: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the publishing command refuses as long as something is missing", () => {
  const missing = missingAddresses(manifest);
  if (missing.length === 0) return;
  for (const args of [[], ["--publish"]]) {
    const { status, stderr } = spawnSync(process.execPath, ["scripts/publish.mjs", ...args], { encoding: "utf8" });
    assert.equal(status, 1);
    for (const name of missing) assert.match(stderr, new RegExp(name));
  }
  assert.equal(manifest["private"], true);
});

test("npm publish refuses too, also when it is dry, until the last address is set", () => {
  for (const args of [[], ["--dry-run"]]) {
    for (const name of Object.keys(COMPLETE)) {
      const { status, said } = publish({ ...COMPLETE, [name]: undefined }, ...args);
      assert.notEqual(status, 0, said);
      assert.match(said, new RegExp(`package\\.json does not say where the project lives\\. Set ${name} there`));
    }
  }
  const dry = publish(COMPLETE, "--dry-run");
  assert.equal(dry.status, 0, dry.said);
  assert.match(dry.said, /shown by: npm run release/);
  for (const [fields, words] of [[COMPLETE, /still "private"/], [{ ...COMPLETE, private: undefined }, /npm run release -- --publish/]] as const) {
    const { status, said } = publish(fields);
    assert.notEqual(status, 0, said);
    assert.match(said, words);
  }
});
