/** From the commands and their options to the text of `--help`. */
import { OPTIONS, type Command, type Option, type OptionName } from "./args.js";
import { EXIT_CODES } from "./exit.js";
import { wrap } from "./text.js";

const WIDTH = 100;
const MODEL_HELP = "folder or URL that holds config.json and model.safetensors (or shards), or a Hub model as OWNER/NAME";
/** The placeholders of usage lines, with their meaning. */
const OPERANDS = [
  ["COLLECTION", 'folder of a collection, made by "ijepa index"'],
  ["IMAGE", "path or URL (http, https, data, file) of a PNG, JPEG or WebP image, or - for standard input"],
  ["MODEL", MODEL_HELP],
  ["SOURCE", MODEL_HELP],
  ["A B", `models to compare, each a ${MODEL_HELP}`],
] as const;

/** What `ijepa --help` prints. */
export function mainHelp(commands: readonly Command[], version: string): string {
  const lines = [
    `ijepa ${version}: image features from an I-JEPA encoder, with the same bits on every machine.`,
    "",
    "Usage:",
    ...commands.map(({ name, usage }) => `  ijepa ${name} ${usage}`),
    "",
    "Commands:",
    ...list(commands.map(({ name, summary }) => [name, summary])),
    "",
    "Options:",
    ...list([
      ["-h, --help", "print this help; \"ijepa help COMMAND\" prints the help of a command"],
      ["-v, --version", "print the version"],
    ]),
    "",
    ...exitCodes(),
  ];
  return `${lines.join("\n")}\n`;
}

/** What `ijepa COMMAND --help` prints. */
export function commandHelp({ name, usage, summary, notes, options, optionHelp = {}, optionValues = {} }: Command): string {
  const operands = OPERANDS.filter(([term]) => usage.split(" --")[0].includes(term));
  const lines = [
    `Usage: ijepa ${name} ${usage}`,
    "",
    ...wrap(`${summary}.`, WIDTH),
    "",
    ...(operands.length === 0 ? [] : [...list(operands), ""]),
    "Options:",
    ...list(options.map((option) => [optionName(option, optionValues[option]), optionHelp[option] ?? OPTIONS[option].help])),
    "",
    ...notes.flatMap((note) => [...wrap(note, WIDTH), ""]),
    'Exit codes: see "ijepa --help".',
  ];
  return `${lines.join("\n")}\n`;
}

function optionName(name: OptionName, own: string | undefined): string {
  const { short, value: usual }: Option = OPTIONS[name], value = own ?? usual;
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
