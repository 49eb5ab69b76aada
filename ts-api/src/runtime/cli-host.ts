/**
 * What the command line needs from Node: arguments, standard streams, SIGINT. Only ts-api/src/cli imports this file; the
 * library does not.
 */
import { constants, createReadStream } from "node:fs";
import { access, open, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import { onAbort } from "../core/abort.js";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { messageOf, shorten } from "../core/show.js";

export { parseArgs } from "node:util";

/** Standard output or standard error. */
export interface TextOutput {
  /** Columns of the terminal; undefined for a file or a pipe. */
  readonly columns: number | undefined;
  /** True if no one reads it any more: the other end of the pipe was closed. */
  readonly gone: boolean;
  /** Resolves when the text is written, or when the pipe was closed. */
  write(text: string): Promise<void>;
}

export interface CliHost {
  /** Arguments of the user, without node and the script. */
  readonly argv: readonly string[];
  /** Version of the package. */
  readonly version: string;
  /** IJEPA_DEBUG is set: errors print their stack. */
  readonly debug: boolean;
  /** Rejects with IJepaError `io/write`. */
  readonly stdout: TextOutput;
  /** Never rejects: there is nowhere left to report an error. */
  readonly stderr: TextOutput;
  /** Aborted by SIGINT, SIGTERM and SIGHUP. A second one of a kind ends the process at once. */
  readonly signal: AbortSignal;
  /** Resolves at one of these signals; the command then ends normally. */
  untilStopped(): Promise<void>;
  /** The bytes of standard input up to its end. Rejects with IJepaError `io/read` or `aborted`. */
  readStdin(): Promise<Uint8Array>;
  /** The same piece by piece, without a limit. */
  stdinChunks(): AsyncIterable<Uint8Array>;
  /** A pipe, such as a shell's <(find ...), piece by piece. Rejects as `readStdin`. */
  pipeChunks(path: string): AsyncIterable<Uint8Array>;
  /** Rejects with IJepaError `io/write` if a file at this path clearly cannot be written. It creates nothing. */
  checkWritable(path: string): Promise<void>;
}

/** The signals that end a command, which then leaves nothing half-done. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** The signal that stopped the command; undefined for commands that always end by one. */
let stoppedBy: (typeof SIGNALS)[number] | undefined;

const STDIN = "standard input";
/** Characters of a path in a message. */
const MAX_SHOWN = 500;
/** The limit of `loadImage` for files. */
const MAX_STDIN = 256 * 2 ** 20;

export function openCliHost(): CliHost {
  const interrupt = new AbortController();
  for (const name of SIGNALS) {
    process.once(name, () => {
      stoppedBy = name;
      interrupt.abort();
    });
  }
  return {
    argv: process.argv.slice(2),
    version: (createRequire(import.meta.url)("ijepa/package.json") as { version: string }).version,
    debug: !["", "0"].includes(process.env["IJEPA_DEBUG"] ?? ""),
    stdout: textOutput(process.stdout, (cause) => {
      throw new IJepaError("io/write", `Cannot write to standard output: ${cause.message}.`, { path: "standard output" }, { cause });
    }),
    stderr: textOutput(process.stderr, () => undefined),
    signal: interrupt.signal,
    untilStopped: () =>
      new Promise<void>((resolve) => {
        interrupt.signal.addEventListener("abort", () => resolve());
        if (interrupt.signal.aborted) resolve();
      }).then(() => {
        stoppedBy = undefined;
      }),
    readStdin: () => readStdin(interrupt.signal),
    stdinChunks: () => chunksOf(process.stdin, STDIN, interrupt.signal),
    pipeChunks: (path) => chunksOf(openPipe(path, interrupt.signal), path, interrupt.signal),
    checkWritable,
  };
}

/**
 * Ends the process with this status once everything is written. A command stopped by a signal other than SIGINT ends by that signal, so
 * that the sender can tell.
 */
export function setExitCode(code: number): void {
  process.exitCode = code;
  if (stoppedBy !== undefined && stoppedBy !== "SIGINT") process.kill(process.pid, stoppedBy);
}

function textOutput(stream: NodeJS.WriteStream, refuse: (cause: Error) => void): TextOutput {
  // The callback of write has the same errors; without a listener they would end the process.
  stream.on("error", () => undefined);
  const terminal = stream.isTTY && process.env["TERM"] !== "dumb";
  let gone = false;
  return {
    columns: terminal ? stream.columns || 80 : undefined,
    get gone() {
      return gone;
    },
    async write(text) {
      if (gone) return;
      const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => stream.write(text, resolve));
      if (error && error.code !== "EPIPE") refuse(error);
      gone = error?.code === "EPIPE";
    },
  };
}

async function readStdin(signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(process.stdin, STDIN, signal)) {
    size += chunk.length;
    if (size > MAX_STDIN) throw unreadable(STDIN, new Error(`it has more than ${MAX_STDIN} bytes`));
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

async function* chunksOf(stream: Readable, name: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const during = `reading ${name}`;
  throwIfAborted(signal, during);
  try {
    yield* addAbortSignal(signal, stream) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throwIfAborted(signal, during);
    throw unreadable(name, cause);
  }
}

/** Opening a pipe waits for its writer, and cannot be called off: one that comes and goes ends the wait. */
function openPipe(path: string, signal: AbortSignal): Readable {
  const wake = (): void => void open(path, constants.O_WRONLY | constants.O_NONBLOCK).then((file) => file.close()).catch(() => undefined);
  return createReadStream(path).once("close", onAbort(signal, wake));
}

function unreadable(path: string, cause: unknown): IJepaError {
  return new IJepaError("io/read", `Cannot read ${path}: ${messageOf(cause)}.`, { path }, { cause });
}

async function checkWritable(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
    const existing = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    if (existing?.isDirectory()) throw new Error("it is a folder");
  } catch (cause) {
    const shown = shorten(path, MAX_SHOWN), message = `Cannot write ${shown}: ${shorten(messageOf(cause), MAX_SHOWN)}. Check that the folder exists and may be written.`;
    throw new IJepaError("io/write", message, { path: shown }, { cause });
  }
}
