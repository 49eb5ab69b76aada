/** `--help`, `help`, `--version` and wrong command lines. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { openCpu } from "../../ts-api/src/backends/open-cpu.js";
import { OPTIONS, parseCommandLine, type OptionName } from "../../ts-api/src/cli/args.js";
import { EXIT_CODES, UsageError } from "../../ts-api/src/cli/exit.js";
import { COMMANDS } from "../../ts-api/src/cli/run.js";
import { DEFAULT_MAX_PIXELS } from "../../ts-api/src/image/decode.js";
import { ijepa, succeed } from "./helpers.js";

/** A value that each option takes; switches have none. */
const VALUES: Record<OptionName, string | undefined> = {
  image: "b.png",
  model: "folder", revision: "main", "cache-dir": "folder", "local-files-only": undefined, dtype: "int4", device: "wasm", threads: "auto", tensors: undefined, normalize: undefined, revectorize: undefined, pool: "mean", out: "x.npy", recursive: undefined, "from-file": "list.txt", "decode-threads": "2", "decode-timeout": "9",
  "max-pixels": "9",
  strict: undefined,
  kind: "attention", patch: "3,5", layer: "2", head: "1", opacity: "0.5", size: "300", sheet: undefined, legend: undefined,
  host: "localhost", port: "0", "max-body": "20MiB", concurrency: "9", timeout: "9", "allow-urls": undefined, cors: "*",
  source: "folder", "image-size": "224", "group-size": "64", calibrate: "folder", "shard-size": "24MiB", json: undefined, help: undefined,
  collection: "folder", layers: "last4", tokens: undefined, prune: undefined, results: "9", html: "x.html", threshold: "0.9", labels: "folders", strength: "1", seed: "1", "hold-out": "0.2", views: "flip",
  full: undefined, "top-k": "3", encoder: "folder", verify: "1%", compact: undefined, repair: undefined, queue: "URL", audit: "1%", "metrics-port": "0", "allow-private": undefined, export: "x.npy",
};

test("help of a command names every option that it takes, and only these", async () => {
  for (const command of COMMANDS) {
    const help = await succeed([command.name, "--help"]);
    assert.equal(await succeed([command.name, "-h"]), help);
    const named = [...help.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, name]) => name);
    assert.deepEqual(named, [...command.options]);
    const operands = new Array<string>(command.models ?? command.images[0]).fill("a.png");
    for (const name of Object.keys(OPTIONS) as OptionName[]) {
      const value = VALUES[name];
      const args = [...operands, `--${name}`, ...(value === undefined ? [] : [value])];
      if (named.includes(name)) parseCommandLine(command, args);
      else assert.throws(() => parseCommandLine(command, args), UsageError, `${command.name} --${name}`);
    }
  }
});

test("help says the values, the exit codes and the pixel limit as they are", async () => {
  const help = await succeed(["embed", "--help"]);
  const flowing = help.replace(/\s+/g, " ");
  const texts = ["fp32|bf16|int8|int4|nf4|fp4", "auto|wasm", "none|mean|first", "N|auto", ".npy, .json, .jsonl", `${DEFAULT_MAX_PIXELS}`];
  for (const text of texts) assert.ok(flowing.includes(text), text);
  assert.ok(help.endsWith('\nExit codes: see "ijepa --help".\n'));
  const main = await succeed(["--help"]);
  const codes = [...main.slice(main.indexOf("Exit codes:")).matchAll(/^ {2}(\d+) /gm)].map(([, code]) => Number(code));
  assert.deepEqual(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
  assert.deepEqual(codes, [...EXIT_CODES.keys()]);
});

test("--help names every command; no line of help is too long for a terminal", async () => {
  const help = await succeed(["--help"]);
  assert.equal(await succeed(["-h"]), help);
  for (const { name, usage } of COMMANDS) assert.ok(help.includes(`ijepa ${name} ${usage}`));
  const texts = [help, ...(await Promise.all(COMMANDS.map(({ name }) => succeed([name, "--help"]))))];
  for (const line of texts.join("\n").split("\n")) assert.ok(line.length <= 100 && line === line.trimEnd(), line);
});

test("--threads ends where the library does", async () => {
  const command = COMMANDS[0];
  parseCommandLine(command, ["a.png", "--threads", "64"]);
  assert.throws(() => parseCommandLine(command, ["a.png", "--threads", "65"]), UsageError);
  await assert.rejects(() => openCpu({ threads: 65 }), /from 1 to 64/);
});

test("without arguments: the same help on stderr, exit code 2", async () => {
  assert.deepEqual(await ijepa([]), { code: 2, signal: null, stdout: "", stderr: await succeed(["--help"]) });
});

test("--version is that of package.json", async () => {
  const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
  assert.equal(await succeed(["--version"]), `${version}\n`);
});
