/** The numeric contract in numbers: its version, the weight formats and their blocks; and the digests that results are known by. */

/**
 * Version of the numeric contract (docs/numeric-contract.md). It is part of every result: two results with the same
 * version, weights, dtype and pixels have the same bits. Any change of a result bit raises it.
 */
export const NUMERICS_VERSION = "1";

/** Weight formats of the matrices. Norms, biases and position embeddings are f32 in all of them. */
export const DTYPES = ["fp32", "bf16", "int8", "int4", "nf4", "fp4"] as const;
/** Format of the weights, and with it the arithmetic of the products. */
export type Dtype = (typeof DTYPES)[number];

/** True for formats whose products are of integers: activations enter them in blocks of int8. */
export function isInteger(format: string): format is "int8" | "int4" {
  return format === "int8" || format === "int4";
}

/** Inputs of activations that share one exponent; inputs of weights are padded to a multiple of it. */
export const BLOCK = 32;

/** Inputs of four-bit weights that share one scale. */
export const GROUPS = [32, 64] as const;
/** Inputs of a row of weights that share one scale, in int4. */
export type Group = (typeof GROUPS)[number];

/** Output columns that are stored side by side in packed weights. */
export const PANEL = 8;

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** What a result says about how it was made. */
export interface Numerics {
  /** NUMERICS_VERSION of the library that computed it. */
  version: string;
  /** Weight format that it was computed in. */
  dtype: Dtype;
  /** Backend id, such as "wasm". It never changes the bits. */
  device: string;
  /** SHA-256, in hex, of the output's little-endian f32 bytes. */
  digest: string;
}

/** SHA-256 in hex of the bytes of `data`, little-endian. */
export async function digestOf(data: Float32Array): Promise<string> {
  return sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** SHA-256 in hex. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
}

/** Two lower-case hex digits a byte. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
