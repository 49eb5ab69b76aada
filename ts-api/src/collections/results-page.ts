/** Results as an HTML page: one file that needs no network. */
import { readOptions, type OptionNames } from "../core/options.js";
import { toBase64 } from "../core/base64.js";
import { throwIfAborted } from "../core/errors.js";
import { encodePng } from "../image/png-writer.js";
import { RESAMPLE, resize } from "../image/resize.js";
import { loadImage } from "../image/source.js";
import type { ClassifierFit } from "./classifier.js";
import type { DuplicateGroup } from "./duplicates.js";
import type { SearchResult } from "./search.js";

const SIDE = 192;
const STYLE = `
:root { color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; } p { overflow-wrap: anywhere; }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(9rem, 100%), 1fr)); }
li { border: 1px solid #8886; border-radius: .5rem; padding: .5rem; } li:focus { outline: 3px solid #48f; }
img, .none { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #8882; }
.none { display: grid; place-content: center; font-size: .8rem; }
b, small { display: block; overflow-wrap: anywhere; } small { opacity: .75; font-size: .75rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; } th, td { padding: .25rem .5rem; text-align: right; border: 1px solid #8884; }
`;
/** Arrow keys, Home and End go from picture to picture. */
const SCRIPT = `
addEventListener("keydown", (event) => {
  const all = [...document.querySelectorAll("li")], at = all.indexOf(document.activeElement), step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 0, ArrowUp: 0, Home: 0, End: 0 };
  if (!(event.key in step) || all.length === 0) return;
  const top = (one) => one.getBoundingClientRect().top, left = (one) => one.getBoundingClientRect().left;
  const row = (sign) => all.filter((one) => at >= 0 && sign * (top(one) - top(all[at])) > 1).sort((a, b) => sign * (top(a) - top(b)) || Math.abs(left(a) - left(all[at])) - Math.abs(left(b) - left(all[at])))[0];
  const next = { Home: all[0], End: all.at(-1), ArrowDown: row(1), ArrowUp: row(-1) }[event.key] ?? all[Math.min(all.length - 1, Math.max(0, at + step[event.key]))];
  event.preventDefault();
  next.focus();
});
`;

/** Options of the HTML pages. */
export interface PageOptions {
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
}

const NAMES: OptionNames<PageOptions> = { signal: "AbortSignal" };

/** The page of a search: the pictures that were found, with their scores. The photos are read from their places. */
export async function searchPage(query: string, results: readonly SearchResult[], options: PageOptions = {}): Promise<string> {
  const { signal } = readOptions(options, NAMES, "searchPage");
  const cards: string[] = [], folder = commonFolder(results.flatMap(({ sources }) => sources));
  for (const { sources, score, patch, width, height } of results) {
    cards.push(await card(folder, sources, `${score.toFixed(4)}${patch === undefined ? "" : `, patch ${patch.join()}`}`, `${width} x ${height}`, signal));
  }
  const asked = /^[0-9a-f]{64}$/.test(query) ? "" : `<ol>${await card(folder, [query], "query", "", signal)}</ol>`;
  return page(`Like ${query}`, `${asked}${folderLine(folder)}<h2>${results.length} results</h2><ol>${cards.join("")}</ol>`);
}

/** The page of duplicates: groups of pictures that are nearly the same. */
export async function duplicatesPage(name: string, groups: readonly DuplicateGroup[], options: PageOptions = {}): Promise<string> {
  const { signal } = readOptions(options, NAMES, "duplicatesPage");
  const sections: string[] = [], folder = commonFolder(groups.flatMap(({ images }) => images.flatMap(({ sources }) => sources)));
  for (const { images, closest, farthest } of groups) {
    const cards: string[] = [];
    for (const { sources, width, height } of images) cards.push(await card(folder, sources, `${width} x ${height}`, "", signal));
    const scores = images.length === 1 ? "one file at several places" : `similarity ${farthest === closest ? "" : `${farthest.toFixed(4)} to `}${closest.toFixed(4)}`;
    sections.push(`<section><h2>${scores}</h2><ol>${cards.join("")}</ol></section>`);
  }
  return page(`Duplicates in ${name}: ${groups.length} groups`, folderLine(folder) + sections.join(""));
}

/** The page of a fit: its results, and its confusion table as a picture. */
export function fitPage(name: string, { report }: ClassifierFit): string {
  const { linear, means, neighbours, labels, best, C, images, seed, split, collection, unlabelled } = report, percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const facts = `<p>${images} images of ${labels.length} classes; strength ${C}; seed ${seed}; ${unlabelled} places without a label.</p><small>split ${split}<br>collection ${collection}</small>`;
  if (linear === undefined || means === undefined || neighbours === undefined) return page(name, facts);
  const rows = [["linear", linear], ["class means", means], [`${neighbours.k} neighbours`, neighbours]] as const;
  const measures = rows.map(([label, { top1, top5 }]) => `<tr><th>${label}<td>${percent(top1)}<td>${percent(top5)}`).join("");
  const confusion = linear.confusion.map((row, i) => {
    const sum = row.reduce((a, b) => a + b, 0);
    return `<tr><th>${escape(labels[i].label)}${row.map((count, j) => `<td style="background:rgb(${i === j ? "0 160 80" : "220 60 40"} / ${sum === 0 ? 0 : (0.85 * count) / sum})">${count || ""}`).join("")}`;
  });
  const tables = `<h2>On the held-out part (best: ${best}; calibration error ${percent(linear.calibrationError)})</h2><div class="scroll"><table><tr><th><th>top 1<th>top 5${measures}</table></div>` +
    `<h2>True class by row, first answer by column</h2><div class="scroll" tabindex="0"><table><tr><th>${labels.map(({ label }) => `<th>${escape(label)}`).join("")}${confusion.join("")}</table></div>` +
    `<h2>Images</h2><div class="scroll"><table><tr><th><th>training<th>held out${labels.map(({ label, training, heldOut }) => `<tr><th>${escape(label)}<td>${training}<td>${heldOut}`).join("")}</table></div>`;
  return page(name, facts + tables);
}

/** The common folder of all places, with a slash at its end; "" if there is none. */
function commonFolder(sources: readonly string[]): string {
  const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/", path.length - 2) + 1);
  let folder = sources.length === 0 ? "" : parentOf(sources[0]);
  for (const source of sources) while (!source.startsWith(folder)) folder = parentOf(folder);
  return folder;
}

function folderLine(folder: string): string {
  return folder === "" ? "" : `<p>Photos in ${escape(folder)}</p>`;
}

/** @param folder removed from the names */
async function card(folder: string, sources: readonly string[], title: string, detail: string, signal: AbortSignal | undefined): Promise<string> {
  const names = sources.map((source) => `<small title="${escape(source)}">${escape(source.startsWith(folder) ? source.slice(folder.length) : source)}</small>`).join("");
  return `<li tabindex="0">${await picture(sources[0], signal)}<b>${escape(title)}</b>${names}<small>${escape(detail)}</small></li>`;
}

async function picture(source: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    const image = await loadImage(source, { signal }), scale = Math.min(1, SIDE / Math.max(image.width, image.height));
    const small = resize(image, Math.max(1, Math.round(image.width * scale)), Math.max(1, Math.round(image.height * scale)), RESAMPLE.bilinear);
    return `<img alt="" loading="lazy" src="data:image/png;base64,${toBase64(await encodePng(small))}">`;
  } catch {
    throwIfAborted(signal, "reading pictures for the page");
    return '<span class="none">not there any more</span>';
  }
}

function page(title: string, body: string): string {
  return `<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)}</title><style>${STYLE}</style><body><h1>${escape(title)}</h1>${body}<script>${SCRIPT}</script></body></html>\n`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
