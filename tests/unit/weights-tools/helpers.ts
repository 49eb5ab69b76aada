/** Folders for one test, and the parts of packed models. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PackedParts } from "../../../ts-api/src/packing/encoder-weights.js";
import { partsOf, type FormatOptions } from "../../../ts-api/src/loading/pack-checkpoint.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";

/** Gives `work` a path where nothing is, and removes what it leaves there. */
export async function inNewFolder<T>(work: (path: string) => Promise<T>): Promise<T> {
  const parent = await mkdtemp(join(tmpdir(), "ijepa-packed-"));
  try {
    return await work(join(parent, "packed"));
  } finally {
    await rm(parent, { recursive: true });
  }
}

/** Every part that a model loads, in order. */
export async function loadParts(ref: string, format: FormatOptions = {}): Promise<unknown[]> {
  const checkpoint = await openCheckpoint(ref);
  try {
    return await everyPart(partsOf(checkpoint, format));
  } finally {
    await checkpoint.close();
  }
}

/** Likewise, of a model that is open. */
export async function everyPart(parts: PackedParts): Promise<unknown[]> {
  const all: unknown[] = [parts.dtype, parts.groupSize, await parts.embedding(), await parts.positions()];
  for (let i = 0; i < parts.layers; i++) all.push(await parts.layer(i));
  return [...all, await parts.final()];
}

export interface Header {
  __metadata__: Record<string, string>;
  [tensor: string]: { dtype: string; shape: number[]; data_offsets: [number, number] } | Record<string, string>;
}

/** A safetensors file, read without the library. */
export async function readHeader(path: string): Promise<{ header: Header; names: string[]; data: Buffer; bytes: number }> {
  const file = await readFile(path), length = Number(file.readBigUint64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + length)) as Header;
  return { header, names: Object.keys(header).filter((name) => name !== "__metadata__"), data: file.subarray(8 + length), bytes: file.length };
}
