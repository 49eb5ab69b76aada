/** The command `ijepa`: arguments and streams in, an exit code out. */
import { nearest } from "../core/options.js";
import { shorten } from "../core/show.js";
import type { CliHost } from "../runtime/cli-host.js";
import { parseCommandLine, wantsJson, type Command } from "./args.js";
import { classify } from "./classify.js";
import { collection } from "./collection.js";
import { compare } from "./compare.js";
import { convert } from "./convert.js";
import { doctor } from "./doctor.js";
import { duplicates } from "./duplicates.js";
import { embed } from "./embed.js";
import { reportFailure, UsageError } from "./exit.js";
import { commandHelp, mainHelp } from "./help.js";
import { fit } from "./fit.js";
import { index } from "./index-images.js";
import { inspect } from "./inspect.js";
import { search } from "./search.js";
import { serve } from "./serve.js";
import { similarity } from "./similarity.js";
import { verify } from "./verify.js";
import { visualize } from "./visualize.js";
import { worker } from "./worker.js";

export const COMMANDS: readonly Command[] = [embed, similarity, visualize, index, search, duplicates, fit, classify, collection, worker, serve, convert, inspect, compare, verify, doctor];

/** Runs the command line of `host` and returns the exit code. It never rejects: failures are printed. */
export async function run(host: CliHost): Promise<number> {
  try {
    return await dispatch(host);
  } catch (error) {
    return reportFailure(host, error, { json: wantsJson(host.argv) });
  }
}

async function dispatch(host: CliHost): Promise<number> {
  const { argv, stdout, stderr, version } = host;
  const [name, ...args] = argv;
  if (name === undefined) {
    await stderr.write(mainHelp(COMMANDS, version));
    return 2;
  }
  const asked = name === "help" ? args[0] : undefined;
  if (name === "--help" || name === "-h" || (name === "help" && asked === undefined)) {
    await stdout.write(mainHelp(COMMANDS, version));
    return 0;
  }
  if (name === "--version" || name === "-v" || name === "version") {
    await stdout.write(`${version}\n`);
    return 0;
  }
  const command = COMMANDS.find((known) => known.name === (asked ?? name));
  if (command === undefined) throw unknownCommand(asked ?? name);
  const settings = asked === undefined ? parseCommandLine(command, args) : "help";
  if (settings !== "help") return command.run(settings, host);
  await stdout.write(commandHelp(command));
  return 0;
}

function unknownCommand(name: string): UsageError {
  if (/\.(png|jpe?g|webp)$/i.test(name)) return new UsageError(`Name a command before the image, such as "ijepa embed ${shorten(name)}". See "ijepa --help".`);
  const what = name.startsWith("-") ? "option" : "command";
  const known = COMMANDS.map((command) => command.name), near = nearest(name, known);
  const meant = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}`;
  return new UsageError(`There is no ${what} ${JSON.stringify(shorten(name))}${meant}${meant === "" ? ";" : "?"} ${meant === "" ? "the" : "The"} commands are ${known.join(", ")}. See "ijepa --help".`);
}
