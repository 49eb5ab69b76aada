/** What --out leaves of the file that it replaces, and what a stopped command leaves behind. */
import assert from "node:assert/strict";
import { chmod, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runtime } from "../../ts-api/src/runtime/node.js";
import { finish, ijepa, ROCKET, start, succeed, temporaryFolder, TINY } from "./helpers.js";

test("--out: a symbolic link stays one, and the file that it leads to keeps its permissions", async (t) => {
  const folder = await temporaryFolder(t), real = join(folder, "real.npy"), link = join(folder, "link.npy"), second = join(folder, "second.npy");
  await writeFile(real, "old");
  await chmod(real, 0o640);
  await symlink("real.npy", link);
  await symlink(link, second);
  await succeed(["embed", ROCKET, "--model", TINY, "--out", second]);
  assert.deepEqual([await readlink(link), await readlink(second)], ["real.npy", link]);
  assert.equal((await stat(real)).mode & 0o777, 0o640);
  assert.equal((await readFile(real)).toString("latin1", 1, 6), "NUMPY");
  assert.deepEqual((await readdir(folder)).sort(), ["link.npy", "real.npy", "second.npy"]);
});

test("links to what is not there yet, links in a circle, devices", async (t) => {
  const folder = await temporaryFolder(t), bytes = new Uint8Array([1, 2, 3]);
  await mkdir(join(folder, "there"));
  await symlink("there/new.npy", join(folder, "dangling"));
  await runtime.writeFile(join(folder, "dangling"), bytes);
  assert.deepEqual([await readlink(join(folder, "dangling")), [...(await readFile(join(folder, "there/new.npy")))]], ["there/new.npy", [1, 2, 3]]);
  await symlink("b", join(folder, "a"));
  await symlink("a", join(folder, "b"));
  await assert.rejects(runtime.writeFile(join(folder, "a"), bytes), { code: "io/write", message: /circle/ });
  await runtime.writeFile("/dev/null", bytes);
  assert.ok((await lstat("/dev/null")).isCharacterDevice());
});

test("a path that is too long is not repeated in full", async () => {
  const long = "A".repeat(100_000);
  for (const work of [runtime.openFile(long), runtime.writeFile(long, new Uint8Array(1))]) {
    await assert.rejects(work, (error: Error) => /100000 characters/.test(error.message) && error.message.length < 500);
  }
  const { code, stderr } = await ijepa(["embed", "B".repeat(50_000)]);
  assert.deepEqual([code, stderr.length < 600], [6, true], stderr.slice(0, 800));
});

for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) {
  test(`${signal} in the middle of convert: nothing is left, and the exit says so`, { timeout: 120_000 }, async (t) => {
    const folder = await temporaryFolder(t);
    const child = start(["convert", "models/demo", join(folder, "packed"), "--dtype", "int4"]);
    while ((await readdir(folder)).length === 0) await sleep(5);
    child.kill(signal);
    const ended = await finish(child);
    assert.deepEqual([ended.code, ended.signal], signal === "SIGINT" ? [130, null] : [null, signal]);
    assert.match(ended.stderr, /\[aborted\]\n$/);
    assert.deepEqual(await readdir(folder), []);
  });
}
