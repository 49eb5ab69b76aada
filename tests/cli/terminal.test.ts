/** What a terminal shows: widths, the progress bar, control characters. */
import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../../ts-api/src/cli/run.js";
import { IJepaError } from "../../ts-api/src/index.js";
import { CHELSEA, ROCKET, SMALL, TINY, cells, photo, recordingHost, succeed, temporaryFolder } from "./helpers.js";

const ERASE = "\r\x1b[K";

test("a narrow terminal gets 16 digits of the digest, a wide one all", async () => {
  const full = (await succeed(["embed", ROCKET, "--model", TINY])).split("\n");
  const digest = cells(full[1])[7];
  for (const [columns, digits] of [[80, 16], [full[1].length + 1, 64]]) {
    const host = recordingHost(["embed", ROCKET, "--model", TINY], columns);
    assert.equal(await run(host), 0);
    assert.equal(cells(host.printed.stdout.split("\n")[1])[7], digest.slice(0, digits));
  }
});

test("the bar moves, fits the terminal, and is erased at the end", async () => {
  const host = recordingHost(["embed", CHELSEA, SMALL, ROCKET, "--model", TINY], 40);
  assert.equal(await run(host), 0);
  const { stdout, stderr } = host.printed;
  assert.ok(!stdout.includes("\x1b"));
  assert.ok(stderr.startsWith(ERASE) && stderr.endsWith(ERASE));
  const frames = stderr.split(ERASE).slice(1, -1);
  assert.ok(frames.every((frame) => /^\[#*\.*\] \d+\/\d+ /.test(frame) && frame.length < 40), JSON.stringify(frames));
  assert.match(frames[0], /^\[\.{24}\] 0\/3 tests/);
  assert.ok(frames.some((frame) => /^\[#{24}\] \d+\/\d+ loadi/.test(frame)), "loading the model is shown");
  assert.ok(frames.some((frame) => frame.startsWith("[################........] 2/3 ")));
});

test("one image has no bar, and neither have files and pipes", async () => {
  for (const [images, columns] of [[[ROCKET], 80], [[ROCKET, SMALL], undefined]] as const) {
    const host = recordingHost(["embed", ...images, "--model", TINY], columns);
    assert.equal(await run(host), 0);
    assert.equal(host.printed.stderr, "");
  }
});

test("the bar is erased before an error is printed", async () => {
  const host = recordingHost(["embed", photo("gif.gif"), SMALL, "--model", TINY], 80);
  assert.equal(await run(host), 3);
  assert.match(host.printed.stderr, /\r\x1b\[Kijepa: .*\[image\/unsupported\]\n\r\x1b\[K\[/);
});

test("control characters of names do not reach the terminal", async (t) => {
  const name = join(await temporaryFolder(t), "\x1b[31mred\n\x9b.png");
  await copyFile(SMALL, name);
  const table = recordingHost(["embed", name, name, `${name}.absent`, "--model", TINY], 200);
  assert.equal(await run(table), 6);
  assert.ok(table.printed.stdout.includes("\\x1b[31mred\\x0a\\x9b.png"));
  const text = table.printed.stdout + table.printed.stderr.replaceAll(ERASE, "");
  assert.ok(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(text), JSON.stringify(text));
  assert.equal(text.split("\n").length, 5, "two rows, their heading and an error");
});

test("a failure that nobody thought of: exit code 1, a line, and the stack only under IJEPA_DEBUG", async () => {
  const readStdin = async (): Promise<Uint8Array> => {
    throw new Error("boom", { cause: new RangeError("because") });
  };
  const plain = recordingHost(["embed", "-"], undefined, { readStdin });
  assert.equal(await run(plain), 1);
  assert.deepEqual(plain.printed, { stdout: "", stderr: "ijepa: boom [unexpected]\n" });

  const debug = recordingHost(["embed", "-"], undefined, { readStdin, debug: true });
  assert.equal(await run(debug), 1);
  assert.match(debug.printed.stderr, /^ijepa: boom \[unexpected\]\nError: boom\n {4}at .*\n([^]*\n)?caused by RangeError: because\n {4}at /);
});

test("a failure that is not of one image decides the exit code", async () => {
  const lost = new IJepaError("backend/lost", "The device is gone.", { backend: "test" });
  const host = recordingHost(["embed", photo("gif.gif"), ROCKET, "--model", TINY], undefined);
  Object.assign(host, { stdout: { columns: undefined, write: () => Promise.reject(lost) } });
  assert.equal(await run(host), 5);
});
