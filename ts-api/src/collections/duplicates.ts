/** Pairs of images that are closer than a threshold, and the groups that they make. */
import { runtime } from "#runtime";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { cosineSimilarity } from "../model/pooling.js";
import { QUERIES, scanQuery } from "./scanner.js";
import type { Searcher } from "./search.js";

/** The host runs after so many images that were compared with a part. */
const PAUSE = 256;

/** Options of `Collection.duplicates`. */
export interface DuplicateOptions {
  /** Least cosine of a pair, -1 to 1. Default 0.95. */
  threshold?: number | undefined;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Called with the number of images that were compared with all later ones, and the number of all. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

const NAMES: OptionNames<DuplicateOptions> = { threshold: true, signal: "AbortSignal", onProgress: "function" };

/** A group: images that are each close to another image of the group, or one image at several places. */
export interface DuplicateGroup {
  /** By id. */
  readonly images: readonly { readonly id: string; readonly sources: readonly string[]; readonly width: number; readonly height: number }[];
  /** Cosine of the closest pair; 1 for one image at several places. */
  readonly closest: number;
  /** Cosine of the least close pair within the threshold. */
  readonly farthest: number;
}

/** Of the pairs of a group. */
interface Closeness {
  closest: number;
  farthest: number;
}

/** The groups, the closest first; ties by the first id. Every pair of images is decided exactly. */
export async function findDuplicates(searcher: Searcher, given: DuplicateOptions = {}): Promise<DuplicateGroup[]> {
  const options = readOptions(given, NAMES, "duplicates"), { threshold = 0.95 } = options;
  if (!(threshold >= -1 && threshold <= 1)) throw new IJepaError("input/value", `threshold must be a cosine from -1 to 1, not ${String(threshold)}.`, { name: "threshold", value: threshold });
  const parents = new Map<string, string>(), closeness = new Map<string, Closeness>(), sizes = new Map<string, { width: number; height: number }>();
  const rootOf = (id: string): string => {
    let root = id;
    for (let parent = parents.get(root); parent !== undefined && parent !== root; parent = parents.get(root)) root = parent;
    parents.set(id, root);
    return root;
  };
  // Pairs are joined as they are found: there may be as many as the square of the images.
  await findPairs(searcher, threshold, options, (a, b, score) => {
    const from = rootOf(a), into = rootOf(b), group = closeness.get(into) ?? { closest: -1, farthest: 1 }, joined = from === into ? group : closeness.get(from);
    group.closest = Math.max(group.closest, score, joined?.closest ?? -1);
    group.farthest = Math.min(group.farthest, score, joined?.farthest ?? 1);
    closeness.set(into, group);
    if (joined === group) return;
    parents.set(from, into);
    closeness.delete(from);
  });
  const sources = new Map<string, string[]>();
  for (const { part, row } of searcher.live.rows()) {
    const index = searcher.live.parts[part], id = index.id(row), places = sources.get(id);
    if (places === undefined) sources.set(id, [index.source(row)]);
    else places.push(index.source(row));
    sizes.set(id, index.size(row));
  }
  const groups = new Map<string, Closeness & { ids: string[] }>();
  for (const [id, places] of sources) {
    const root = rootOf(id), pairs = closeness.get(root);
    if (places.length < 2 && pairs === undefined) continue;
    const group = groups.get(root) ?? { ids: [], ...(pairs ?? { closest: 1, farthest: 1 }) };
    group.ids.push(id);
    if (places.length > 1) group.closest = 1;
    groups.set(root, group);
  }
  const byId = (a: string, b: string) => (a < b ? -1 : 1);
  return [...groups.values()]
    .map(({ ids, closest, farthest }) => ({ images: ids.sort(byId).map((id) => ({ id, sources: sources.get(id)!.sort(byId), ...sizes.get(id)! })), closest, farthest }))
    .sort((a, b) => b.closest - a.closest || byId(a.images[0].id, b.images[0].id));
}

/** @param found called for each pair of images, by their ids */
async function findPairs(searcher: Searcher, threshold: number, { signal, onProgress }: DuplicateOptions, found: (a: string, b: string, score: number) => void): Promise<void> {
  const { live, images } = searcher, { files, scanner } = await searcher.matrices("feature", signal);
  const total = images.reduce((sum, mask) => sum + mask.reduce((a, b) => a + b, 0), 0), all = (part: number) => files[part].readRows(0, files[part].rows);
  let done = 0;
  for (const [part, mask] of images.entries()) {
    const features = await all(part), width = files[part].width, rows = [...mask.keys()].filter((row) => mask[row] === 1);
    const featureOf = (of: Float32Array, row: number) => of.subarray(row * width, (row + 1) * width);
    for (let other = part; other < images.length; other++) {
      let others = other === part ? features : undefined;
      for (let first = 0; first < rows.length; first += QUERIES) {
        if (first % PAUSE === 0) await runtime.yieldToHost();
        throwIfAborted(signal, "looking for duplicates");
        const asked = rows.slice(first, first + QUERIES), queries = asked.map((row) => scanQuery(featureOf(features, row)));
        while (queries.length < QUERIES && queries.length > 1) queries.push(queries[0]);
        const from = other === part ? asked[0] : 0, bounds = scanner.scan(other, queries, from);
        for (const [i, row] of asked.entries()) {
          for (let target = from; target < images[other].length; target++) {
            if (images[other][target] === 0 || (other === part && target <= row) || bounds[i].high[target - from] < threshold) continue;
            others ??= await all(other);
            const score = cosineSimilarity(featureOf(features, row), featureOf(others, target));
            if (score >= threshold) found(live.parts[part].id(row), live.parts[other].id(target), score);
          }
        }
        done += asked.length / (images.length - part);
        onProgress?.(Math.round(done), total);
      }
    }
  }
}
