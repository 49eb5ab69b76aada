/** From options of transformers.js to those of this library. */
import { isRecord, wrongType } from "../core/options.js";
import { IJepaError, isIJepaError } from "../core/errors.js";
import { DTYPES, type Dtype, type ModelLoadOptions, type ProgressInfo } from "../index.js";
import { refused } from "./refused.js";

/** What `progress_callback` is told. */
export interface ProgressEvent {
  /** What happened; "ready" comes last. */
  status: "initiate" | "download" | "progress" | "progress_total" | "done" | "ready";
  /** Folder, URL or name of the model. */
  name?: string;
  /** A file of the Hub; "model" for the parts of the model that become ready. */
  file?: string;
  /** Bytes of the file, or parts of the model, so far. */
  loaded?: number;
  /** Bytes of the file, or parts of the model, in all. */
  total?: number;
  /** 0 to 100. */
  progress?: number;
  /** With "progress_total", which comes after each "progress": every file so far. Its `loaded`, `total` and `progress` are of all of them. */
  files?: Record<string, { loaded: number; total: number }>;
  /** With "ready", of a pipeline. */
  task?: string;
  /** With "ready", of a pipeline: its model. */
  model?: string;
}

/** Options of `pipeline` and `from_pretrained`. Those of this library, such as `threads`, are taken too. */
export interface PretrainedOptions {
  /** Of transformers.js: fp32, fp16, q4, q4f16, q8, int8, bnb4, auto; of this library: bf16, int4, nf4, fp4. Default: bf16, or what the model is stored in. */
  dtype?: string | Record<string, string> | null;
  /** Of version 2 of transformers.js: true is the dtype int8, false is fp32. */
  quantized?: boolean | null;
  /** Where to compute: "cpu" is "wasm", "gpu" is "webgpu". Default "auto". */
  device?: "auto" | "cpu" | "wasm" | "gpu" | "webgpu" | (string & {}) | Record<string, string> | null;
  /** Called with the progress of downloads and loading. */
  progress_callback?: ((event: ProgressEvent) => void) | null;
  /** A branch, tag or commit of a model of the Hub. Default "main". */
  revision?: string;
  /** The folder of the Hub's cache. Default: `env.cacheDir`, else that of Python. */
  cache_dir?: string | null;
  /** Use only the cache. Default false. */
  local_files_only?: boolean;
  [other: string]: unknown;
}

/** How much transformers.js tells on the console. This library tells nothing there. */
export const LogLevel = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, NONE: 50 } as const;

/** Where the files of a model lie, below the address of the Hub. */
const OF_THE_HUB = "{model}/resolve/{revision}/";

/** Settings for all models; other settings of transformers.js are accepted and have no effect. */
export const env = {
  /** Tells that this is not transformers.js. */
  version: "ijepa",
  /** False: use only the cache, as with `local_files_only`. */
  allowRemoteModels: true,
  /** False: `localModelPath` is ignored. */
  allowLocalModels: true,
  /** The folder of the Hub's cache. */
  cacheDir: undefined as string | null | undefined,
  /** If set, models are looked for here first: a folder, or its URL. Others come from the Hub. */
  localModelPath: undefined as string | undefined,
  /** Another Hub than huggingface.co is named by the environment variable HF_ENDPOINT; here it is refused. */
  remoteHost: undefined as string | undefined,
  /** If set, makes every request for models, as the option `fetch`. */
  fetch: undefined as typeof globalThis.fetch | undefined,
  /** Below the Hub's address; another one than its own is refused. */
  remotePathTemplate: OF_THE_HUB,
  /** No effect, as what follows: models of the Hub are cached as `docs/hub.md` says. */
  useBrowserCache: true,
  /** No effect. */
  useFSCache: true,
  /** No effect. */
  useFS: true,
  /** No effect. */
  useWasmCache: true,
  /** No effect. */
  logLevel: LogLevel.WARNING as number,
  /** No effect. */
  useCustomCache: false,
  /** Of these, `onnx.wasm.numThreads` counts: the number of threads, 0 for one per processor. */
  backends: { onnx: { wasm: {} as { numThreads?: number; [other: string]: unknown }, webgpu: {} as Record<string, unknown>, logLevel: undefined as string | undefined } },
};

type Files = NonNullable<ProgressEvent["files"]>;

/** The formats of transformers.js, with those of this library that replace them. */
const FORMATS: Record<string, string | undefined> = { auto: undefined, fp16: "bf16", q4: "int4", q4f16: "int4", bnb4: "nf4", q8: "int8", int8: "int8", quantized: "int8" };
const DEVICES: Record<string, ModelLoadOptions["device"]> = { auto: "auto", cpu: "wasm", wasm: "wasm", gpu: "webgpu", webgpu: "webgpu" };
/** Options of transformers.js for ONNX files, which are not read here. */
const ONNX_ONLY = ["model_file_name", "use_external_data_format", "session_options"];
const TAKEN = ["dtype", "quantized", "device", "progress_callback", "revision", "cache_dir", "local_files_only", "token", "config", "subfolder"];
const OWN = ["threads", "groupSize", "resident", "signal", "fetch", "useMaskToken", "addPoolingLayer", "gpuDevice", "powerPreference", "revectorize", "determinism"];

/** @throws IJepaError `input/value` for unsupported options, with the reason */
export function loadOptions(chosen?: PretrainedOptions | null): ModelLoadOptions {
  const options = optionsOf(chosen, "a model");
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (ONNX_ONLY.includes(name)) throw refused(name, value, `${name} applies to ONNX files; ijepa reads config.json and model.safetensors. Leave it out.`);
    if (name === "config") throw refused(name, "an object", "The option config cannot replace the model's config.json. Leave it out.");
    if (name === "subfolder" && value !== "onnx") throw refused(name, value, "The files of a model must lie directly in its folder: pass that folder, and leave subfolder out.");
    if (!TAKEN.includes(name) && !OWN.includes(name)) throw refused(name, value, `There is no option ${JSON.stringify(name)}; the options are ${[...TAKEN, ...OWN].join(", ")}.`);
  }
  const { dtype, quantized, device, progress_callback: report, cache_dir: cacheDir = env.cacheDir, local_files_only: localOnly = !env.allowRemoteModels, config: _config, subfolder: _subfolder, ...rest } = options;
  const threads = env.backends.onnx.wasm.numThreads, files: Files = {};
  const given = {
    ...(env.fetch ? { fetch: env.fetch } : {}),
    ...(threads === undefined ? {} : { threads: threads === 0 ? "auto" : threads }),
    ...Object.fromEntries(Object.entries(rest).filter(([name, value]) => value !== null && !ONNX_ONLY.includes(name))),
    dtype: dtypeOf(dtype ?? (quantized === true ? "int8" : quantized === false ? "fp32" : undefined)),
    device: deviceOf(device),
    cache_dir: cacheDir ?? undefined,
    local_files_only: localOnly || undefined,
    progress_callback: report ? (info: ProgressInfo) => eventsOf(info, files).forEach(report) : undefined,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/**
 * Loads a model by its name: from below `env.localModelPath`, if that is set and allowed; otherwise as `fromPretrained` does, which
 * includes the Hub.
 *
 * @throws IJepaError `input/value` for an unsupported setting of `env`; what `load` throws
 */
export async function loadModel<T>(model: string | null | undefined, load: (ref: string | undefined) => Promise<T>): Promise<T> {
  const { remoteHost, allowRemoteModels } = env;
  if (remoteHost !== undefined && !/^https:\/\/huggingface\.co\/?$/.test(remoteHost)) {
    throw refused("env.remoteHost", remoteHost, "To use another Hub, set the environment variable HF_ENDPOINT, or pass the URL of a model's folder. Leave env.remoteHost out.");
  }
  if (env.remotePathTemplate !== OF_THE_HUB) {
    throw refused("env.remotePathTemplate", env.remotePathTemplate, `Models of the Hub lie at ${OF_THE_HUB}. Pass the URL of a model's folder in place of its name, and leave env.remotePathTemplate out.`);
  }
  const local = typeof model === "string" ? localPath(model) : undefined;
  try {
    if (local === undefined) return await load(model ?? undefined);
    return await load(local).catch((error) => {
      if (!allowRemoteModels || !isIJepaError(error, "config/missing")) throw error;
      return load(model!);
    });
  } catch (error) {
    if (!isIJepaError(error, "weights/missing") || error.details.what !== "file") throw error;
    const message = `${error.message} ONNX files are not read here: name the model that they were made from, such as facebook/ijepa_vith14_1k.`;
    throw new IJepaError(error.code, message, error.details, { cause: error });
  }
}

/** The path below `env.localModelPath`, with "./" before it if it could be read as the name of a model of the Hub. */
function localPath(model: string): string | undefined {
  const { localModelPath: folder, allowLocalModels } = env;
  if (folder === undefined || !allowLocalModels || isPath(model)) return undefined;
  const path = `${folder.replace(/\/+$/, "")}/${model}`;
  return isPath(path) ? path : `./${path}`;
}

/** A URL, or a path that begins with "/", "./" or similar. */
function isPath(ref: string): boolean {
  return /^[a-z][a-z0-9+.-]*:|^[./\\]/i.test(ref);
}

/** Of one name for each file of a model, that of the model. */
function nameOf(given: string | Record<string, string> | null | undefined): string | null | undefined {
  return typeof given === "object" && given !== null ? (given["model"] ?? Object.values(given)[0]) : given;
}

function dtypeOf(dtype: PretrainedOptions["dtype"]): Dtype | undefined {
  const name = nameOf(dtype);
  if (name === undefined || name === null) return undefined;
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : name;
  if (format === undefined || (DTYPES as readonly string[]).includes(format)) return format as Dtype | undefined;
  const names = Object.keys(FORMATS).filter((known) => (DTYPES as readonly string[]).includes(FORMATS[known] ?? DTYPES[0]));
  throw refused("dtype", name, `dtype ${JSON.stringify(name)} is not supported; the names are ${[...new Set([...names, ...DTYPES])].join(", ")}. "q4" is int4, "fp16" is bf16.`);
}

function deviceOf(given: PretrainedOptions["device"]): ModelLoadOptions["device"] {
  const device = nameOf(given);
  if (device === undefined || device === null) return undefined;
  if (Object.hasOwn(DEVICES, device)) return DEVICES[device];
  throw refused("device", device, `device ${JSON.stringify(device)} is not supported; the names are ${Object.keys(DEVICES).join(", ")}.`);
}

/** The progress of the model itself is reported like that of a file. */
function eventsOf({ status, name, file = "model", loaded, total, progress }: ProgressInfo, files: Files): ProgressEvent[] {
  if (status === "ready") return [{ status: "done", name, file }, { status, name }];
  if (file === "model" && status === "initiate") return [{ status, name, file }];
  const event = { status, name, file, loaded, total, progress };
  if (status !== "progress") return [event];
  files[file] = { loaded, total };
  const sumOf = (size: "loaded" | "total") => Object.values(files).reduce((sum, one) => sum + one[size], 0), all = { loaded: sumOf("loaded"), total: sumOf("total") };
  return [event, { status: "progress_total", name, ...all, progress: all.total > 0 ? (all.loaded / all.total) * 100 : 0, files: { ...files } }];
}

/** Options that were given: none for null. Throws TypeError for anything but an object. */
export function optionsOf<T extends object>(given: T | null | undefined, owner: string): T {
  if (!isRecord(given ?? {})) throw wrongType(`The options of ${owner}`, "an object", given);
  return given ?? ({} as T);
}
