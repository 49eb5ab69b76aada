/** Writes a checkpoint in Hugging Face's layout, with the tensors as they are stored, one at a time. */
import { runtime } from "#runtime";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import type { Checkpoint } from "./checkpoint.js";
import { ENCODER_FIELD } from "./head-checkpoint.js";
import type { CheckpointTensor } from "./checkpoint-tensor.js";
import { folderAt } from "./folder.js";
import { canonicalName } from "./tensor-names.js";
import { layoutSafetensors } from "./safetensors/writer.js";

/** Options of `savePretrained`. */
export interface SaveOptions {
  /** Largest weights file: bytes, or as in Hugging Face "200MB", "5GB", "1GiB". Larger models are cut into shards. Default "5GB". */
  max_shard_size?: number | string | undefined;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
}

/** @throws IJepaError `input/value`; TypeError */
export function checkSaveOptions(options: SaveOptions | undefined): SaveOptions {
  return readOptions(options, NAMES, "savePretrained");
}

/** What a model class saves. */
export interface SaveLayout {
  /** The class, for config.json. */
  architecture: string;
  /** Canonical names, in order. */
  names: readonly string[];
  /** A canonical name as the model class writes it. */
  nameOf(name: string): string;
}

const NAMES: OptionNames<SaveOptions> = { max_shard_size: true, signal: "AbortSignal" };
const SINGLE = "model.safetensors";
const UNITS: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 };
const CONFIG_DTYPES: Readonly<Record<string, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16", F64: "float64" };

/**
 * Writes config.json, preprocessor_config.json if the checkpoint has one, and model.safetensors, or shards and their index. Each file is
 * written atomically.
 * @param folder a local path; created if it does not exist
 * @throws IJepaError `io/write`, `weights/missing`, `io/read`, `input/value`, `aborted`
 */
export async function saveCheckpoint(checkpoint: Checkpoint, folder: string, layout: SaveLayout, { signal, max_shard_size: size = "5GB" }: SaveOptions): Promise<void> {
  const limit = bytesOf(size), target = folderAt(folder);
  if (target.remote) throw new IJepaError("input/value", `A model is saved to a folder, not to ${target.name}.`, { name: "folder", value: folder });
  const tensors = layout.names.flatMap((name) => {
    const stored = checkpoint.stored(name);
    if (stored.length > 0) return stored;
    throw new IJepaError("weights/missing", `${checkpoint.ref} has no tensor ${name}.`, { what: "tensor", names: [name] });
  });
  const nameOf = (tensor: CheckpointTensor) => layout.nameOf(canonicalName(tensor.name));
  const shards = cut(tensors, limit), fileOf = (index: number) => (shards.length === 1 ? SINGLE : shardName(index, shards.length));
  if (shards.length > 1) await refuseSingle(target.pathOf(SINGLE), () => target.open(SINGLE));
  const write = (name: string, content: Uint8Array | AsyncIterable<Uint8Array>) => runtime.writeFile(target.pathOf(name), content, { makeFolder: true });
  for (const [index, shard] of shards.entries()) await write(fileOf(index), fileChunks(checkpoint, shard, nameOf, signal));
  if (shards.length > 1) {
    const map = shards.flatMap((shard, index) => shard.map((tensor) => [nameOf(tensor), fileOf(index)] as const));
    const total = tensors.reduce((sum, tensor) => sum + sizeOf(tensor), 0);
    await write(`${SINGLE}.index.json`, json({ metadata: { total_size: total }, weight_map: Object.fromEntries(map) }));
  }
  const { config, preprocessorConfig } = checkpoint, dtype = CONFIG_DTYPES[tensors[0].dtype];
  // The saved files include the encoder.
  const { [ENCODER_FIELD]: _, ...own } = config.toJSON(), fields = { ...own, architectures: [layout.architecture] };
  const named = "dtype" in fields || "torch_dtype" in fields || dtype === undefined ? {} : { dtype };
  await write("config.json", json({ ...fields, ...named }));
  if (preprocessorConfig !== undefined) await write("preprocessor_config.json", json(preprocessorConfig));
}

async function* fileChunks(
  checkpoint: Checkpoint, shard: readonly CheckpointTensor[], nameOf: (tensor: CheckpointTensor) => string, signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const byName = new Map(shard.map((tensor) => [nameOf(tensor), tensor]));
  // transformers refuses files that do not say "pt".
  const { header, names } = layoutSafetensors(byName, { format: "pt" });
  yield header;
  for (const name of names) {
    throwIfAborted(signal, `saving ${name}`);
    yield checkpoint.bytes(byName.get(name)!, signal);
  }
}

/** In order, each shard as full as possible; a tensor larger than a shard gets its own. */
function cut(tensors: readonly CheckpointTensor[], limit: number): CheckpointTensor[][] {
  const shards: CheckpointTensor[][] = [];
  let room = 0;
  for (const tensor of tensors) {
    if (shards.length === 0 || sizeOf(tensor) > room) {
      shards.push([]);
      room = limit;
    }
    shards.at(-1)!.push(tensor);
    room -= sizeOf(tensor);
  }
  return shards;
}

/** Readers prefer model.safetensors to an index: an existing one would hide the shards. */
async function refuseSingle(path: string, open: () => Promise<{ close(): Promise<void> } | undefined>): Promise<void> {
  const file = await open();
  if (file === undefined) return;
  await file.close();
  throw new IJepaError("io/write", `${path} already exists, and readers would load it instead of the shards. Save to another folder.`, { path });
}

function shardName(index: number, count: number): string {
  const padded = (value: number) => String(value).padStart(5, "0");
  return `model-${padded(index + 1)}-of-${padded(count)}.safetensors`;
}

function bytesOf(size: number | string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([KMGT]i?B)$/i.exec(String(size)) ?? [];
  const bytes = typeof size === "number" ? size : Number(digits) * UNITS[unit?.toUpperCase()];
  if (bytes >= 1) return bytes;
  throw new IJepaError("input/value", `max_shard_size must be bytes, or a text such as "5GB", not ${show(size)}.`, { name: "max_shard_size", value: size });
}

function sizeOf({ begin, end }: CheckpointTensor): number {
  return end - begin;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
