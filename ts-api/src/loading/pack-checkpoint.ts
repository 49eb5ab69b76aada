/**
 * Packs a checkpoint as it is read, part by part: one matrix in f32 at a time (query, key and value count as one). A model's parts are
 * requested one after the other.
 */
import type { MomentOptions } from "../calibrate/input-moments.js";
import type { IJepaConfig } from "../config/config.js";
import { IJepaError } from "../core/errors.js";
import { BLOCK, DTYPES, GROUPS, isInteger, type Dtype, type Group } from "../core/numerics.js";
import { show } from "../core/show.js";
import type { PackedParts } from "../packing/encoder-weights.js";
import type { TensorReader } from "../packing/matrix-reader.js";
import type { Checkpoint } from "../weights/checkpoint.js";
import { ORIGINAL } from "../weights/safetensors/packed-files.js";
import { packedParts } from "./packed-checkpoint.js";
import { plainParts, type CodeReader } from "./plain-parts.js";
import { quantizedParts, type QuantizeOptions } from "./quantized-parts.js";

export type { TensorReader } from "../packing/matrix-reader.js";
export type { CodeReader } from "./plain-parts.js";
export { gpuOf, type QuantizeOptions } from "./quantized-parts.js";

export interface FormatOptions {
  /** Format of the layers' matrices. Default: that of packed files and of bitsandbytes' four-bit checkpoints, "bf16" for others. */
  dtype?: Dtype | undefined;
  /** int4: inputs of one scale. Default: that of packed files, 32 for others. */
  groupSize?: Group | undefined;
}

/**
 * The format that a checkpoint is loaded in.
 * @throws IJepaError `weights/dtype` for another than that of packed files; TypeError for one that does not exist
 */
export function formatOf({ packed, quantized, head, ref, metadata }: Checkpoint, options: FormatOptions): { dtype: Dtype; groupSize: Group } {
  const { dtype = packed?.dtype ?? head?.dtype ?? quantized ?? "bf16", groupSize = packed?.groupSize ?? head?.groupSize ?? BLOCK } = options;
  if (!DTYPES.includes(dtype)) throw new TypeError(`dtype must be one of ${DTYPES.join(", ")}, not ${JSON.stringify(dtype)}.`);
  if (!GROUPS.includes(groupSize)) throw new TypeError(`groupSize must be one of ${GROUPS.join(", ")}, not ${String(groupSize)}.`);
  const wanted = describe(dtype, groupSize), stored = packed === undefined ? wanted : describe(packed.dtype, packed.groupSize);
  if (wanted === stored) return { dtype, groupSize };
  const original = metadata[ORIGINAL] === undefined ? "convert the original checkpoint" : `load the original, which is ${show(metadata[ORIGINAL])}`;
  const message = `${ref} is packed as ${stored} and cannot be loaded as ${wanted}. Leave dtype and groupSize out, or ${original}.`;
  throw new IJepaError("weights/dtype", message, { tensor: ref, dtype: packed!.dtype });
}

function describe(dtype: Dtype, groupSize: Group | undefined): string {
  return dtype === "int4" ? `int4 in groups of ${groupSize}` : dtype;
}

/** The parts of a checkpoint: packed while they are read, or read from packed files. Throws as `formatOf`. */
export function partsOf(checkpoint: Checkpoint, options: FormatOptions & MomentOptions = {}): PackedParts {
  const { config, packed, tensor, codes } = checkpoint, { dtype, groupSize: group } = formatOf(checkpoint, options);
  return packed === undefined ? packParts(config, dtype, tensor, codes, { ...options, group }) : packedParts(checkpoint, packed);
}

/**
 * The parts of the checkpoint that `read` reads, with matrices in `dtype`.
 *
 * @param readCodes reads the codes of quantized matrices; those of the same dtype are kept
 * @param options of int8 and int4
 */
export function packParts(
  config: IJepaConfig, dtype: Dtype, read: TensorReader, readCodes: CodeReader = async () => undefined, options: QuantizeOptions = {},
): PackedParts {
  return isInteger(dtype) ? quantizedParts(config, dtype, read, options) : plainParts(config, dtype, read, readCodes);
}
