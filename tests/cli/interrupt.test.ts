/** Commands that are interrupted, or whose reader goes away. */
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ROCKET, SMALL, finish, start, temporaryFolder } from "./helpers.js";

/** Ends a command that does not stop, so that the suite fails instead of hanging. */
const PATIENCE = { timeout: 120_000 };

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("SIGINT during a download: exit code 130, one line, no file", PATIENCE, async (t) => {
  const folder = await temporaryFolder(t);
  let interrupt = (): void => undefined;
  // The request is never answered.
  const address = await serve(t, () => interrupt());
  const child = start(["embed", SMALL, `${address}/photo.png`, "--out", join(folder, "x.npy")]);
  interrupt = () => void child.kill("SIGINT");
  const { code, signal, stdout, stderr } = await finish(child);
  assert.deepEqual([code, signal, stdout], [130, null, ""]);
  assert.match(stderr, /^ijepa: Aborted while .* \[aborted\]\n$/);
  assert.deepEqual(await readdir(folder), []);
});

test("SIGINT while computing: it stops long before the last image", PATIENCE, async (t) => {
  const folder = await temporaryFolder(t);
  const photo = await readFile(SMALL);
  let interrupt = (): void => undefined;
  let images = 0;
  const address = await serve(t, (_, response) => {
    images++;
    response.end(photo, () => {
      // With the second photo the model is loaded, and 10,000 images wait.
      if (images === 2) interrupt();
    });
  });
  const urls = ["a", "b"].map((name) => `${address}/${name}.png`);
  const child = start(["embed", ...urls, ...new Array<string>(10_000).fill(ROCKET), "--json", "--out", join(folder, "x.json")]);
  interrupt = () => void child.kill("SIGINT");
  const { code, stdout, stderr } = await finish(child);
  assert.deepEqual([code, stdout], [130, ""]);
  const { error } = JSON.parse(stderr) as { error: Record<string, unknown> };
  assert.deepEqual([error["code"], error["exitCode"]], ["aborted", 130]);
  assert.deepEqual(await readdir(folder), []);
});

test("SIGINT while waiting for standard input", PATIENCE, async () => {
  const child = start(["similarity", "-", ROCKET]);
  // More than a pipe holds: it is written once the command reads. There is no end.
  child.stdin?.on("error", () => undefined).write(new Uint8Array(2 ** 24), () => void child.kill("SIGINT"));
  const { code, stdout, stderr } = await finish(child);
  assert.deepEqual([code, stdout, stderr], [130, "", "ijepa: Aborted while reading standard input. [aborted]\n"]);
});

test("a reader that goes away ends the command quietly", PATIENCE, async () => {
  for (const args of [["embed", ROCKET], ["embed", ROCKET, "--json"], ["--help"]]) {
    const child = start(args);
    child.stdout?.destroy();
    const { code, signal, stderr } = await finish(child);
    assert.deepEqual([code, signal, stderr], [0, null, ""]);
  }
});

test("a standard output that cannot be written is an error: exit code 6", async () => {
  const readOnly = openSync("package.json", "r");
  const child = start(["--help"], { stdio: ["ignore", readOnly, "pipe"] });
  const { code, stderr } = await finish(child);
  closeSync(readOnly);
  assert.equal(code, 6);
  assert.match(stderr, /^ijepa: Cannot write to standard output: .* \[io\/write\]\n$/);
});
