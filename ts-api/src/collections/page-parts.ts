/** What the HTML pages are made of: style, keys, cards with pictures. */
import { toBase64 } from "../core/base64.js";
import { throwIfAborted } from "../core/errors.js";
import { encodePng } from "../image/png-writer.js";
import { RESAMPLE, resize } from "../image/resize.js";
import { loadImage } from "../image/source.js";

/** Longest side of a picture, in pixels. */
const SIDE = 192;
/** Pictures of a page; beyond them there are names only, so that browsers open the file. */
const MOST_PICTURES = 500;
/** Places of one image that are named. */
const MOST_PLACES = 5;

const STYLE = `
:root { color-scheme: light dark; --back: #fff; --text: #1d2329; --quiet: #57616b; --line: #d5dae0; --soft: #f2f4f6; --accent: #0a5fd0; --right: 20 100 210; --wrong: 230 110 0; }
@media (prefers-color-scheme: dark) { :root { --back: #14181d; --text: #e7ecf1; --quiet: #a0abb6; --line: #38404a; --soft: #20262d; --accent: #79b8ff; --right: 70 150 255; --wrong: 255 150 50; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem; font: 16px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back); overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: .25rem 0; } h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; } p { margin: .25rem 0; }
h2 span, p, .facts { color: var(--quiet); font-weight: normal; } .note { color: var(--text); border-left: 4px solid rgb(var(--wrong)); padding-left: .6rem; }
ol, ul { list-style: none; margin: 0; padding: 0; } .cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, 100%), 1fr)); }
@media (max-width: 26rem) { .cards { grid-template-columns: 1fr 1fr; gap: .5rem; } }
.cards > li { border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; background: var(--soft); scroll-margin: 1rem; }
.cards > li:focus { outline: 3px solid var(--accent); outline-offset: 1px; } .scroll:focus-visible { outline: 3px solid var(--accent); }
.frame { display: grid; place-items: center; aspect-ratio: 1; background: var(--back); } .frame > span { position: relative; } .frame img { display: block; width: 100%; height: 100%; }
.frame i { position: absolute; border: 2px solid #fff; outline: 2px solid #d00; } .none { color: var(--quiet); font-size: .8rem; padding: .5rem; text-align: center; }
.text { padding: .4rem .55rem .55rem; font-size: .8rem; line-height: 1.35; } .text b { display: block; font-size: 1rem; } .text span { display: block; } .quiet { color: var(--quiet); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .875rem; overflow-wrap: break-word; } th, td { padding: .3rem .6rem; text-align: right; border: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th { font-weight: 600; background: var(--soft); max-width: 14rem; } tr > th:first-child { text-align: left; position: sticky; left: 0; } .up th:not(:first-child) { vertical-align: bottom; }
.up span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 12rem; } .heat td { min-width: 2.2rem; text-align: center; overflow-wrap: normal; }
.bar { min-width: 7rem; background: linear-gradient(to right, rgb(var(--right) / .35) var(--share), transparent 0); } .map { image-rendering: pixelated; width: 100%; max-width: 48rem; border: 1px solid var(--line); }
`;

/** Arrow keys, Home and End go from picture to picture. */
const SCRIPT = `
addEventListener("keydown", (event) => {
  const all = [...document.querySelectorAll(".cards > li")], at = all.indexOf(document.activeElement), step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 0, ArrowUp: 0, Home: 0, End: 0 };
  if (!(event.key in step) || all.length === 0 || document.activeElement?.matches(".scroll") || event.altKey || event.ctrlKey || event.metaKey) return;
  const top = (one) => one.getBoundingClientRect().top, left = (one) => one.getBoundingClientRect().left;
  const row = (sign) => all.filter((one) => at >= 0 && sign * (top(one) - top(all[at])) > 1).sort((a, b) => sign * (top(a) - top(b)) || Math.abs(left(a) - left(all[at])) - Math.abs(left(b) - left(all[at])))[0];
  const next = { Home: all[0], End: all.at(-1), ArrowDown: row(1), ArrowUp: row(-1) }[event.key] ?? all[Math.min(all.length - 1, Math.max(0, at + step[event.key]))];
  event.preventDefault();
  next.focus();
});
`;

/** A card: one image with what is said of it. */
export interface Card {
  /** The places of the image; the first that can be read gives the picture. */
  readonly sources: readonly string[];
  readonly title: string;
  readonly details: readonly string[];
  /** The patch that is marked, and the grid that it is on: rows, columns. */
  readonly patch?: { readonly at: readonly [column: number, row: number]; readonly grid: readonly [rows: number, columns: number] } | undefined;
}

/** Makes the cards of one page. */
export class Cards {
  #pictures = 0;

  /** @param folder is left out of the names */
  constructor(
    private readonly folder: string,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** A list of cards. */
  async list(cards: readonly Card[]): Promise<string> {
    const items: string[] = [];
    for (const card of cards) items.push(await this.#item(card));
    return `<ol class="cards">${items.join("")}</ol>`;
  }

  /** A line for pages with fewer pictures than images; "" for others. */
  get limit(): string {
    return this.#pictures > MOST_PICTURES ? `<p class="note">Only the first ${MOST_PICTURES} photos are shown as pictures.</p>` : "";
  }

  async #item({ sources, title, details, patch }: Card): Promise<string> {
    const short = (source: string) => (source.startsWith(this.folder) ? source.slice(this.folder.length) : source), more = sources.length - MOST_PLACES;
    const names = sources.slice(0, MOST_PLACES).map((source) => `<span title="${escape(source)}">${escape(short(source))}</span>`).join("");
    const rest = more > 0 ? `<span class="quiet">and ${more} more places</span>` : "", facts = details.map((detail) => `<span class="quiet">${escape(detail)}</span>`).join("");
    return `<li tabindex="0"><div class="frame">${await this.#picture(sources, patch)}</div><div class="text"><b>${escape(title)}</b>${names}${rest}${facts}</div></li>`;
  }

  async #picture(sources: readonly string[], patch: Card["patch"]): Promise<string> {
    if (++this.#pictures > MOST_PICTURES) return '<span class="none">no picture</span>';
    for (const source of sources) {
      try {
        const image = await loadImage(source, { signal: this.signal }), scale = Math.min(1, SIDE / Math.max(image.width, image.height));
        const small = resize(image, Math.max(1, Math.round(image.width * scale)), Math.max(1, Math.round(image.height * scale)), RESAMPLE.bilinear);
        const mark = patch === undefined ? "" : markOf(patch), share = Math.min(100, (100 * small.width) / small.height).toFixed(2);
        return `<span style="width:${share}%;aspect-ratio:${small.width}/${small.height}"><img alt="" loading="lazy" src="data:image/png;base64,${toBase64(await encodePng(small))}">${mark}</span>`;
      } catch {
        throwIfAborted(this.signal, "reading pictures for the page");
      }
    }
    return '<span class="none">cannot be read any more</span>';
  }
}

function markOf({ at: [column, row], grid: [rows, columns] }: NonNullable<Card["patch"]>): string {
  const percent = (share: number) => `${(100 * share).toFixed(2)}%`;
  return `<i style="left:${percent(column / columns)};top:${percent(row / rows)};width:${percent(1 / columns)};height:${percent(1 / rows)}"></i>`;
}

/** The common folder of all places, with a slash at its end; "" if there is none. */
export function commonFolder(sources: Iterable<string>): string {
  const parentOf = (path: string) => path.slice(0, path.slice(0, -1).lastIndexOf("/") + 1);
  let folder: string | undefined;
  for (const source of sources) {
    folder ??= parentOf(source);
    while (!source.startsWith(folder)) folder = parentOf(folder);
  }
  return folder ?? "";
}

/** @param body HTML */
export function page(title: string, body: string): string {
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>${escape(title)}</title><style>${STYLE}</style>`;
  return `<!doctype html>\n<html lang="en"><head>${head}</head><body><h1>${escape(title)}</h1>${body}<script>${SCRIPT}</script></body></html>\n`;
}

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return /([^/\\]+)[/\\]*$/.exec(path)?.[1] ?? path;
}

/** "1 photo", "2 photos". */
export function countOf(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}
