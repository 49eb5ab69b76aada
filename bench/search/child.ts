/**
 * Opens a collection and searches it, in a process of its own, so that its peak memory is that of searching alone. Prints a line of JSON.
 *
 * Arguments: the folder of the collection, the file of the queries, the width of a query, how many results.
 */
import { readFileSync } from "node:fs";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { peakMemory } from "../support/machine.js";

export interface Outcome {
  /** Milliseconds. */
  readonly opened: number;
  /** Milliseconds of each query. */
  readonly times: readonly number[];
  /** Milliseconds of CPU of each query. */
  readonly used: readonly number[];
  /** Of the first query. */
  readonly results: readonly { readonly id: string; readonly score: number }[];
  /** Peak of the process's memory in MB. */
  readonly peak: number;
}

const [folder, file, width, k] = process.argv.slice(2), bytes = readFileSync(file), queries = new Float32Array(new Uint8Array(bytes).buffer);
const start = performance.now(), collection = await Collection.open(folder);
await collection.searcher();
const opened = performance.now() - start, times: number[] = [], used: number[] = [], found: Outcome["results"][] = [];
for (let at = 0; at < queries.length; at += Number(width)) {
  const from = performance.now(), cpu = process.cpuUsage();
  found.push((await collection.search(queries.subarray(at, at + Number(width)), { k: Number(k) })).map(({ id, score }) => ({ id, score })));
  times.push(performance.now() - from);
  const { user, system } = process.cpuUsage(cpu);
  used.push((user + system) / 1000);
}
await collection.close();
console.log(JSON.stringify({ opened, times, used, results: found[0], peak: peakMemory() } satisfies Outcome));
