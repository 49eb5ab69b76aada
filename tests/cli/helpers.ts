/** Starts the built command, and reads what it prints. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import type { CliHost } from "../../ts-api/src/runtime/cli-host.js";

const FILES = "tests/goldens/images/files";

/** A photo of the goldens, by its file name. */
export function photo(name: string): string {
  return `${FILES}/${name}`;
}

export const CHELSEA = photo("chelsea.png");
export const ASTRONAUT = photo("astronaut.png");
export const ROCKET = photo("rocket.jpg");
/** 1 x 1 pixel. */
export const SMALL = photo("png-1x1.png");

/** The smallest model of the goldens, where the numbers do not matter: 16 tokens, 64 wide. */
export const TINY = "tests/goldens/models/tiny";

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Starts the command as a user does; `flags` are for node. */
export function start(args: readonly string[], options: SpawnOptions = {}, flags: readonly string[] = []): ChildProcess {
  const env = { ...process.env, IJEPA_DEBUG: "", ...options.env };
  return spawn(process.execPath, [...flags, resolve("dist/cli.js"), ...args], { ...options, env });
}

/** Waits for the end of a command, and gives what it printed to pipes. */
export async function finish(child: ChildProcess): Promise<Finished> {
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => (printed[name] += text));
  }
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on("error", reject).on("close", (...end) => resolve(end));
  });
  return { code, signal, ...printed };
}

/** Runs the command to its end; `input` is its standard input. */
export async function ijepa(args: readonly string[], input?: Uint8Array, env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  const child = start(args, { env });
  child.stdin?.on("error", () => undefined).end(input);
  return finish(child);
}

/** Runs the command, which must succeed without a word on stderr. */
export async function succeed(args: readonly string[], input?: Uint8Array): Promise<string> {
  const { code, stdout, stderr } = await ijepa(args, input);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout;
}

/** The cells of each line of a table. */
export function cells(line: string): string[] {
  return line.split(/ {2,}/).filter((cell) => cell !== "");
}

/** A folder that goes away with the test. */
export async function temporaryFolder(test: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ijepa-cli-"));
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface RecordingHost extends CliHost {
  printed: { stdout: string; stderr: string };
}

/** A host that records what is printed, for what pipes cannot show: terminals and failures of the host. */
export function recordingHost(argv: readonly string[], columns: number | undefined, changes: Partial<CliHost> = {}): RecordingHost {
  const printed = { stdout: "", stderr: "" };
  const output = (name: "stdout" | "stderr"): CliHost["stdout"] => ({
    columns,
    gone: false,
    async write(text) {
      printed[name] += text;
    },
  });
  return {
    argv,
    version: "1.2.3",
    debug: false,
    stdout: output("stdout"),
    stderr: output("stderr"),
    signal: new AbortController().signal,
    untilStopped: async () => undefined,
    readStdin: async () => new Uint8Array(0),
    stdinChunks: async function* () {
      yield new Uint8Array(0);
    },
    pipeChunks: async function* () {
      yield new Uint8Array(0);
    },
    checkWritable: async () => undefined,
    ...changes,
    printed,
  };
}
