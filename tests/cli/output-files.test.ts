/** What --out leaves of the file that it replaces, and what a stopped command leaves behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runtime } from "../../ts-api/src/runtime/node.js";
import { run } from "../../ts-api/src/cli/run.js";
import { finish, ijepa, recordingHost, ROCKET, start, succeed, temporaryFolder, TINY } from "./helpers.js";

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

test("a folder at the end of a link, which stays one", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "empty"));
  for (const [link, target] of [["there", "empty"], ["dangling", "new"]]) {
    await symlink(target, join(folder, link));
    const writer = await runtime.createFolder!(join(folder, link)), file = await writer.createFile("x");
    await file.write(new Uint8Array([7]), 0);
    await file.close();
    await writer.commit();
    assert.deepEqual([await readlink(join(folder, link)), await readdir(join(folder, target))], [target, ["x"]]);
  }
  await symlink("circle", join(folder, "circle"));
  await assert.rejects(runtime.createFolder!(join(folder, "circle")), { code: "io/write", message: /circle/ });
});

test("a pipe at the end of a link: what stands under /dev/stdout", { skip: process.platform === "win32" ? "there is no /dev" : false }, async (t) => {
  const folder = await temporaryFolder(t), link = join(folder, "out.jsonl");
  await symlink("/dev/stdout", link);
  const { stdout } = await finish(spawn("sh", ["-c", '"$0" dist/cli.js embed "$1" --model "$2" --pool mean --out "$3" | cat', process.execPath, ROCKET, TINY, link]));
  assert.match(stdout, /"embedding":\[/);
  assert.deepEqual(await readdir(folder), ["out.jsonl"]);
});

test("folders where there can be none", { skip: process.platform === "linux" ? false : "there is no /proc" }, async () => {
  for (const path of ["/proc/a/b", "/dev/null/a"]) await assert.rejects(runtime.files!.makeFolder(path), { code: /ENOENT|ENOTDIR/ });
});

test("a path that is too long is not repeated in full", async () => {
  const long = "A".repeat(100_000);
  for (const work of [runtime.openFile(long), runtime.writeFile(long, new Uint8Array(1))]) {
    await assert.rejects(work, (error: Error) => /100000 characters/.test(error.message) && error.message.length < 500);
  }
  const { code, stderr } = await ijepa(["embed", "B".repeat(50_000)]);
  assert.deepEqual([code, stderr.length < 600], [6, true], stderr.slice(0, 800));
  for (const args of [["embed", ROCKET, "--pool"], ["embed", ROCKET, "--threads"], ["visualize", ROCKET, "--out"], ["serve", "--cors"], ["convert", TINY]]) {
    const host = recordingHost([...args, `${long}.png`], undefined);
    assert.ok((await run(host)) !== 0 && host.printed.stderr.length < 2500, `${args.join(" ")}: ${host.printed.stderr.length}`);
  }
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
