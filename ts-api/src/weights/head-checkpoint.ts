/**
 * From a checkpoint with only a classification head, whose config.json names its encoder (`ijepa_encoder`), to one checkpoint of both.
 */
import { runtime } from "#runtime";
import { IJepaConfig } from "../config/config.js";
import { IJepaError, isIJepaError } from "../core/errors.js";
import { DTYPES, GROUPS, type Dtype, type Group } from "../core/numerics.js";
import { openCheckpoint, readPreprocessorConfig, unusable, type Checkpoint, type CheckpointOptions } from "./checkpoint.js";
import { checkFinite, checkTensor } from "./checks.js";
import { toFloat32 } from "./dtypes.js";
import { openFolder, readJson } from "./folder.js";
import type { ModelRef } from "./model-folder.js";
import { openWeights } from "./safetensors/shards.js";
import type { SafetensorsFile } from "./safetensors/reader.js";

/** The field of config.json. */
export const ENCODER_FIELD = "ijepa_encoder";
const HEAD_TENSORS = ["classifier.weight", "classifier.bias"] as const;

/** What decides the shapes of an encoder's tensors. */
const STRUCTURE = ["hiddenSize", "numHiddenLayers", "intermediateSize", "numPatches", "patchInputs", "qkvBias"] as const;

/** The encoder of a head, and everything that decides the bits of the head's input. */
export interface EncoderReference {
  /** A path, URL or name of the Hub; null for the model of the package. */
  readonly name: string | null;
  readonly revision: string | null;
  /** SHA-256 of the encoder's output for a fixed input (docs/collections.md). */
  readonly digest: string;
  readonly dtype: Dtype;
  readonly groupSize?: Group;
  readonly numerics: string;
  readonly layers: "last" | "last4";
}

export interface HeadOptions extends CheckpointOptions {
  /** Address of the encoder of a head. Default: the one in the head's configuration. */
  encoder?: ModelRef | undefined;
}

/** The reference in a configuration; undefined if it has none. Throws `config/field` for an invalid one. */
export function encoderReference(config: IJepaConfig): EncoderReference | undefined {
  const value = config.toJSON()[ENCODER_FIELD];
  if (value === undefined) return undefined;
  const { name, digest, dtype, numerics, layers, groupSize } = (value ?? {}) as Partial<EncoderReference>;
  const fits = (typeof name === "string" || name === null) && /^[0-9a-f]{64}$/.test(digest ?? "") && DTYPES.includes(dtype!) && typeof numerics === "string";
  if (fits && (layers === "last" || layers === "last4") && (groupSize === undefined || GROUPS.includes(groupSize))) return value as EncoderReference;
  throw new IJepaError("config/field", `${ENCODER_FIELD} in config.json must have the name, digest, dtype, numerics and layers of an encoder.`, { field: ENCODER_FIELD, value });
}

/** As `openCheckpoint`, but a head is opened with its encoder. */
export async function openModelCheckpoint(ref: ModelRef, options: HeadOptions = {}): Promise<Checkpoint> {
  try {
    return await openCheckpoint(ref, options);
  } catch (error) {
    // Only a head lacks tensors, and has a reference to others.
    const head = isIJepaError(error, "weights/missing") ? await openHead(ref, options) : undefined;
    if (head === undefined) throw error;
    return head;
  }
}

async function openHead(ref: ModelRef, options: HeadOptions): Promise<Checkpoint | undefined> {
  const folder = await openFolder(ref, options), reading = { signal: options.signal, fetch: options.fetch };
  const json = await readJson(folder, "config.json", reading, unusable);
  if (typeof json !== "object" || json === null || !(ENCODER_FIELD in json)) return undefined;
  const config = IJepaConfig.fromJSON(json, folder.pathOf("config.json")), reference = encoderReference(config)!;
  const files = await openWeights(folder, reading);
  let encoder: Checkpoint | undefined;
  try {
    const preprocessor = await readPreprocessorConfig(folder, reading);
    encoder = await openCheckpoint(options.encoder ?? reference.name ?? runtime.defaultModel, { ...options, revision: reference.revision ?? undefined });
    return join(folder.name, config, preprocessor, files, encoder, reference);
  } catch (error) {
    await Promise.all([...files, ...(encoder === undefined ? [] : [encoder])].map((one) => one.close()));
    throw error;
  }
}

function join(
  ref: string, config: IJepaConfig, preprocessor: Record<string, unknown> | undefined, files: readonly SafetensorsFile[], encoder: Checkpoint,
  { layers, dtype, groupSize }: EncoderReference,
): Checkpoint {
  const wrong = STRUCTURE.filter((name) => encoder.config[name] !== config[name]).map((name) => `${name} ${encoder.config[name]}, not ${config[name]}`);
  if (wrong.length > 0) {
    throw new IJepaError("collection/encoding", `The head was trained on features of another encoder than ${encoder.ref}: ${wrong.join("; ")}. Load it with its own encoder.`, { path: encoder.ref, differences: wrong });
  }
  const stored = new Map(files.flatMap((file) => [...file.tensors.values()].map((info) => [info.name, { info: { ...info, file: file.name }, file }] as const)));
  const inputs = config.hiddenSize * (layers === "last4" ? 4 : 1);
  const shapes: Record<string, readonly number[]> = { "classifier.weight": [config.numLabels, inputs], "classifier.bias": [config.numLabels] };
  const headTensor = (name: string) => {
    const found = stored.get(name);
    if (found === undefined) throw new IJepaError("weights/missing", `${ref} lacks ${name}.`, { what: "tensor", names: [name] });
    checkTensor(name, found.info, shapes[name]);
    return found;
  };
  const own = HEAD_TENSORS.map((name) => headTensor(name).info);
  const isOwn = (name: string) => (HEAD_TENSORS as readonly string[]).includes(name);
  return {
    ...encoder,
    ref,
    config,
    preprocessorConfig: preprocessor ?? encoder.preprocessorConfig,
    head: { dtype, groupSize },
    tensors: new Map([...encoder.tensors, ...own.map((info) => [info.name, info] as const)]),
    stored: (name) => (isOwn(name) ? own.filter((info) => info.name === name) : encoder.stored(name)),
    bytes: (tensor, signal) => (isOwn(tensor.name) ? headTensor(tensor.name).file.readTensor(headTensor(tensor.name).info, signal) : encoder.bytes(tensor, signal)),
    async tensor(name, signal, into) {
      if (!isOwn(name)) return encoder.tensor(name, signal, into);
      const { file, info } = headTensor(name), data = toFloat32(await file.readTensor(info, signal), info.dtype, name);
      checkFinite(name, data);
      return data;
    },
    async close() {
      await Promise.all([encoder.close(), ...files.map((file) => file.close())]);
    },
  };
}
