/** From the words of a command line to checked settings. Every option of every command is listed here. */
import { nearest } from "../core/options.js";
import { shorten, show } from "../core/show.js";
import { DTYPES, GROUPS, type Device, type Dtype, type ExtractOptions, type Group, type LoadOptions, type Patch, type Threads } from "../index.js";
import { parseArgs, type CliHost } from "../runtime/cli-host.js";
import { COLLECTION_OPTIONS, type GivenOptions } from "./collection-options.js";
import { UsageError } from "./exit.js";

type Pool = Extract<NonNullable<ExtractOptions["pool"]>, "none" | "mean" | "first">;

// Records: a new device or pool does not compile until it is listed here.
const DEVICES = Object.keys({ auto: true, wasm: true, webgpu: true } satisfies Record<Device, true>) as Device[];
const POOLS = Object.keys({ none: true, mean: true, first: true } satisfies Record<Pool, true>) as Pool[];
export const KINDS = ["pca", "similarity", "attention"] as const;
/** The library takes no more. */
const MAX_THREADS = 64;
/** Largest image side that an estimate accepts. */
const MAX_IMAGE_SIDE = 65535;
/** As `drawMap` takes it. */
const MAX_PICTURE_SIDE = 16384;
export const MAX_PORT = 65535;
const MAX_INDEX = 100_000;
/** Largest --max-body. Half of it is the longest string of an engine, and so the longest JSON text. */
const MAX_BODY = 2 ** 30;
const MAX_CONCURRENCY = 100_000;
const MAX_SECONDS = 86_400;
const UNITS: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

export interface Option {
  /** The value in --help; undefined for a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
}

/** Every option of every command. */
export const OPTIONS = {
  model: {
    value: "REF",
    help: "folder or URL that holds config.json and model.safetensors, or a model of the Hugging Face Hub as OWNER/NAME (default: the small demo model in this package)",
  },
  revision: { value: "REV", help: "branch, tag or commit of a Hub model (default: main)" },
  "cache-dir": { value: "DIR", help: "cache folder for Hub models (default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub)" },
  "local-files-only": { help: "use only files in the cache; never contact the Hub" },
  image: { value: "IMAGE", help: "path or URL of the image to run (default: a synthetic input made from a seed)" },
  dtype: { value: DTYPES.join("|"), help: "weight format; other formats are converted while loading (default: bf16; packed, nf4 and fp4 checkpoints keep their format)" },
  source: { value: "MODEL", help: "the original of a quantized model; every layer is compared with it" },
  tensors: { help: "also list every tensor" },
  "image-size": { value: "N", help: "side length, in pixels, of the image to estimate for (default: the model's)" },
  "group-size": { value: GROUPS.join("|"), help: "int4 only: inputs per scale; 64 gives smaller files and larger errors (default: 32)" },
  calibrate: { value: "DIR", help: "int8 and int4 only: calibrate on the images in this folder instead of synthetic ones; choose images like those the model will see" },
  "shard-size": { value: "SIZE", help: "maximum file size, such as 24MiB (default: a single file)" },
  device: { value: DEVICES.join("|"), help: "where to run; every device gives the same bits (default: auto)" },
  threads: { value: "N|auto", help: "CPU threads, or auto for one per processor; any number gives the same bits (default: auto)" },
  revectorize: { help: "require 256-bit vectors, an experimental feature of V8, and fail without them (default: use them where they are faster and give the same bits)" },
  pool: { value: POOLS.join("|"), help: "none: one feature vector per token; mean: the mean of all tokens; first: the first token only (default: none)" },
  normalize: { help: "scale each feature vector, after --pool, to length 1" },
  out: { value: "FILE", short: "o", help: "file to write: .npy, .json, .jsonl, .safetensors or .parquet; - prints one line of JSON per image" },
  kind: { value: KINDS.join("|"), help: "what to draw: principal components, similarity to one patch, or attention (default: pca)" },
  patch: { value: "COLUMN,ROW", help: "column and row of a patch, counted from 0 at the top left (default for similarity: the centre)" },
  layer: { value: "N", help: "layer, counted from 1 (default: the model's output; for attention, the last layer)" },
  head: { value: "N", help: "attention head, counted from 1 (default: the mean of all heads)" },
  opacity: { value: "0..1", help: "how much of the map is seen; the rest is the photo in grey (default: 0.6)" },
  size: { value: "N", help: "longest side of each picture in pixels, also where the photo is smaller (default: the photo's, at most 1024; on sheets 240)" },
  sheet: { help: "draw all layers on one sheet; for attention, all layers and heads" },
  legend: { help: "say below the picture what it shows, with a colour bar where there is one" },
  "max-pixels": { value: "N", help: "largest image to decode, in pixels (default: 178956970, as in Pillow)" },
  strict: { help: "reject damaged images even if their pixels can be read (default: read them and print a warning)" },
  host: { value: "ADDRESS", help: "address to listen on; 0.0.0.0 means all network interfaces (default: 127.0.0.1)" },
  port: { value: "N", help: "port to listen on; 0 picks a free one (default: 8080)" },
  "max-body": { value: "SIZE", help: "largest request body, such as 500KiB or 20MiB (default: 20MiB)" },
  concurrency: { value: "N", help: "maximum number of images in progress, over all requests (default: 256)" },
  timeout: { value: "SECONDS", help: "seconds allowed to download an image from a URL (default: 60)" },
  recursive: { short: "r", help: "include images in subfolders" },
  "from-file": { value: "LIST", help: "read image names from a file, or from standard input with -: one path, URL or base64 image per line, or names that end in NUL (find -print0)" },
  "decode-threads": { value: "N|auto", help: "threads that decode images, or auto for one per processor; 0 decodes on the main thread (default: auto)" },
  "decode-timeout": { value: "SECONDS", help: "seconds allowed to decode one image (default: 60)" },
  "allow-urls": { help: "accept image URLs (http, https) in requests and download them" },
  cors: { value: "ORIGIN", help: "origin whose pages may call the server, such as https://example.org, or * for any; can be repeated" },
  ...COLLECTION_OPTIONS,
  json: { help: "print one JSON document; print errors on stderr as JSON, one object per line" },
  help: { short: "h", help: "print this help" },
} as const satisfies Record<string, Option>;

/** Options that may be given several times. */
const SEVERAL: readonly string[] = ["image", "cors"] satisfies (keyof typeof OPTIONS)[];

/** How a model of the Hub is found. */
export const HUB_OPTIONS = ["revision", "cache-dir", "local-files-only"] as const satisfies readonly (keyof typeof OPTIONS)[];

/** The options that say where a model comes from. */
export const SOURCE_OPTIONS = ["model", ...HUB_OPTIONS] as const;

export type OptionName = keyof typeof OPTIONS;

/** The command line of a command, checked. */
export interface Settings {
  readonly images: readonly string[];
  readonly models: readonly string[];
  readonly model: string | undefined;
  readonly revision: string | undefined;
  readonly cacheDir: string | undefined;
  readonly localFilesOnly: boolean;
  readonly image: string | undefined;
  /** Every --image. */
  readonly imageOptions: readonly string[];
  readonly source: string | undefined;
  readonly imageSize: number | undefined;
  readonly tensors: boolean;
  readonly dtype: Dtype | undefined;
  readonly device: Device | undefined;
  readonly threads: Threads | undefined;
  readonly revectorize: true | "auto";
  readonly pool: Pool | undefined;
  readonly normalize: boolean;
  readonly out: string | undefined;
  readonly kind: (typeof KINDS)[number] | undefined;
  readonly patch: Patch | undefined;
  /** From 1. */
  readonly layer: number | undefined;
  /** From 1. */
  readonly head: number | undefined;
  /** 0 to 1. */
  readonly opacity: number | undefined;
  /** Pixels. */
  readonly size: number | undefined;
  readonly sheet: boolean;
  readonly legend: boolean;
  readonly maxPixels: number | undefined;
  readonly strict: boolean;
  readonly groupSize: Group | undefined;
  readonly calibrate: string | undefined;
  /** Bytes. */
  readonly shardSize: number | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** Bytes. */
  readonly maxBody: number | undefined;
  readonly concurrency: number | undefined;
  /** Seconds. */
  readonly timeout: number | undefined;
  readonly recursive: boolean;
  readonly fromFile: string | undefined;
  readonly decodeThreads: Threads | undefined;
  /** Seconds. */
  readonly decodeTimeout: number | undefined;
  readonly allowUrls: boolean;
  readonly cors: readonly string[];
  readonly json: boolean;
  /** All options as they were given, for those that collection-options.ts reads. */
  readonly given: GivenOptions;
}

export interface Command {
  readonly name: string;
  /** Its arguments, as --help shows them. */
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs of --help. */
  readonly notes: readonly string[];
  readonly options: readonly OptionName[];
  /** Help for options that mean something else in this command. */
  readonly optionHelp?: Partial<Record<OptionName, string>>;
  /** Placeholders in --help that differ from those of other commands. */
  readonly optionValues?: Partial<Record<OptionName, string>>;
  /** How many images it takes. */
  readonly images: readonly [min: number, max: number];
  /** How many models it takes instead of images. */
  readonly models?: number;
  /** Returns the exit code. */
  run(settings: Settings, host: CliHost): Promise<number>;
}

/**
 * @param args what follows the command's name
 * @returns "help" where that is asked for
 * @throws UsageError
 */
export function parseCommandLine(command: Command, args: readonly string[]): Settings | "help" {
  const { values, positionals } = parse(command, args);
  if (values["help"] === true) return "help";
  const [images, models] = command.models === undefined ? [positionals, []] : [[], positionals];
  if (values["from-file"] === undefined) checkCount(command, positionals.length);
  if (images.filter((image) => image === "-").length > 1) throw new UsageError("Standard input (-) can be read as one image only.");
  const text = (name: OptionName): string | undefined => values[name] as string | undefined;
  return {
    images,
    models,
    model: text("model"),
    revision: text("revision"),
    cacheDir: text("cache-dir"),
    localFilesOnly: values["local-files-only"] === true,
    image: (values["image"] as string[] | undefined)?.at(-1),
    imageOptions: (values["image"] as string[] | undefined) ?? [],
    source: text("source"),
    tensors: values["tensors"] === true,
    imageSize: whole("image-size", text("image-size"), MAX_IMAGE_SIDE),
    dtype: choice("dtype", text("dtype"), DTYPES),
    device: choice("device", text("device"), DEVICES),
    threads: text("threads") === "auto" ? "auto" : whole("threads", text("threads"), MAX_THREADS),
    revectorize: values["revectorize"] === true || "auto",
    pool: choice("pool", text("pool"), POOLS),
    normalize: values["normalize"] === true,
    out: text("out"),
    kind: choice("kind", text("kind"), KINDS),
    patch: patchOf(text("patch")),
    layer: whole("layer", text("layer"), MAX_INDEX),
    head: whole("head", text("head"), MAX_INDEX),
    opacity: share("opacity", text("opacity")),
    size: whole("size", text("size"), MAX_PICTURE_SIDE),
    sheet: values["sheet"] === true,
    legend: values["legend"] === true,
    groupSize: GROUPS.find((size) => String(size) === choice("group-size", text("group-size"), GROUPS.map(String))),
    calibrate: text("calibrate"),
    shardSize: byteSize("shard-size", text("shard-size"), Number.MAX_SAFE_INTEGER),
    maxPixels: whole("max-pixels", text("max-pixels"), Number.MAX_SAFE_INTEGER),
    strict: values["strict"] === true,
    host: named("host", text("host")),
    port: whole("port", text("port"), MAX_PORT, 0),
    maxBody: byteSize("max-body", text("max-body"), MAX_BODY),
    concurrency: whole("concurrency", text("concurrency"), MAX_CONCURRENCY),
    timeout: whole("timeout", text("timeout"), MAX_SECONDS),
    recursive: values["recursive"] === true,
    fromFile: text("from-file"),
    decodeThreads: text("decode-threads") === "auto" ? "auto" : whole("decode-threads", text("decode-threads"), MAX_THREADS, 0),
    decodeTimeout: whole("decode-timeout", text("decode-timeout"), MAX_SECONDS),
    allowUrls: values["allow-urls"] === true,
    cors: (values["cors"] as string[] | undefined) ?? [],
    json: values["json"] === true,
    given: values,
  };
}

/** The options of a model's source, as the library names them. */
export function sourceOptions({ revision, cacheDir, localFilesOnly }: Settings): Pick<LoadOptions, "revision" | "cache_dir" | "local_files_only"> {
  return { revision, cache_dir: cacheDir, local_files_only: localFilesOnly || undefined };
}

/** The options of loading a model, as the library names them. Default: all processors. */
export function modelOptions(settings: Settings): Pick<LoadOptions, "revision" | "cache_dir" | "local_files_only" | "dtype" | "device" | "threads" | "revectorize"> {
  const { dtype, device, threads = "auto", revectorize } = settings;
  return { ...sourceOptions(settings), dtype, device, threads, revectorize };
}

/** True if --json is among the options, so that errors in the command line are printed as JSON too. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).includes("--json");
}

function parse(command: Command, args: readonly string[]): { values: Record<string, unknown>; positionals: string[] } {
  const config = command.options.map((name) => {
    const { value, short }: Option = OPTIONS[name];
    const type = value === undefined ? ("boolean" as const) : ("string" as const);
    return [name, { type, multiple: SEVERAL.includes(name), ...(short === undefined ? {} : { short }) }] as const;
  });
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(config), allowPositionals: true });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const unknown = /^Unknown option '(-[^']*)'/.exec(error.message)?.[1];
    if (unknown !== undefined) throw unknownOption(command, unknown);
    throw new UsageError(`${error.message.replaceAll("\n", " ").replace(/\.?$/, ".")} See "ijepa ${command.name} --help".`);
  }
}

function unknownOption({ name, options }: Command, given: string): UsageError {
  const near = nearest(given, options);
  return new UsageError(`Unknown option '${shorten(given)}'${near === undefined ? "." : `; did you mean --${near}?`} See "ijepa ${name} --help".`);
}

function checkCount({ name, usage, images: [min, max], models }: Command, count: number): void {
  if (models === undefined ? count >= min && count <= max : count === models) return;
  if (usage.startsWith("COLLECTION")) throw new UsageError(`"ijepa ${name}" takes ${usage.split(/ (?:--|\[)/)[0]}, not ${count} arguments. See "ijepa ${name} --help".`);
  const some = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const wanted = models !== undefined ? some(models, "model") : max === 0 ? "no images" : min === max ? some(min, "image") : `at least ${some(min, "image")}`;
  throw new UsageError(`"ijepa ${name}" takes ${wanted}, not ${count}. See "ijepa ${name} --help".`);
}

/** An empty address would mean all network interfaces. */
function named(name: OptionName, value: string | undefined): string | undefined {
  if (value === "") throw new UsageError(`--${name} must not be empty.`);
  return value;
}

function choice<T extends string>(name: OptionName, value: string | undefined, allowed: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const known = allowed.find((one) => one === value);
  if (known === undefined) throw new UsageError(`--${name} must be one of ${allowed.join(", ")}, not ${show(value)}.`);
  return known;
}

function whole(name: OptionName, value: string | undefined, max: number, min = 1): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= min && number <= max) return number;
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not ${show(value)}.`);
}

function share(name: OptionName, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^\d*\.?\d+$/.test(value) && number <= 1) return number;
  throw new UsageError(`--${name} must be a number from 0 to 1, not ${show(value)}.`);
}

/** Bytes, with or without a unit. */
function byteSize(name: OptionName, value: string | undefined, max: number): number | undefined {
  if (value === undefined) return undefined;
  const [, digits, unit] = /^(\d+)(KiB|MiB|GiB|)$/.exec(value) ?? [];
  const bytes = Number(digits) * (UNITS[unit] ?? NaN);
  if (bytes >= 1 && bytes <= max) return bytes;
  throw new UsageError(`--${name} must be a size from 1 to ${max} bytes, such as 500KiB or 20MiB, not ${show(value)}.`);
}

function patchOf(value: string | undefined): Patch | undefined {
  if (value === undefined) return undefined;
  const [, column, row] = /^(\d{1,6}),(\d{1,6})$/.exec(value) ?? [];
  if (row !== undefined) return [Number(column), Number(row)];
  throw new UsageError(`--patch must be a column and a row, such as 3,5, not ${show(value)}.`);
}
