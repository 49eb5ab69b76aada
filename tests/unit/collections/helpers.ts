/** Collections of made-up features. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Encoding } from "../../../ts-api/src/collections/encoding.js";
import { featureDigest, type CollectionRow } from "../../../ts-api/src/collections/row.js";
import { runtime } from "../../../ts-api/src/runtime/node.js";
import { nodeStorage } from "../../../ts-api/src/runtime/node-storage.js";
import { sha256 } from "../../support/sha256.js";


export const ENCODING: Encoding = {
  model: null,
  revision: null,
  encoder: sha256("encoder"),
  processor: sha256("processor"),
  dtype: "bf16",
  numerics: "1",
  imageSize: [224, 224],
  interpolatePosEncoding: false,
  pooling: "mean",
  layers: "last",
  tokens: null,
  width: 40,
};

/** A folder that is removed after the tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-collection-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const diskStorage = (path: string) => nodeStorage(path, (file) => runtime.openFile(file));

/** Numbers from -1 to 1 that are the same in every run. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Features around a common mean, as those of an encoder are. */
export function feature(seed: number, width = ENCODING.width): Float32Array {
  const next = numbers(seed * 7919 + 1);
  return Float32Array.from({ length: width }, (_, k) => Math.sin(k) + 0.5 * next());
}

/** @param photo its content: equal numbers are one photo */
export async function row(source: string, photo: number, width = ENCODING.width): Promise<CollectionRow> {
  const own = feature(photo, width);
  return { source, id: sha256(`photo ${photo}`), bytes: 1000 + photo, modified: 1_700_000_000_000 + photo, width: 640, height: 480, feature: own, digest: await featureDigest(own) };
}

export function rows(count: number, first = 0, width = ENCODING.width): Promise<CollectionRow[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => row(`photos/${first + i}.jpg`, first + i, width)));
}
