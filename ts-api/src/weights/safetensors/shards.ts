/** From a model folder to its open safetensors files, one or several. */
import { IJepaError, isIJepaError } from "../../core/errors.js";
import { show } from "../../core/show.js";
import { readJson, repairing } from "../folder.js";
import type { ModelFolder, OpenOptions } from "../model-folder.js";
import { openSafetensors, type SafetensorsFile } from "./reader.js";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** What Hugging Face's libraries call weights of other formats, and those of a part of a model. */
const OTHERS = ["pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack", "model.onnx", "adapter_model.safetensors"];

/**
 * Opens the weights of a model folder: model.safetensors, else the shards that model.safetensors.index.json names. The shards themselves,
 * not the index, tell which tensor is in which shard, as in transformers.
 * @throws IJepaError `weights/missing` for an absent file, `weights/format`, `io/read`, `aborted`. Nothing stays open on failure.
 */
export async function openWeights(folder: ModelFolder, options: OpenOptions): Promise<SafetensorsFile[]> {
  const single = await openOne(folder, SINGLE, options);
  if (single !== undefined) return [single];
  const files: SafetensorsFile[] = [];
  try {
    for (const shard of await readIndex(folder, options)) {
      const file = await openOne(folder, shard, { ...options, required: true });
      if (file === undefined) {
        throw new IJepaError("weights/missing", `${folder.pathOf(shard)} is missing, but ${INDEX} names it. Download it again.`, {
          what: "shard",
          names: [shard],
        });
      }
      files.push(file);
    }
    return files;
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

async function openOne(folder: ModelFolder, name: string, options: OpenOptions): Promise<SafetensorsFile | undefined> {
  return repairing(folder, name, options.signal, () => openOnce(folder, name, options));
}

async function openOnce(folder: ModelFolder, name: string, options: OpenOptions): Promise<SafetensorsFile | undefined> {
  const source = await folder.open(name, options);
  if (source === undefined) return undefined;
  try {
    return await openSafetensors(source, options.signal);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Names the weights that a local folder has in another format, in a sentence with a space before it; empty if there are none. */
async function otherWeights(folder: ModelFolder): Promise<string> {
  for (const name of folder.remote ? [] : OTHERS) {
    const source = await folder.open(name);
    await source?.close();
    if (source !== undefined) return ` It has ${name}.`;
  }
  return "";
}

/** The shards, by file name. */
async function readIndex(folder: ModelFolder, options: OpenOptions): Promise<Set<string>> {
  const refuse = (file: string, problem: string, cause?: unknown): IJepaError =>
    new IJepaError("weights/format", `${file} is not a valid index: ${problem}.`, { file }, { cause });
  const json = await readJson(folder, INDEX, { ...options, required: true }, refuse).catch((error: unknown) => {
    if (!isIJepaError(error, "io/read") && !isIJepaError(error, "hub/access")) throw error;
    throw new IJepaError(error.code, `${error.message} ${SINGLE} is not there either.`, error.details, { cause: error });
  });
  if (json === undefined) {
    const message =
      `There is neither ${folder.pathOf(SINGLE)} nor ${INDEX} beside it.${await otherWeights(folder)} ` +
      "Weights are read from safetensors files only: download or save the model in that format.";
    throw new IJepaError("weights/missing", message, { what: "file", names: [SINGLE, INDEX] });
  }
  const file = folder.pathOf(INDEX), index: { weight_map?: unknown } | null = json, map = index?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) throw refuse(file, "it has no weight_map");
  const shards = new Set<string>();
  for (const shard of Object.values(map)) {
    if (!isPlainFileName(shard)) throw refuse(file, `weight_map names ${show(shard)}, which is not a plain name of a .safetensors file`);
    shards.add(shard);
  }
  if (shards.size === 0) throw refuse(file, "its weight_map is empty");
  return shards;
}

/** A name without any way out of the folder: no separators, no drive or scheme, no control characters. */
function isPlainFileName(name: unknown): name is string {
  return typeof name === "string" && /^[^/\\:\p{Cc}]+\.safetensors$/u.test(name);
}
