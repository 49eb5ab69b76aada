import { OPTIONS, type Command, type Option, type OptionName } from "./args.js";
import { EXIT_CODES } from "./exit.js";
import { wrap } from "./text.js";

const WIDTH = 100;
const MODEL_HELP = "a folder or URL with config.json and model.safetensors or its shards";
const IMAGE_HELP = "a path or a URL (http, https, data, file) of a PNG, JPEG or WebP image, or - for standard input";

/** What `ijepa --help` prints. */
export function mainHelp(commands: readonly Command[], version: string): string {
  const lines = [
    `ijepa ${version}: features of images by an I-JEPA encoder, the same bits on every machine.`,
    "",
    "Usage:",
    ...commands.map(({ name, usage }) => `  ijepa ${name} ${usage}`),
    "",
    "Commands:",
    ...list(commands.map(({ name, summary }) => [name, summary])),
    "",
    "Options:",
    ...list([
      ["-h, --help", "print this help; of a command with: ijepa help COMMAND"],
      ["-v, --version", "print the version"],
    ]),
    "",
    ...exitCodes(),
  ];
  return `${lines.join("\n")}\n`;
}

/** What `ijepa COMMAND --help` prints. */
export function commandHelp({ name, usage, summary, notes, options, optionHelp = {}, images, models }: Command): string {
  const lines = [
    `Usage: ijepa ${name} ${usage}`,
    "",
    ...wrap(`${summary}.`, WIDTH),
    "",
    ...(models === undefined ? [] : [...list([["MODEL", MODEL_HELP]]), ""]),
    ...(images[1] === 0 ? [] : [...list([["IMAGE", IMAGE_HELP]]), ""]),
    "Options:",
    ...list(options.map((option) => [optionName(option), optionHelp[option] ?? OPTIONS[option].help])),
    "",
    ...notes.flatMap((note) => [...wrap(note, WIDTH), ""]),
    'Exit codes: see "ijepa --help".',
  ];
  return `${lines.join("\n")}\n`;
}

function optionName(name: OptionName): string {
  const { value, short }: Option = OPTIONS[name];
  return `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
}

function exitCodes(): string[] {
  return ["Exit codes:", ...list([...EXIT_CODES].map(([code, meaning]) => [String(code), meaning]))];
}

/** Terms and what they mean, in two columns. */
function list(entries: readonly (readonly [term: string, text: string])[]): string[] {
  const indent = Math.max(...entries.map(([term]) => term.length)) + 4;
  return entries.flatMap(([term, text]) => {
    const [first, ...rest] = wrap(text, WIDTH - indent);
    return [`  ${term}`.padEnd(indent) + first, ...rest.map((line) => " ".repeat(indent) + line)];
  });
}
