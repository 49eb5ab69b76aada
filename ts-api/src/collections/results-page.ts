/** Results as an HTML page: one file that needs no network. */
import { checkList, checkText, readOptions, type OptionNames } from "../core/options.js";
import type { DuplicateGroup } from "./duplicates.js";
import { Cards, commonFolder, countOf, escape, nameOf, page, type Card } from "./page-parts.js";
import type { SearchResult } from "./search.js";

/** Options of the HTML pages. */
export interface PageOptions {
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
}

/** Options of `searchPage`. */
export interface SearchPageOptions extends PageOptions {
  /** Of searches for patches: the collection's grid of patches, rows and columns. With it the patches are marked. */
  grid?: readonly [rows: number, columns: number] | undefined;
  /** Of searches for patches: the patch of the query. */
  patch?: readonly [column: number, row: number] | undefined;
}

const NAMES: OptionNames<PageOptions> = { signal: "AbortSignal" };
const SEARCH_NAMES: OptionNames<SearchPageOptions> = { ...NAMES, grid: true, patch: true };
const KEYS = "The arrow keys, Home and End go from photo to photo.";

/**
 * The pictures that are found for a query, with their scores. The photos are read from their places.
 * @param query the path or URL of the photo that was asked for, or its id
 */
export async function searchPage(query: string, results: readonly SearchResult[], options: SearchPageOptions = {}): Promise<string> {
  checkText("The query", query);
  checkList("The results", results, "a list of search results");
  const { signal, grid, patch } = readOptions(options, SEARCH_NAMES, "searchPage"), marked = (at: SearchResult["patch"]) => (at === undefined || grid === undefined ? undefined : { at, grid });
  const folder = commonFolder(results.flatMap(({ sources }) => sources)), cards = new Cards(folder, signal), isId = /^[0-9a-f]{64}$/.test(query);
  const found = results.map(({ sources, score, patch: at, width, height }, i): Card => ({
    sources, title: `${i + 1}. ${score.toFixed(4)}`, details: [`${width} x ${height}${at === undefined ? "" : `, patch ${at.join()}`}`], patch: marked(at),
  }));
  const asked = isId ? "" : `<h2>Query</h2>${await cards.list([{ sources: [query], title: "Query", details: patch === undefined ? [] : [`patch ${patch.join()}`], patch: marked(patch) }])}`;
  const list = await cards.list(found), things = countOf(results.length, results[0]?.patch === undefined ? "result" : "place");
  const heading = `<h2>${results.length === 0 ? "The collection is empty" : `${things} <span>cosine similarity, best first</span>`}</h2>`;
  return page(`Similar to ${isId ? `photo ${query.slice(0, 12)}` : nameOf(query)}`, `${folderLine(folder)}<p>${KEYS}</p>${asked}${heading}${cards.limit}${list}`);
}

/** Groups of pictures that are nearly the same. The photos are read from their places. */
export async function duplicatesPage(name: string, groups: readonly DuplicateGroup[], options: PageOptions = {}): Promise<string> {
  checkList("The groups", groups, "a list of groups");
  const { signal } = readOptions(options, NAMES, "duplicatesPage"), sections: string[] = [];
  const folder = commonFolder(groups.flatMap(({ images }) => images.flatMap(({ sources }) => sources))), cards = new Cards(folder, signal);
  for (const [i, { images, closest, farthest }] of groups.entries()) {
    const largest = Math.max(...images.map(({ width, height }) => width * height)), isEqual = images.every(({ width, height }) => width * height === largest);
    const list = await cards.list(images.map(({ sources, width, height }): Card => ({
      sources, title: `${width} x ${height}`, details: [...(!isEqual && width * height === largest ? ["largest"] : []), ...(sources.length > 1 ? [`${sources.length} copies`] : [])],
    })));
    const scores = images.length === 1 ? "one file at several places" : `${countOf(images.length, "photo")}, similarity ${farthest === closest ? "" : `${farthest.toFixed(4)} to `}${closest.toFixed(4)}`;
    sections.push(`<section><h2>Group ${i + 1} <span>${scores}</span></h2>${list}</section>`);
  }
  const photos = groups.reduce((sum, { images }) => sum + images.reduce((places, { sources }) => places + sources.length, 0), 0);
  const facts = groups.length === 0 ? "<p>No photos are this similar.</p>" : `<p>${countOf(groups.length, "group")}, ${countOf(photos, "file")}. ${KEYS}</p>`;
  return page(`Duplicates in ${nameOf(name)}`, facts + folderLine(folder) + cards.limit + sections.join(""));
}

function folderLine(folder: string): string {
  return folder === "" ? "" : `<p>Photos in ${escape(folder)}</p>`;
}
