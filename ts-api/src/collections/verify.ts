/** Reads every part of a collection and compares it with its digests. */
import { isIJepaError, throwIfAborted } from "../core/errors.js";
import type { FolderStorage } from "../runtime/storage.js";
import { pathOfPart } from "./layout.js";
import { rowsOfPart, type DamagedPart, type OpenPart } from "./parts.js";
import { featureDigest } from "./row.js";

/** What `verify` found. */
export interface PartsReport {
  /** Parts that were read, the damaged ones included. */
  readonly parts: number;
  /** Rows of the intact parts. */
  readonly rows: number;
  /** Damaged parts, and what was lost with each. */
  readonly bad: readonly DamagedPart[];
}

/** Reads all parts: the bytes of each must have the digest in its name, and each feature must have its digest. */
export async function verifyParts(
  storage: FolderStorage, parts: readonly OpenPart[], damaged: readonly DamagedPart[], { signal }: { signal?: AbortSignal | undefined },
): Promise<PartsReport> {
  const bad = [...damaged];
  let rows = 0;
  for (const { entry } of parts) {
    throwIfAborted(signal, `verifying ${storage.name}`);
    const problem = await problemOf(storage, entry.name);
    if (problem === undefined) rows += entry.rows;
    else bad.push({ file: pathOfPart(entry.name), problem, rows: entry.rows, first: entry.first, last: entry.last });
  }
  return { parts: parts.length + damaged.length, rows, bad };
}

async function problemOf(storage: FolderStorage, name: string): Promise<string | undefined> {
  try {
    for await (const group of rowsOfPart(storage, name)) {
      for (const { source, digest, feature, tokens, id } of group) {
        if (id !== "" && (await featureDigest(feature, tokens)) !== digest) return `the feature of ${source} does not have its digest`;
      }
    }
    return undefined;
  } catch (error) {
    if (isIJepaError(error, "collection/damaged")) return error.details.files[0].problem;
    throw error;
  }
}
