/** From the model's output for an image to the numbers that a client requested. */
import { toBase64 } from "../core/base64.js";
import { IJepaError } from "../core/errors.js";
import { digestOf, type Numerics } from "../core/numerics.js";
import { show } from "../core/show.js";
import type { Tensor } from "../core/tensor.js";
import { firstToken, meanPool, normalizeRows } from "../model/pooling.js";
import type { Encoded } from "./batcher.js";

export const POOLS = ["mean", "first", "none"] as const;
export const FORMATS = ["float", "base64"] as const;

export interface FeatureOptions {
  /** "mean" of the tokens (default), the "first" one, or "none": all of them. */
  readonly pool: (typeof POOLS)[number];
  /** Divide each row by its Euclidean norm. */
  readonly normalize: boolean;
  /** Numbers, or the base64 of little-endian f32. */
  readonly format: (typeof FORMATS)[number];
}

export interface EncodedFeatures {
  readonly dims: readonly number[];
  readonly embedding: number[] | string;
  /** Its digest is of the embedding's bits. */
  readonly numerics: Numerics;
  /** Absent for an intact file. */
  readonly warnings?: readonly string[];
}

/** What is wrong with the image's file, if it is damaged. */
export function damageOf({ warnings }: Encoded): Pick<EncodedFeatures, "warnings"> {
  return warnings.length === 0 ? {} : { warnings };
}

export async function featuresOf(encoded: Encoded, { pool, normalize, format }: FeatureOptions): Promise<EncodedFeatures> {
  const { hidden, numerics } = encoded;
  const pooled = poolOf(hidden, pool), { data, dims } = normalize ? normalizeRows(pooled) : pooled;
  const embedding = format === "float" ? Array.from(data) : toBase64(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return { dims: dims.slice(1), embedding, numerics: { ...numerics, digest: await digestOf(data) }, ...damageOf(encoded) };
}

function poolOf(hidden: Tensor<"float32">, pool: FeatureOptions["pool"]): Tensor<"float32"> {
  if (pool === "none") return hidden;
  return pool === "mean" ? meanPool(hidden) : firstToken(hidden);
}

/**
 * Reads an option with a few allowed words; null counts as absent.
 *
 * @throws IJepaError `input/value`
 */
export function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[], fallback: T): T {
  if (value === undefined || value === null) return fallback;
  const known = allowed.find((one) => one === value);
  if (known !== undefined) return known;
  throw new IJepaError("input/value", `${name} must be one of ${allowed.join(", ")}, not ${show(value)}.`, { name, value });
}
