/** From a path, URL or name on the Hub to an open checkpoint: a checked configuration, and tensors that can be read one by one. */
import { runtime } from "#runtime";
import { IJepaError, isIJepaError, throwIfAborted } from "../core/errors.js";
import type { CodebookName } from "../core/codebooks.js";
import type { Dtype, Group } from "../core/numerics.js";
import { IJepaConfig } from "../config/config.js";
import { whereToLookWhenBuilt } from "../runtime/build-tool.js";
import { readCodes, takeQuantized } from "./bitsandbytes.js";
import type { CheckpointTensor } from "./checkpoint-tensor.js";
import { checkFinite, checkTensor, checkTensors, missingTensors } from "./checks.js";
import { toFloat32 } from "./dtypes.js";
import { checkQuantization, refuseForeignTensors } from "./foreign-quantization.js";
import { checkLength, openFolder, openFolderOf, readFile, readJson, repairing } from "./folder.js";
import { formatOf, HEAD_BYTES, describeWrongFile } from "./wrong-file.js";
import type { ModelFolder, ModelRef, OpenOptions } from "./model-folder.js";
import { canonicalName, expectedTensors, isOptionalTensor } from "./tensor-names.js";
import { partOf, readPackedInfo, readPart, type PackedFiles } from "./safetensors/packed-files.js";
import { decode, type CodedMatrix } from "../quantize/bitsandbytes.js";
import { openWeights } from "./safetensors/shards.js";
import type { SafetensorsFile } from "./safetensors/reader.js";
import type { SourceOptions } from "./source-options.js";
import { readRange } from "./sources/bytes.js";
import { kindOf, pathOfFileUrl } from "./sources/file.js";
import { isTorchFile, isZip } from "./torch/recognize.js";
import type { ResearchOptions } from "./torch/research.js";

export interface Checkpoint {
  readonly ref: string;
  readonly config: IJepaConfig;
  /** The content of preprocessor_config.json, if there is one. */
  readonly preprocessorConfig: Record<string, unknown> | undefined;
  /** Every tensor of the files, by canonical name; of a matrix quantized by bitsandbytes only the codes. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** The four-bit format of its matrices; undefined for a checkpoint in floating point. */
  readonly quantized: CodebookName | undefined;
  /** `__metadata__` of the files; if two contradict each other, the first counts. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Packed files; undefined for a checkpoint in the layout of others. */
  readonly packed: PackedFiles | undefined;
  /** For a head with its encoder: the format that the head was made for. */
  readonly head?: { readonly dtype: Dtype; readonly groupSize: Group | undefined };
  /**
   * Reads one tensor as f32, a quantized one decoded; nothing is cached, so read it once.
   * @param name canonical name; pooler, classifier and mask token only if the files have them
   * @param into memory of the tensor's size that may be used for it
   * @throws IJepaError `weights/missing`, `weights/shape`, `weights/dtype`, `weights/value` (NaN or infinite), `io/read`, `aborted`
   */
  tensor(name: string, signal?: AbortSignal, into?: Float32Array): Promise<Float32Array>;
  /**
   * Reads a quantized matrix as it is; undefined where `name` is stored in floating point.
   * @throws IJepaError as `tensor`, and `weights/format` when the parts of the matrix contradict each other
   */
  codes(name: string, signal?: AbortSignal): Promise<CodedMatrix | undefined>;
  /** The tensors that make up `name` in the files: itself, and the companions of a quantized matrix; empty if there is none. */
  stored(name: string): readonly CheckpointTensor[];
  /**
   * The tensors that a model does not use, under the names that they have in the files.
   * @param names canonical names of what it uses
   */
  unused(names: readonly string[]): string[];
  /** The bytes of a stored tensor, as they are. */
  bytes(tensor: CheckpointTensor, signal?: AbortSignal): Promise<Uint8Array>;
  /** Another file of the folder, whole; undefined if there is none, and for a .pth.tar file. */
  file(name: string, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /**
   * Of a cache, after its tensors turned out to be wrong: fetches damaged files again.
   * @returns true if there were any; then the checkpoint has to be opened again
   * @throws IJepaError `hub/corrupt` if one cannot be fetched
   */
  repair?(signal?: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

export interface CheckpointOptions extends SourceOptions, ResearchOptions {
  /** Called with the stored bytes of every tensor that is read, by its canonical name; not for packed files. */
  onBytes?: ((name: string, bytes: Uint8Array) => void | Promise<void>) | undefined;
}

/** A checkpoint's parts, before its tensors are looked at. */
interface Opened {
  /** Path or URL, for messages. */
  where: string;
  /** Undefined for a single file: files beside it do not belong to the model. */
  folder: ModelFolder | undefined;
  config: IJepaConfig;
  preprocessorConfig: Record<string, unknown> | undefined;
  files: SafetensorsFile[];
}

/**
 * Opens an I-JEPA checkpoint and checks everything but the values: the configuration, the files, and that the encoder's tensors
 * are all there, in a readable dtype and of the shapes that the configuration asks for. Of packed files only the metadata is
 * checked; loading/packed-checkpoint.ts knows their tensors.
 * @param ref a folder in Hugging Face's layout, or a file of the research code (.pth.tar, .pt, .ckpt, .bin): a path, or a file: or
 *   http(s) URL; or the name of a model on the Hugging Face Hub; or files that the caller opens
 * @throws IJepaError `config/missing`, `config/field`, `weights/*`, `hub/*`, `io/*`, `input/value`, `aborted`
 */
export async function openCheckpoint(ref: ModelRef, options: CheckpointOptions = {}): Promise<Checkpoint> {
  const { where, folder, config, preprocessorConfig, files } = await openParts(ref, options);
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  const repair = async (signal?: AbortSignal): Promise<boolean> => {
    let repaired = false;
    for (const name of ["config.json", ...files.map((file) => file.name.split(/[/\\]/).at(-1)!)]) repaired = ((await folder?.repair?.(name, signal)) ?? false) || repaired;
    return repaired;
  };
  try {
    const { tensors, fileOf } = gather(files), matrices = takeQuantized(tensors);
    const shapes = expectedTensors(config, { maskToken: true, pooler: true, classifier: true });
    const packed = readPackedInfo(files);
    if (packed === undefined) {
      refuseForeignTensors(tensors, matrices, where);
      checkTensors(tensors, matrices, config, shapes, where);
    }
    const readTensor = async (info: CheckpointTensor, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array> => {
      const bytes = await fileOf(info).readTensor(info, signal, into);
      await options.onBytes?.(canonicalName(info.name), bytes);
      return bytes;
    };
    const codes = async (name: string, signal?: AbortSignal): Promise<CodedMatrix | undefined> => {
      const matrix = matrices.get(name), shape = shapes.get(name);
      if (matrix === undefined || shape === undefined) return undefined;
      return readCodes(name, matrix, shape, (tensor) => readTensor(tensor, signal));
    };
    return {
      ref: typeof ref === "string" ? ref : ref.name,
      config,
      preprocessorConfig,
      tensors,
      quantized: [...matrices.values()][0]?.codebook,
      metadata: Object.assign({}, ...files.map((file) => file.metadata).reverse()) as Record<string, string>,
      packed: packed && { ...packed, part: (part, signal, into) => readPart(files, part, signal, into) },
      file: async (name, signal) => folder && readFile(folder, name, { fetch: options.fetch, signal }),
      codes,
      stored(name) {
        const matrix = matrices.get(name), info = tensors.get(name);
        if (matrix !== undefined) return [matrix.weight, matrix.state, ...Object.values(matrix.companions)];
        return info === undefined ? [] : [info];
      },
      unused(names) {
        const used = new Set(names);
        // Packed files have tensors of their own beside those that models name.
        return [...tensors].flatMap(([name, info]) => (used.has(name) || (packed !== undefined && !isOptionalTensor(name)) ? [] : [info.name]));
      },
      bytes: (tensor, signal) => fileOf(tensor).readTensor(tensor, signal),
      repair,
      close,
      async tensor(name, signal, into) {
        const info = tensors.get(name);
        if (info === undefined) throw missingTensors(where, [name]);
        const matrix = await codes(name, signal);
        if (matrix !== undefined) return decode(matrix);
        checkTensor(name, info, shapes.get(name));
        const memory = into?.byteLength === info.end - info.begin ? new Uint8Array(into.buffer, into.byteOffset, into.byteLength) : undefined;
        const bytes = packed === undefined ? await readTensor(info, signal, memory) : (await readPart(files, partOf(name), signal)).get(name)!;
        const data = toFloat32(bytes, info.dtype, name);
        checkFinite(name, data);
        return data;
      },
    };
  } catch (error) {
    await close();
    if (isWrongWeights(error) && (await repair(options.signal))) return openCheckpoint(ref, options);
    throw error;
  }
}

/** What damaged files may look like. */
export function isWrongWeights(error: unknown): boolean {
  return isIJepaError(error) && error.code.startsWith("weights/");
}

async function openParts(ref: ModelRef, options: CheckpointOptions): Promise<Opened> {
  checkLength(ref);
  if (typeof ref !== "string" || /^https?:/i.test(ref)) return typeof ref === "string" && isTorchFile(ref) ? openTorch(ref, options) : openHuggingFace(ref, options);
  const path = /^file:/i.test(ref) ? pathOfFileUrl(ref) : ref, kind = path === "" || path.includes("\0") ? undefined : await kindOf(path);
  if (isTorchFile(ref) && kind !== "folder") return openTorch(ref, options);
  if (kind !== "file") return openHuggingFace(ref, options);
  const what = await describeFile(path, options.signal);
  if (what.isZip) return openTorch(ref, options);
  throw new IJepaError("config/missing", `${ref} is a file${what.words}. Pass the folder that holds config.json and model.safetensors.`, { file: ref });
}

/** Describes a file that was named instead of a model's folder. */
async function describeFile(path: string, signal: AbortSignal | undefined): Promise<{ isZip: boolean; words: string }> {
  const source = await runtime.openFile(path);
  try {
    const head = await readRange(source, 0, Math.min(HEAD_BYTES, source.size), signal), format = formatOf(head), impostor = describeWrongFile(head);
    return { isZip: isZip(head), words: impostor !== undefined ? `: ${impostor}` : format === undefined ? "" : ` (${format})` };
  } finally {
    await source.close();
  }
}

async function openHuggingFace(ref: ModelRef, options: CheckpointOptions): Promise<Opened> {
  const folder = await openFolder(ref, options);
  for (const name of ["checkpointKey", "config"] as const) {
    if (options[name] === undefined) continue;
    throw new IJepaError("input/value", `${name} is for .pth.tar files of the research code; ${folder.name} is a folder.`, { name, value: options[name] });
  }
  throwIfAborted(options.signal, `opening ${folder.name}`);
  const reading: OpenOptions = { signal: options.signal, fetch: options.fetch };
  const config = await readConfig(folder, reading);
  return { where: folder.name, folder, config, preprocessorConfig: await readPreprocessorConfig(folder, reading), files: await openWeights(folder, reading) };
}

async function openTorch(ref: string, options: CheckpointOptions): Promise<Opened> {
  const { folder, name } = openFolderOf(ref), where = folder.pathOf(name);
  throwIfAborted(options.signal, `opening ${where}`);
  const source = await folder.open(name, { signal: options.signal, fetch: options.fetch, required: true });
  if (source === undefined) throw new IJepaError("weights/missing", `There is no ${where}.`, { what: "file", names: [name] });
  try {
    const { openResearch } = await import("./torch/research.js");
    const { config, file } = await openResearch(source, options, options.signal);
    return { where, folder: undefined, config, preprocessorConfig: undefined, files: [file] };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * preprocessor_config.json of a model folder, URL or name.
 * @throws IJepaError `config/missing` where there is none, `config/field`, `hub/*`, `io/*`, `input/value`, `aborted`
 */
export async function readProcessorConfig(ref: ModelRef, options: SourceOptions = {}): Promise<Record<string, unknown>> {
  const folder = await openFolder(ref, options);
  const config = await readPreprocessorConfig(folder, { signal: options.signal, fetch: options.fetch, required: true });
  if (config !== undefined) return config;
  const file = folder.pathOf("preprocessor_config.json");
  throw new IJepaError("config/missing", `There is no ${file}. Make an IJepaImageProcessor with the settings of the model.`, { file });
}

async function readConfig(folder: ModelFolder, options: OpenOptions): Promise<IJepaConfig> {
  const file = folder.pathOf("config.json");
  return repairing(folder, "config.json", options.signal, async () => {
    const json = await readJson(folder, "config.json", { ...options, required: true }, unusable);
    if (json === undefined) throw new IJepaError("config/missing", `There is no ${file}. ${howToGet(folder)}`, { file });
    const config = IJepaConfig.fromJSON(json, file);
    checkQuantization(json as Record<string, unknown>, file);
    return config;
  });
}

/** The error for a configuration that cannot be read: `config/missing`, or `config/field` where a value in it is invalid. */
export function unusable(file: string, problem: string, cause?: unknown): IJepaError {
  // The file is JSON, but has an invalid value.
  if (cause instanceof RangeError) return new IJepaError("config/field", `${file} cannot be used: ${cause.message}.`, { field: "config", value: undefined }, { cause });
  return new IJepaError("config/missing", `${file} cannot be used: ${problem}.${whereToLookWhenBuilt()}`, { file }, { cause });
}

function howToGet(folder: ModelFolder): string {
  return folder.remote
    ? `Pass a folder, its URL, or the name of a model on the Hub, that has config.json and model.safetensors.${whereToLookWhenBuilt()}`
    : "Pass a folder that holds config.json and model.safetensors, or the name of a model on the Hugging Face Hub (owner/name).";
}

/**
 * preprocessor_config.json; undefined if there is none.
 * @throws IJepaError `config/missing`, `config/field`, `hub/*`, `io/*`, `aborted`
 */
export async function readPreprocessorConfig(folder: ModelFolder, options: OpenOptions): Promise<Record<string, unknown> | undefined> {
  const file = folder.pathOf("preprocessor_config.json");
  return repairing(folder, "preprocessor_config.json", options.signal, async () => {
    const json = await readJson(folder, "preprocessor_config.json", options, unusable);
    if (json !== undefined && (typeof json !== "object" || json === null || Array.isArray(json))) {
      throw new IJepaError("config/field", `${file} must hold a JSON object.`, { field: "preprocessor_config", value: json });
    }
    return json as Record<string, unknown> | undefined;
  });
}

/** One map over all files, by canonical name. */
function gather(files: readonly SafetensorsFile[]): {
  tensors: Map<string, CheckpointTensor>;
  fileOf(tensor: CheckpointTensor): SafetensorsFile;
} {
  const tensors = new Map<string, CheckpointTensor>();
  const owners = new Map<string, SafetensorsFile>();
  for (const file of files) {
    owners.set(file.name, file);
    for (const info of file.tensors.values()) {
      const name = canonicalName(info.name);
      const other = tensors.get(name);
      if (other !== undefined) {
        const message = `Tensor ${name} appears twice: as ${other.name} in ${other.file} and as ${info.name} in ${file.name}. Remove one.`;
        throw new IJepaError("weights/format", message, { file: file.name, offset: info.begin });
      }
      tensors.set(name, { ...info, file: file.name });
    }
  }
  return { tensors, fileOf: (tensor) => owners.get(tensor.file) as SafetensorsFile };
}
