/** Several processes and one cache. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sha256 } from "../../support/sha256.js";
import { assertFile, FAST, openBench, REPO_FOLDER, WEIGHTS, type Bench } from "./helpers.js";

const ETAG = sha256(WEIGHTS);
const PROGRAM = fileURLToPath(new URL("process.js", import.meta.url));

function start(): { child: ChildProcess; printed: Promise<string> } {
  const child = spawn(process.execPath, [PROGRAM, "model.safetensors"], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (more: string) => (text += more));
  const printed = new Promise<string>((resolve, reject) => child.on("error", reject).on("close", () => resolve(text)));
  return { child, printed };
}

/** Sends parts slowly, so that all processes meet. */
function slowDown(hub: Bench["hub"], milliseconds: number): void {
  hub.onCdn = (request, response) => {
    setTimeout(() => hub.sendFile(request, response, WEIGHTS), milliseconds);
    return true;
  };
}

test("processes that fill one cache at once all get the right bytes", async (t) => {
  const { hub, cache, list } = await openBench(t);
  slowDown(hub, 60);
  const printed = await Promise.all([start(), start(), start()].map((one) => one.printed));
  assert.deepEqual(printed, [ETAG, ETAG, ETAG]);
  await assertFile(join(cache, REPO_FOLDER, "blobs", ETAG), WEIGHTS);
  assert.deepEqual(await list("blobs"), [ETAG], "nothing else is left");
});

test("a process that comes later waits for the first, and fetches nothing", async (t) => {
  const { hub, read } = await openBench(t);
  slowDown(hub, 80);
  const first = start();
  while (hub.sent < 200_000) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(await read("model.safetensors", {}, { pace: { abandoned: 60_000 } }), WEIGHTS);
  assert.equal(await first.printed, ETAG);
  assert.equal(hub.sent, WEIGHTS.length + 1);
});

test("what a killed process has got is taken over", async (t) => {
  const { hub, read, list } = await openBench(t);
  slowDown(hub, 80);
  const { child, printed } = start();
  while (hub.sent < 500_000) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGKILL");
  await printed;
  assert.match((await list("blobs")).join(), /^\w{64}\.[\w-]+\.ijepa\.incomplete$/);
  hub.onCdn = undefined;
  hub.sent = 0;
  assert.deepEqual(await read("model.safetensors"), WEIGHTS);
  assert.ok(hub.sent < 800_000, `${hub.sent} bytes fetched again`);
});

test("Python's unfinished downloads are waited for while they grow, and then left alone", async (t) => {
  const { cache, read, list } = await openBench(t);
  const blobs = join(cache, REPO_FOLDER, "blobs"), theirs = `${ETAG}.1a2b3c4d.incomplete`;
  await mkdir(blobs, { recursive: true });
  await writeFile(join(blobs, theirs), new Uint8Array(1000));
  const begin = Date.now();
  assert.deepEqual(await read("model.safetensors"), WEIGHTS);
  assert.ok(Date.now() - begin >= FAST.abandoned! - 50, "it waited until nothing came");
  assert.deepEqual(await list("blobs"), [ETAG, theirs].sort());
});

test("downloads that no process has any more are removed", async (t) => {
  const { cache, read, list } = await openBench(t);
  const blobs = join(cache, REPO_FOLDER, "blobs");
  await mkdir(blobs, { recursive: true });
  for (const name of [`${ETAG}.1.ijepa.incomplete`, `${ETAG}.2.ijepa-stopped`, `${ETAG}.3.ijepa-stopped`]) {
    await writeFile(join(blobs, name), WEIGHTS.subarray(0, 1000 * Number(name[65])));
    await utimes(join(blobs, name), 1, 1);
  }
  assert.deepEqual(await read("model.safetensors"), WEIGHTS);
  assert.deepEqual(await list("blobs"), [ETAG]);
});
