/** From what a user names to image files: paths, folders, patterns and URLs. */
import { runtime } from "#runtime";
import { IJepaError } from "../core/errors.js";
import { checkIterable, checkText, readOptions, type OptionNames } from "../core/options.js";
import { isImage } from "../image/decode.js";
import type { FileInfo, Files } from "../runtime/env.js";
import { isPattern, parsePatterns } from "./glob.js";
import { addressSource, isAddress, type BulkSource } from "./source.js";

/** Which files are found. */
export interface FindOptions {
  /** Include subfolders. Default false. */
  recursive?: boolean | undefined;
}

const NAMES: OptionNames<FindOptions> = { recursive: "boolean" };

/** Kinds of images by name, also those that cannot be read: they are reported, not passed over. */
const IMAGE_NAME = /\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|heic|heif|avif|jxl|jp2)$/i;
/** Bytes that tell the kind of a file. */
const HEAD = 16;

/**
 * The named images, in order; those of a folder by name, files before folders. In a folder it takes files that are images by their name
 * or their first bytes; it skips other files and names that begin with a dot. A folder is read once, even if several links lead to it. A
 * name that cannot be found or read becomes a source whose `read` fails.
 *
 * @param names a path, folder, pattern such as "photos/*.jpg" where there is no such file, or URL; or several
 */
export async function* findImages(names: string | Iterable<string> | AsyncIterable<string>, options: FindOptions = {}): AsyncGenerator<BulkSource, void, undefined> {
  const { files } = runtime, { recursive = false } = readOptions(options, NAMES, "findImages");
  if (typeof names !== "string") checkIterable("names", names, "a name, or a list of names");
  for await (const name of typeof names === "string" ? [names] : names) {
    checkText("A name of images", name);
    if (files === undefined || isAddress(name)) {
      yield addressSource(name);
      continue;
    }
    const info = await files.stat(name).catch(() => undefined);
    if (info?.kind === "folder") yield* new Walk(files).folder(/^\.\/*$/.test(name) ? "" : name.replace(/(?<=.)\/+$/, ""), recursive);
    else if (info === undefined && isPattern(name)) yield* matching(files, name);
    else yield addressSource(name, info);
  }
}

/** A list that only counts, for the progress. */
export async function countImages(names: readonly string[], options: FindOptions = {}): Promise<number> {
  let count = 0;
  for await (const _ of findImages(names, options)) count++;
  return count;
}

async function* matching(files: Files, text: string): AsyncGenerator<BulkSource> {
  const seen = new Set<string>();
  for (const { folder, names } of parsePatterns(text)) {
    for await (const source of new Walk(files).matches(folder, names)) {
      if (seen.has(source.name)) continue;
      seen.add(source.name);
      yield source;
    }
  }
  if (seen.size === 0) yield failing(text, `Cannot read ${text}: no file matches it.`);
}

/** One walk through folders. */
class Walk {
  /** Real paths of the folders that were read. */
  readonly #seen = new Set<string>();

  constructor(private readonly files: Files) {}

  async *folder(path: string, recursive: boolean): AsyncGenerator<BulkSource> {
    const folders: string[] = [];
    for await (const entry of this.#entries(path)) {
      if ("source" in entry) yield entry.source;
      else if (entry.info?.kind === "folder") folders.push(entry.path);
      else if (entry.info === undefined || (await this.#isImageFile(entry.path, entry.info))) yield sourceAt(entry.path, entry.info);
    }
    if (recursive) for (const below of folders) yield* this.folder(below, true);
  }

  /** @param names patterns of the parts of a path below `folder` */
  async *matches(folder: string, names: readonly (RegExp | undefined)[]): AsyncGenerator<BulkSource> {
    const [first, ...rest] = names, deep = first === undefined, last = rest.length === 0;
    if (deep && !last) yield* this.matches(folder, rest);
    const folders: string[] = [];
    for await (const entry of this.#entries(folder, deep || !last ? undefined : first)) {
      if ("source" in entry) {
        yield entry.source;
        continue;
      }
      const { name, path, info } = entry, matches = deep || first.test(name);
      if (info?.kind === "folder" && matches && (deep || !last)) folders.push(path);
      else if (last && matches && info?.kind !== "folder" && (!deep || info === undefined || (await this.#isImageFile(path, info)))) yield sourceAt(path, info);
    }
    for (const below of folders) yield* this.matches(below, deep ? names : rest);
  }

  /** The entries of a folder, by name; none if it was read before. A pattern that begins with a dot also finds names that do. */
  async *#entries(path: string, pattern?: RegExp): AsyncGenerator<{ name: string; path: string; info: FileInfo | undefined } | { source: BulkSource }> {
    const where = path === "" ? "." : path, base = path === "" || path.endsWith("/") ? path : `${path}/`;
    let names: string[];
    try {
      const real = (await this.files.realPath(where)) ?? where;
      if (pattern === undefined && this.#seen.has(real)) return;
      if (pattern === undefined) this.#seen.add(real);
      names = await this.files.list(where);
    } catch (cause) {
      yield { source: failing(where, `Cannot read the folder ${where}: ${cause instanceof Error ? cause.message : String(cause)}.`, cause) };
      return;
    }
    for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
      if (name.startsWith(".") && pattern?.test(name) !== true) continue;
      // In the working folder a name may look like a URL.
      const path = /^(data|blob|file|https?):/i.test(base + name) ? `./${name}` : base + name;
      yield { name, path, info: await this.files.stat(path).catch(() => undefined) };
    }
  }

  async #isImageFile(path: string, { kind, size }: FileInfo): Promise<boolean> {
    if (kind !== "file") return false;
    if (IMAGE_NAME.test(path)) return true;
    if (/\.\w{1,8}$/.test(path) || size < HEAD) return false;
    try {
      const file = await runtime.openFile(path);
      try {
        return isImage(await file.read(0, HEAD));
      } finally {
        await file.close();
      }
    } catch {
      return true;
    }
  }
}

/** A broken link and a name that is not UTF-8 have no `info`. */
function sourceAt(path: string, info: FileInfo | undefined): BulkSource {
  if (info !== undefined || !path.includes("\ufffd")) return addressSource(path, info);
  return failing(path, `Cannot read ${path}: its name is not UTF-8. Rename the file.`);
}

function failing(name: string, message: string, cause?: unknown): BulkSource {
  return { name, read: () => Promise.reject(new IJepaError("io/read", message, { path: name }, { cause })) };
}
