/**
 * Exact search in a collection that is opened from its cache, in a process of its own: opening, a query, and brute force in f64 over the
 * same features, whose results must be the same. The features are made up, around 200 centres; the parts are only named, since nothing reads them.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Encoding } from "../../ts-api/src/collections/encoding.js";
import { partName, pathOfPart, writeHead, writeManifest } from "../../ts-api/src/collections/layout.js";
import { encodeMatrix, MatrixFile } from "../../ts-api/src/collections/matrix.js";
import { encodeIndex } from "../../ts-api/src/collections/part-index.js";
import { keepIndex } from "../../ts-api/src/collections/parts.js";
import { cosineSimilarity } from "../../ts-api/src/model/pooling.js";
import { runtime } from "../../ts-api/src/runtime/node.js";
import type { FolderStorage } from "../../ts-api/src/runtime/storage.js";
import { median } from "../support/measure.js";
import { table } from "../support/table.js";
import type { Outcome } from "./child.js";

const WIDTH = 1280, PART = 2048, CENTRES = 200, QUERIES = 9, K = 20;
const CHILD = fileURLToPath(new URL("child.js", import.meta.url)), DIGEST = "0".repeat(64);
const ENCODING: Encoding = {
  model: null, revision: null, encoder: DIGEST, processor: DIGEST, dtype: "bf16", numerics: "1", imageSize: [224, 224],
  interpolatePosEncoding: false, pooling: "mean", layers: "last", tokens: null, width: WIDTH,
};

export interface SearchOptions {
  rows: readonly number[];
}

export async function benchSearch({ rows: counts }: SearchOptions): Promise<void> {
  const lines = [["rows", "opening, s", "first query, ms", "query, ms", "of CPU", "brute force in f64, ms", "compared", "peak resident, MB"]];
  for (const count of counts) {
    const folder = await mkdtemp(join(tmpdir(), "ijepa-search-"));
    try {
      lines.push(await measure(folder, count));
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  const [headers, ...measured] = lines;
  console.log(table(headers, measured));
}

async function measure(folder: string, count: number): Promise<string[]> {
  const storage = runtime.openStorage!(folder), queries = await make(storage, count), file = join(folder, "queries.f32");
  await writeFile(file, new Uint8Array(Float32Array.from(queries.flatMap((query) => [...query])).buffer));
  const { status, stdout, stderr } = spawnSync(process.execPath, [CHILD, folder, file, String(WIDTH), String(K)], { encoding: "utf8" });
  if (status !== 0) throw new Error(`The search failed: ${stderr}`);
  const { opened, times, used, results, peak } = JSON.parse(stdout) as Outcome;
  const from = performance.now(), expected = await bruteForce(storage, queries[0], count), slow = performance.now() - from;
  if (JSON.stringify(results) !== JSON.stringify(expected)) throw new Error("The search gives other results than brute force.");
  const later = (values: readonly number[]) => median(values.slice(1)).toFixed(1);
  return [String(count), (opened / 1000).toFixed(2), times[0].toFixed(1), later(times), later(used), slow.toFixed(0), "same", peak.toFixed(0)];
}

/** @returns queries close to some of its features */
async function make(storage: FolderStorage, count: number): Promise<Float32Array[]> {
  let state = 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
  const centres = Array.from({ length: CENTRES }, () => Float32Array.from({ length: WIDTH }, (_, k) => Math.sin(k) + next()));
  const feature = (into: Float32Array) => {
    const centre = centres[Math.floor(((next() + 1) / 2) * CENTRES)];
    for (let k = 0; k < WIDTH; k++) into[k] = centre[k] + 0.7 * next();
    return into;
  };
  const entries = [];
  await writeHead(storage, ENCODING);
  for (let first = 0; first < count; first += PART) {
    const rows = Math.min(PART, count - first), features = new Float32Array(rows * WIDTH), name = partName(1 + first / PART, idOf(first));
    for (let i = 0; i < rows; i++) feature(features.subarray(i * WIDTH, (i + 1) * WIDTH));
    const index = encodeIndex(Array.from({ length: rows }, (_, i) => ({ source: `${first + i}.jpg`, id: idOf(first + i), bytes: 1, modified: null, width: 1, height: 1, label: null, digest: DIGEST })), ENCODING);
    await storage.write(pathOfPart(name), new Uint8Array(1));
    await storage.write(`cache/${name}.feature`, encodeMatrix(features, WIDTH));
    await keepIndex(storage, name, index);
    entries.push({ name, rows, bytes: 1, first: index.source(0), last: index.source(rows - 1) });
  }
  await writeManifest(storage, entries);
  return Array.from({ length: QUERIES }, () => feature(new Float32Array(WIDTH)));
}

/** Scattered, so that equal scores would not be in the order of the rows. */
function idOf(number: number): string {
  return (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0").repeat(8);
}

async function bruteForce(storage: FolderStorage, query: Float32Array, count: number): Promise<{ id: string; score: number }[]> {
  let best: { id: string; score: number }[] = [];
  for (let first = 0; first < count; first += PART) {
    const matrix = (await MatrixFile.open((await storage.open(`cache/${partName(1 + first / PART, idOf(first))}.feature`))!))!, rows = await matrix.readRows(0, matrix.rows);
    for (let i = 0; i < matrix.rows; i++) best.push({ id: idOf(first + i), score: cosineSimilarity(query, rows.subarray(i * WIDTH, (i + 1) * WIDTH)) });
    best = best.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, K);
    await matrix.close();
  }
  return best;
}
