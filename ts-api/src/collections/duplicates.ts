/** Pairs of images that are closer than a threshold, and the groups that they make. */
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { cosineSimilarity } from "../model/pooling.js";
import { QUERIES, scanQuery } from "./scanner.js";
import type { Searcher } from "./search.js";

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

interface Pair {
  readonly a: string;
  readonly b: string;
  readonly score: number;
}

/** The groups, the closest first; ties by the first id. Every pair of images is decided exactly. */
export async function findDuplicates(searcher: Searcher, given: DuplicateOptions = {}): Promise<DuplicateGroup[]> {
  const options = readOptions(given, NAMES, "duplicates"), { threshold = 0.95 } = options;
  if (!(threshold >= -1 && threshold <= 1)) throw new IJepaError("input/value", `threshold must be a cosine from -1 to 1, not ${String(threshold)}.`, { name: "threshold", value: threshold });
  const pairs = await pairsWithin(searcher, threshold, options), parents = new Map<string, string>(), sizes = new Map<string, { width: number; height: number }>();
  const rootOf = (id: string): string => {
    let root = id;
    for (let parent = parents.get(root); parent !== undefined && parent !== root; parent = parents.get(root)) root = parent;
    parents.set(id, root);
    return root;
  };
  const sources = new Map<string, string[]>();
  for (const { part, row } of searcher.live.rows()) {
    const index = searcher.live.parts[part], id = index.id(row), places = sources.get(id);
    if (places === undefined) sources.set(id, [index.source(row)]);
    else places.push(index.source(row));
    sizes.set(id, index.size(row));
  }
  for (const { a, b } of pairs) parents.set(rootOf(a), rootOf(b));
  const groups = new Map<string, { ids: Set<string>; closest: number; farthest: number }>();
  const groupOf = (id: string) => {
    const root = rootOf(id), known = groups.get(root) ?? { ids: new Set<string>(), closest: -1, farthest: 1 };
    groups.set(root, known);
    return known;
  };
  for (const { a, b, score } of pairs) {
    const group = groupOf(a);
    group.ids.add(a).add(b);
    group.closest = Math.max(group.closest, score);
    group.farthest = Math.min(group.farthest, score);
  }
  for (const [id, places] of sources) {
    if (places.length < 2) continue;
    const group = groupOf(id);
    group.ids.add(id);
    group.closest = 1;
  }
  const byId = (a: string, b: string) => (a < b ? -1 : 1);
  return [...groups.values()]
    .map(({ ids, closest, farthest }) => ({ images: [...ids].sort(byId).map((id) => ({ id, sources: sources.get(id)!.sort(byId), ...sizes.get(id)! })), closest, farthest }))
    .sort((a, b) => b.closest - a.closest || byId(a.images[0].id, b.images[0].id));
}

async function pairsWithin(searcher: Searcher, threshold: number, { signal, onProgress }: DuplicateOptions): Promise<Pair[]> {
  const { live, images } = searcher, { files, scanner } = await searcher.matrices("feature", signal), pairs: Pair[] = [];
  const total = images.reduce((sum, mask) => sum + mask.reduce((a, b) => a + b, 0), 0);
  let done = 0;
  for (const [part, mask] of images.entries()) {
    const features = await files[part].readRows(0, files[part].rows), width = files[part].width;
    const featureOf = (row: number) => features.subarray(row * width, (row + 1) * width);
    const rows = [...mask.keys()].filter((row) => mask[row] === 1);
    for (let first = 0; first < rows.length; first += QUERIES) {
      throwIfAborted(signal, "looking for duplicates");
      const asked = rows.slice(first, first + QUERIES), queries = asked.map((row) => scanQuery(featureOf(row)));
      while (queries.length < QUERIES && queries.length > 1) queries.push(queries[0]);
      for (let other = part; other < images.length; other++) {
        const from = other === part ? asked[0] : 0, bounds = scanner.scan(other, queries, from);
        for (const [i, row] of asked.entries()) {
          for (let target = from; target < images[other].length; target++) {
            if (images[other][target] === 0 || (other === part && target <= row) || bounds[i].high[target - from] < threshold) continue;
            const feature = other === part ? featureOf(target) : await files[other].readRows(target, 1);
            const score = cosineSimilarity(featureOf(row), feature);
            if (score >= threshold) pairs.push({ a: live.parts[part].id(row), b: live.parts[other].id(target), score });
          }
        }
      }
      done += asked.length;
      onProgress?.(done, total);
    }
  }
  return pairs;
}
