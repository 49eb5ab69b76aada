import { IJepaError } from "../../core/errors.js";
import { show } from "../../core/show.js";
import { readJson } from "../folder.js";
import type { ModelFolder, OpenOptions } from "../model-folder.js";
import { openSafetensors } from "./reader.js";
import type { SafetensorsFile } from "./reader.js";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/**
 * Opens the weights of a model folder: model.safetensors, else the shards that model.safetensors.index.json names.
 * @throws IJepaError `weights/missing` for an absent file, or a tensor that is not in the shard that the index names;
 * `weights/format`, `io/read`, `aborted`. Nothing stays open on failure.
 */
export async function openWeights(folder: ModelFolder, options: OpenOptions): Promise<SafetensorsFile[]> {
  const single = await openOne(folder, SINGLE, options);
  if (single !== undefined) return [single];
  const index = await readIndex(folder, options);
  const files: SafetensorsFile[] = [];
  try {
    for (const [shard, names] of index) {
      const file = await openOne(folder, shard, { ...options, required: true });
      if (file === undefined) {
        throw new IJepaError("weights/missing", `${folder.pathOf(shard)} is missing, but ${INDEX} names it. Download it again.`, {
          what: "shard",
          names: [shard],
        });
      }
      files.push(file);
      checkShard(file, names);
    }
    return files;
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

async function openOne(folder: ModelFolder, name: string, options: OpenOptions): Promise<SafetensorsFile | undefined> {
  const source = await folder.open(name, options);
  if (source === undefined) return undefined;
  try {
    return await openSafetensors(source, options.signal);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Shards by file name, each with the tensors it must hold. */
async function readIndex(folder: ModelFolder, options: OpenOptions): Promise<Map<string, string[]>> {
  const file = folder.pathOf(INDEX);
  const refuse = (problem: string, cause?: unknown): IJepaError =>
    new IJepaError("weights/format", `${file} is not a valid index: ${problem}.`, { file }, { cause });
  const json = await readJson(folder, INDEX, { ...options, required: true }, refuse);
  if (json === undefined) {
    const message =
      `There is neither ${folder.pathOf(SINGLE)} nor ${INDEX} beside it. ` +
      "Weights are read from safetensors files only: download or save the model in that format.";
    throw new IJepaError("weights/missing", message, { what: "file", names: [SINGLE, INDEX] });
  }
  const index: { weight_map?: unknown } | null = json;
  const map = index?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) throw refuse("it has no weight_map");
  const shards = new Map<string, string[]>();
  for (const [tensor, shard] of Object.entries(map)) {
    if (!isPlainFileName(shard)) throw refuse(`weight_map names ${show(shard)}, which is no plain name of a .safetensors file`);
    const names = shards.get(shard);
    if (names === undefined) shards.set(shard, [tensor]);
    else names.push(tensor);
  }
  if (shards.size === 0) throw refuse("its weight_map is empty");
  return shards;
}

/** A name without any way out of the folder: no separators, no drive or scheme, no control characters. */
function isPlainFileName(name: unknown): name is string {
  return typeof name === "string" && /^[^/\\:\p{Cc}]+\.safetensors$/u.test(name);
}

function checkShard(file: SafetensorsFile, names: readonly string[]): void {
  const missing = names.filter((name) => !file.tensors.has(name));
  if (missing.length === 0) return;
  throw new IJepaError("weights/missing", `${file.name} lacks tensors that ${INDEX} names: ${missing.slice(0, 20).join(", ")}.`, {
    what: "tensor",
    names: missing,
  });
}
