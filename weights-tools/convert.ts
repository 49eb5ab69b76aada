/** A checkpoint in, packed files out. */
import { runtime } from "#runtime";
import type { CpuOptions } from "../ts-api/src/backends/open.js";
import { bytesView } from "../ts-api/src/backends/backend.js";
import { IJepaError, throwIfAborted } from "../ts-api/src/core/errors.js";
import { readOptions, wrongType, type OptionNames } from "../ts-api/src/core/options.js";
import { isInteger, type Dtype, type Group } from "../ts-api/src/core/numerics.js";
import type { IJepaConfig } from "../ts-api/src/config/config.js";
import { partsOf } from "../ts-api/src/loading/pack-checkpoint.js";
import { buffersOfEmbedding, buffersOfLayer, buffersOfNorm, type PackedParts } from "../ts-api/src/packing/encoder-weights.js";
import type { FolderWriter } from "../ts-api/src/runtime/env.js";
import { openCheckpoint, type Checkpoint } from "../ts-api/src/weights/checkpoint.js";
import type { ModelRef } from "../ts-api/src/weights/model-folder.js";
import { expectedTensors, isOptionalTensor } from "../ts-api/src/weights/tensor-names.js";
import type { PackedBuffer } from "../ts-api/src/packing/pack.js";
import { isOwnMetadata, listDigest, packedMetadata, partOf, sha256, type CalibrationInfo, type TensorDigest } from "../ts-api/src/weights/safetensors/packed-files.js";
import { SOURCE_OPTIONS, type SourceOptions } from "../ts-api/src/weights/source-options.js";
import type { ResearchOptions } from "../ts-api/src/weights/torch/research.js";
import { openCalibration, refused, type Calibration } from "./calibration.js";
import { PackedWriter, writeWhole, type FileBounds, type WrittenFile } from "./packed-writer.js";

/** Options of `convertModel`. `threads` and `revectorize` apply to the calibration run of int8 and int4, and change no bit. */
export interface ConvertOptions extends SourceOptions, ResearchOptions, Pick<CpuOptions, "threads" | "revectorize"> {
  /** Format of the matrices. Default: that of sources in four bits or packed, and packed ones keep it; else "int4". */
  dtype?: Dtype | undefined;
  /** int4: inputs that share a scale. Default 32; 64 is smaller and further from the original. */
  groupSize?: Group | undefined;
  /**
   * int8 and int4: a folder of PNG, JPEG or WebP images to calibrate with instead of synthetic ones; of more than 32 images, 32 are used.
   * Take images like those that the model will see. It needs a host with files.
   */
  calibrate?: string | undefined;
  /** The most bytes of a file. Default: one file. */
  shardSize?: number | undefined;
  /** Called after each tensor of the source that was read, and after each part of a packed source. */
  onProgress?: ((progress: ConvertProgress) => void) | undefined;
}

/** How far a conversion is. */
export interface ConvertProgress {
  /** Tensors of the source that were read so far. */
  tensors: number;
  /** Tensors of the source. */
  totalTensors: number;
  /** Bytes of those tensors. */
  bytes: number;
  /** Bytes of all tensors of the source. */
  totalBytes: number;
}

/** What a conversion wrote. */
export interface ConvertReport {
  /** Weight format that was written. */
  dtype: Dtype;
  /** Weights files, in order. */
  files: WrittenFile[];
  /** Bytes of the weights read. */
  sourceBytes: number;
  /** Bytes of the files written. */
  bytes: number;
  /** With `calibrate`: the images that were used. */
  calibration: Calibration | undefined;
}

const NAMES: OptionNames<ConvertOptions> = {
  ...SOURCE_OPTIONS, checkpointKey: true, config: true, threads: true, revectorize: true, dtype: true, groupSize: true, calibrate: "string",
  shardSize: "number", onProgress: "function",
};
/** Files that are copied unchanged. */
const LICENSES = ["LICENSE", "LICENSE.txt", "LICENSE.md"];
const BESIDE = ["config.json", "preprocessor_config.json", "README.md", ...LICENSES];
const LICENSE = "ijepa.license";
/** The longest licence that is kept. */
const MAX_TEXT = 2 ** 20;

/**
 * Packs a checkpoint into a folder that loads without computing (docs/weights-format.md): read tensor by tensor, written part by part;
 * one layer at most is in memory.
 *
 * @param source what IJepaModel.fromPretrained takes
 * @param destination a folder that does not exist or is empty: it appears when everything is written, and not at all on failure. Or your
 *   own writer.
 * @throws IJepaError what loading the source throws; `io/write` (disk full, read-only, a folder that is not empty, the source itself);
 *   `input/value` when a tensor does not fit into `shardSize`, or for `calibrate` without images or where nothing is quantized to int8
 *   or int4; `aborted`. TypeError for options of a wrong type
 */
export async function convertModel(source: ModelRef, destination: string | FolderWriter, given: ConvertOptions = {}): Promise<ConvertReport> {
  const options = readOptions(given, NAMES, "convertModel"), { shardSize } = options;
  if (shardSize !== undefined && !(Number.isSafeInteger(shardSize) && shardSize > 0)) throw wrongType("shardSize", "a number of bytes", shardSize);
  if (typeof destination !== "string" && typeof destination?.createFile !== "function") throw wrongType("The destination", "a folder, or a FolderWriter", destination);
  const read = new Reading(options.onProgress);
  const checkpoint = await openCheckpoint(source, { ...options, onBytes: (name, bytes) => read.tensor(name, bytes) });
  try {
    const dtype = options.dtype ?? checkpoint.packed?.dtype ?? checkpoint.quantized ?? "int4";
    const calibrated = options.calibrate === undefined ? undefined : await calibrate(options.calibrate, checkpoint, dtype, options.signal);
    const parts = partsOf(checkpoint, { ...options, dtype, images: calibrated?.images });
    read.expect(checkpoint);
    const folder = typeof destination === "string" ? await createFolder(destination) : destination;
    try {
      const files = await convert(checkpoint, parts, folder, read, calibrated?.calibration, options);
      await folder.commit();
      return { dtype: parts.dtype, files, sourceBytes: read.bytes, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), calibration: calibrated?.calibration };
    } catch (error) {
      await folder.discard();
      throw error;
    }
  } finally {
    await checkpoint.close();
  }
}

async function calibrate(folder: string, checkpoint: Checkpoint, dtype: Dtype, signal: AbortSignal | undefined): ReturnType<typeof openCalibration> {
  if (!isInteger(dtype)) throw refused(folder, `Calibrating is for int8 and int4, not for ${dtype}.`);
  if (checkpoint.packed !== undefined) throw refused(folder, `${checkpoint.ref} is in ${dtype} already and cannot be calibrated. Convert the original checkpoint.`);
  return openCalibration(folder, checkpoint, signal);
}

async function createFolder(path: string): Promise<FolderWriter> {
  if (runtime.createFolder !== undefined) return runtime.createFolder(path);
  throw new IJepaError("io/write", `Cannot write ${path}: ${runtime.name} has no files. Pass a FolderWriter.`, { path });
}

async function convert(
  checkpoint: Checkpoint, parts: PackedParts, folder: FolderWriter, read: Reading, calibration: CalibrationInfo | undefined,
  { shardSize, signal }: ConvertOptions,
): Promise<WrittenFile[]> {
  const { config, packed } = checkpoint, { dtype, groupSize } = parts;
  const kept = Object.fromEntries(Object.entries(checkpoint.metadata).filter(([key]) => !isOwnMetadata(key)));
  for (const name of BESIDE) {
    const bytes = (await checkpoint.file(name, signal)) ?? (name === "config.json" ? configFile(config) : undefined);
    if (bytes === undefined) continue;
    if (LICENSES.includes(name)) kept[LICENSE] = new TextDecoder().decode(bytes.subarray(0, MAX_TEXT));
    await writeWhole(folder, name, bytes);
  }
  const metadata = (digest: string, digests: ReadonlyMap<string, string>) => ({ ...kept, ...packedMetadata({ dtype, groupSize, source: digest, calibration: calibration ?? packed?.calibration }, digests) });
  const length = new TextEncoder().encode(JSON.stringify(metadata("0".repeat(64), new Map()))).length;
  const writer = new PackedWriter(folder, boundsOf(config, shardSize, length), shardSize);
  for await (const [part, buffers] of allParts(checkpoint, parts, signal)) {
    throwIfAborted(signal, `converting ${part}`);
    await writer.write(part, buffers);
    if (packed !== undefined) read.part(buffers);
  }
  const digest = packed?.source ?? (await listDigest(read.digests));
  return writer.finish((digests) => metadata(digest, digests));
}

/** For sources that have none. */
function configFile(config: IJepaConfig): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`);
}

/** Every part with its buffers, in the order in which a model needs them, then the optional parts. */
async function* allParts(checkpoint: Checkpoint, parts: PackedParts, signal: AbortSignal | undefined): AsyncGenerator<[part: string, buffers: PackedBuffer[]]> {
  const asRead = async (name: string): Promise<PackedBuffer> => {
    const bytes = bytesView(await checkpoint.tensor(name, signal));
    return { name, type: "f32", dims: checkpoint.tensors.get(name)!.shape, bytes };
  };
  yield ["embeddings.patch_embeddings", buffersOfEmbedding(await parts.embedding(signal))];
  yield ["embeddings.position_embeddings", [await asRead("embeddings.position_embeddings")]];
  for (let i = 0; i < parts.layers; i++) yield [`encoder.layer.${i}`, buffersOfLayer(await parts.layer(i, signal))];
  yield ["layernorm", buffersOfNorm(await parts.final(signal))];
  const optional = [...allTensors(checkpoint.config).keys()].filter((name) => isOptionalTensor(name) && checkpoint.tensors.has(name));
  for (const part of new Set(optional.map(partOf))) yield [part, await Promise.all(optional.filter((name) => partOf(name) === part).map(asRead))];
}

function allTensors(config: IJepaConfig): ReadonlyMap<string, readonly number[]> {
  return expectedTensors(config, { maskToken: true, pooler: true, classifier: true });
}

/** Every format takes at least 4 bits a weight, which bounds the layers of a shard: those that fit, and pieces of two more. */
function boundsOf({ hiddenSize: hidden, intermediateSize: mlp, numHiddenLayers }: IJepaConfig, shardSize = Infinity, metadata: number): FileBounds {
  const layerBytes = (4 * hidden * hidden + 2 * hidden * mlp) / 2;
  const layers = Math.min(numHiddenLayers, Math.floor(shardSize / layerBytes) + 2);
  // A layer: four matrices with scales and bias, two norms. Beside them: embedding, positions, final norm, mask token, pooler, classifier.
  return { tensors: layers * 16 + 12, parts: layers + 8, metadata };
}

/** The progress of reading the source. */
class Reading {
  /** By name. */
  private readonly known = new Map<string, TensorDigest>();
  bytes = 0;
  /** Names of the tensors that are counted, those of quantized matrices included. */
  private expected = new Set<string>();
  private tensors = 0;
  private totalBytes = 0;

  constructor(private readonly report: ConvertOptions["onProgress"]) {}

  expect({ tensors, config, packed }: Checkpoint): void {
    const needed = allTensors(config);
    for (const [name, { begin, end }] of tensors) {
      if (packed === undefined && !needed.has(name)) continue;
      this.expected.add(name);
      this.totalBytes += end - begin;
    }
  }

  /** Counts a tensor of a checkpoint. */
  async tensor(name: string, bytes: Uint8Array): Promise<void> {
    if (this.known.has(name)) return;
    const entry = { name, digest: "" };
    this.known.set(name, entry);
    entry.digest = await sha256(bytes);
    if (this.expected.has(name)) this.add(1, bytes.length);
  }

  /** Digest of every tensor that was read. */
  get digests(): TensorDigest[] {
    return [...this.known.values()];
  }

  /** Counts the buffers of a part of packed files. */
  part(buffers: readonly PackedBuffer[]): void {
    this.add(buffers.length, buffers.reduce((sum, { bytes }) => sum + bytes.length, 0));
  }

  private add(tensors: number, bytes: number): void {
    this.tensors += tensors;
    this.bytes += bytes;
    this.report?.({ tensors: this.tensors, totalTensors: this.expected.size, bytes: this.bytes, totalBytes: this.totalBytes });
  }
}
