/** Models whose files are damaged: in memory, small, of every kind that is read. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { partsOf } from "../../ts-api/src/loading/pack-checkpoint.js";
import { openCheckpoint, type CheckpointOptions } from "../../ts-api/src/weights/checkpoint.js";
import type { ModelRef, ModelSource } from "../../ts-api/src/weights/model-folder.js";
import { bytesSource } from "../../ts-api/src/weights/sources/bytes.js";
import { convertModel } from "../../weights-tools/index.js";
import { BITSANDBYTES, MODELS } from "../support/models.js";
import { everyPart } from "../unit/weights-tools/helpers.js";

export type Files = Readonly<Record<string, Uint8Array>>;

export interface Base {
  readonly name: string;
  readonly files: Files;
  /** Of packed files: the digest of their parts, which no damage may change without an error. */
  readonly digest?: string;
}

export interface Bases {
  readonly plain: Base[];
  readonly bitsandbytes: Base[];
  readonly packed: Base[];
}

export function sourceOf(files: Files): ModelSource {
  return { name: "fuzz", open: async (file) => (Object.hasOwn(files, file) ? bytesSource(`fuzz/${file}`, files[file]) : undefined) };
}

export async function openBases(): Promise<Bases> {
  const folders = (root: string, names: string[]) => Promise.all(names.map(async (name) => ({ name, files: await readFolder(join(root, name)) })));
  const plain = await folders(MODELS, ["act-relu", "odd", "like-vith14"]);
  const packed: Base[] = [];
  for (const dtype of ["int4", "bf16", "nf4", "fp32"] as const) {
    for (const shardSize of [undefined, 100_000]) packed.push(await pack(plain[0], dtype, shardSize));
  }
  return { plain, packed, bitsandbytes: await folders(BITSANDBYTES, ["like-vith14-nf4-dq", "like-vith14-fp4"]) };
}

async function pack({ name, files }: Base, dtype: "int4" | "bf16" | "nf4" | "fp32", shardSize: number | undefined): Promise<Base> {
  const parent = await mkdtemp(join(tmpdir(), "ijepa-fuzz-"));
  try {
    await convertModel(sourceOf(files), join(parent, "packed"), { dtype, shardSize });
    const packed = await readFolder(join(parent, "packed"));
    return { name: `${name} as ${dtype}`, files: packed, digest: await digestOf(sourceOf(packed)) };
  } finally {
    await rm(parent, { recursive: true });
  }
}

async function readFolder(folder: string): Promise<Files> {
  const names = (await readdir(folder)).filter((name) => /\.(json|safetensors)$/.test(name) && !/^(golden|out)/.test(name));
  const read = async (name: string): Promise<[string, Uint8Array]> => [name, new Uint8Array(await readFile(join(folder, name)))];
  return Object.fromEntries(await Promise.all(names.map(read)));
}

/** Opens a model, reads every part of it that a model would compute with, and hashes them. */
export async function digestOf(ref: ModelRef, options: CheckpointOptions = {}): Promise<string> {
  const checkpoint = await openCheckpoint(ref, options);
  try {
    const { config, packed, quantized, tensors } = checkpoint, hash = createHash("sha256");
    const parts = partsOf(checkpoint, { dtype: packed?.dtype ?? quantized ?? "fp32" });
    hashAll(hash, await everyPart(parts));
    for (const name of ["embeddings.mask_token", "pooler.dense.weight", "classifier.weight"]) if (tensors.has(name)) await checkpoint.tensor(name);
    return hash.update(JSON.stringify([config.hiddenAct, config.numAttentionHeads, config.layerNormEps, config.imageSize, config.patchSize])).digest("hex");
  } finally {
    await checkpoint.close();
  }
}

/** Bytes of typed arrays wherever they lie in `value`, and the text of the rest. */
function hashAll(hash: ReturnType<typeof createHash>, value: unknown): void {
  if (ArrayBuffer.isView(value)) hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  else if (typeof value === "object" && value !== null) for (const [key, item] of Object.entries(value)) hashAll(hash.update(key), item);
  else hash.update(String(value));
}
