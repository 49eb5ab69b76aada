/** From an error to its line on stderr and its exit code. */
import { isIJepaError, type BulkFailure, type ErrorCode } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { printable } from "./text.js";

/** The part of an error's code before the slash. */
type KindOf<C extends string> = C extends `${infer Kind}/${string}` ? Kind : C;
type Kind = KindOf<ErrorCode> | "ok" | "unexpected" | "usage";

const SOURCE = [6, "a file, URL or Hub model cannot be read or written, or a port cannot be opened"] as const;
const MODEL = [4, "the model's configuration or weights are missing, damaged or inconsistent"] as const;

/** Exit code and meaning of every kind of end. */
const EXITS: Readonly<Record<Kind, readonly [code: number, meaning: string]>> = {
  ok: [0, "done"],
  unexpected: [1, "an unexpected error (IJEPA_DEBUG=1 prints the stack)"],
  usage: [2, "wrong usage: an unknown command or option, an invalid value, or too few or too many arguments"],
  image: [3, "an image is damaged, unsupported, too large, empty or not an image"],
  config: MODEL,
  weights: MODEL,
  backend: [5, "the device is unavailable, out of memory or lost"],
  io: SOURCE,
  hub: SOURCE,
  input: [7, "an input does not suit the model or the output format"],
  collection: [8, "a collection is missing, damaged, in use, of another encoding or of a newer version"],
  queue: [9, "the queue cannot be used: its broker is unreachable, a package is missing, or it holds other jobs"],
  aborted: [130, "interrupted (SIGINT)"],
};

/** The exit codes with their meaning, each once. */
export const EXIT_CODES: ReadonlyMap<number, string> = new Map(Object.values(EXITS));

/** The command line is wrong; the message says how. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Returns the result of `check`. If it refuses a value of the command line, that is a usage error. */
export function usage<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw isIJepaError(error, "input/value") ? new UsageError(error.message) : error;
  }
}

/** Where a failure is reported. */
export interface FailureReport {
  /** Print a JSON object, on one line. */
  json: boolean;
  /** The image that failed, as the user named it. */
  file?: string | undefined;
}

/** Characters of a message: an argument may be as long as a system allows. */
const MAX_MESSAGE = 2000;

type FailureCode = ErrorCode | "usage" | "unexpected";

/** Prints `error` on stderr, one line, with its stack only under IJEPA_DEBUG. Returns its exit code. */
export async function reportFailure(host: CliHost, error: unknown, { json, file }: FailureReport): Promise<number> {
  // `details` is left out: it may hold values of any depth, from files.
  const exitCode = await report(host, { code: codeOf(error), message: error instanceof Error ? error.message : String(error) }, { json, file });
  if (host.debug) await host.stderr.write(stackOf(error));
  return exitCode;
}

/** The same for one image of many. */
export async function report(host: CliHost, { code, message: whole }: Pick<BulkFailure, "message"> & { code: FailureCode }, { json, file }: FailureReport): Promise<number> {
  const exitCode = exitCodeOf(code), isLong = whole.length > MAX_MESSAGE;
  const message = isLong ? `${whole.slice(0, MAX_MESSAGE / 2)}... ${whole.slice(-MAX_MESSAGE / 2)}` : whole;
  await host.stderr.write(`${json ? JSON.stringify({ error: { code, message, exitCode, file } }) : printable(`ijepa: ${message} [${code}]`)}\n`);
  return exitCode;
}

export function exitCodeOf(code: FailureCode): number {
  return EXITS[code.split("/")[0] as Kind][0];
}

function codeOf(error: unknown): FailureCode {
  if (error instanceof UsageError) return "usage";
  return isIJepaError(error) ? error.code : "unexpected";
}

/** The stacks of an error and of what caused it. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `${String(error)}\n`;
  return `${error.stack ?? error.message}\n${error.cause === undefined ? "" : `caused by ${stackOf(error.cause)}`}`;
}
